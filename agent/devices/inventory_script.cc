#include "agent/devices/inventory_script.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

#include "agent/devices/nvidia_instance.h"

namespace berth {
namespace {

constexpr int kPartsMax = 7;  // as many as the hardware makes

void Divide(const v1::Device& whole, int count, absl::string_view part_class,
            std::vector<v1::Device>& devices) {
  for (int slot = 0; slot < count; ++slot) {
    v1::Device& part = devices.emplace_back(whole);
    part.set_index(
        MigIndex(static_cast<unsigned int>(whole.index()), static_cast<unsigned int>(slot)));
    part.set_device_class(std::string(part_class));
    part.set_uuid(absl::StrCat(whole.uuid(), "-", part_class, "-", slot));
    part.set_part_of(whole.uuid());
    part.set_memory_mib(whole.memory_mib() / count);
  }
}

bool Understand(absl::string_view line, std::vector<v1::Device>& devices) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  const bool removes = words.size() == 3 && words[0] == "remove";
  const bool divides = words.size() == 6 && words[0] == "divide" && words[3] == "into";
  int index = 0;
  int count = 0;
  if (!(removes || divides) || words[1] != "device" || !absl::SimpleAtoi(words[2], &index) ||
      (divides && (!absl::SimpleAtoi(words[4], &count) || count < 1 || count > kPartsMax))) {
    return false;
  }
  const auto named = std::find_if(devices.begin(), devices.end(), [index](const v1::Device& d) {
    return d.index() == index && d.part_of().empty();
  });
  if (named == devices.end()) {
    return false;
  }
  const v1::Device whole = *named;
  devices.erase(named);
  if (divides) {
    Divide(whole, count, words[5], devices);
  }
  return true;
}

}  // namespace

void ApplyInventoryScript(const std::string& path, ProbedDevices& found) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && !Understand(line, found.devices)) {
      found.complaints.push_back(
          absl::StrCat("the inventory script has a line that is not understood: ", line));
    }
  }
  std::sort(found.devices.begin(), found.devices.end(),
            [](const v1::Device& a, const v1::Device& b) { return a.index() < b.index(); });
}

}  // namespace berth
