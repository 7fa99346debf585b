#include "agent/devices/sample_script.h"

#include <fstream>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace berth {
namespace {

bool Understand(absl::string_view name, int32_t value, v1::DeviceSample& sample) {
  if (name == "device") {
    sample.set_index(value);
  } else if (name == "utilization" && value <= DeviceMeter::kPercentMax) {
    sample.set_utilization_percent(value);
  } else if (name == "memory") {
    sample.set_memory_used_mib(value);
  } else if (name == "power") {
    sample.set_power_watts(value);
  } else {
    return false;
  }
  return true;
}

// Of a line: whether it says something of a device, and only what can be.
bool ReadSample(absl::string_view line, v1::DeviceSample& sample) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  if (words.size() < 4 || words.size() % 2 != 0 || words[0] != "device") {
    return false;
  }
  for (size_t i = 0; i < words.size(); i += 2) {
    int32_t value = 0;
    if (!absl::SimpleAtoi(words[i + 1], &value) || value < 0 ||
        !Understand(words[i], value, sample)) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::vector<v1::DeviceSample> SampleScript::Read() {
  std::map<int, v1::DeviceSample> by_index;
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) {
    v1::DeviceSample sample;
    if (ReadSample(line, sample)) {
      by_index.emplace(sample.index(), sample);
    }
  }
  std::vector<v1::DeviceSample> samples;
  samples.reserve(by_index.size());
  for (auto& [index, sample] : by_index) {
    samples.push_back(std::move(sample));
  }
  return samples;
}

}  // namespace berth
