#include "agent/devices/fault_script.h"

#include <fstream>
#include <optional>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "common/log.h"

namespace berth {
namespace {

struct Phrase {
  // Words in order; '#' is the code, the last word is always the device's index.
  const char* words;
  std::optional<DeviceEventKind> kind;
};

constexpr const char* kProcess = "process # on device";
constexpr const char* kNoProcess = "no process on device";

const std::vector<Phrase>& Phrases() {
  static const auto* const kPhrases = new std::vector<Phrase>{
      {"xid # on device",           DeviceEventKind::kXid           },
      {"uncorrected ecc on device", DeviceEventKind::kUncorrectedEcc},
      {"corrected ecc # on device", DeviceEventKind::kCorrectedEcc  },
      {"lost link on device",       DeviceEventKind::kLostLink      },
      {"lost device",               DeviceEventKind::kLostDevice    },
      {"clear device",              DeviceEventKind::kCleared       },
      {kProcess,                    std::nullopt                    },
      {kNoProcess,                  std::nullopt                    },
  };
  return *kPhrases;
}

}  // namespace

std::vector<DeviceEvent> FaultScript::TakeEvents() {
  ReadNewLines();
  return std::exchange(events_, {});
}

std::vector<DeviceProcess> FaultScript::ProcessesOn(int index) {
  ReadNewLines();
  std::vector<DeviceProcess> processes;
  for (const int64_t pid : processes_[index]) {
    processes.push_back({index, pid});
  }
  return processes;
}

void FaultScript::ReadNewLines() {
  std::ifstream file(path_, std::ios::binary);
  file.seekg(read_bytes_);
  std::ostringstream text;
  text << file.rdbuf();
  const std::string bytes = text.str();
  // A line without its end is still being written.
  const size_t end = bytes.rfind('\n');
  if (!file.is_open() || end == std::string::npos) {
    return;
  }
  read_bytes_ += static_cast<int64_t>(end) + 1;
  for (const absl::string_view line : absl::StrSplit(bytes.substr(0, end), '\n')) {
    if (!line.empty() && !Understand(line)) {
      LogWarning("fault script has a line that is no fault", {
                                                                 {"line", line}
      });
    }
  }
}

bool FaultScript::Understand(absl::string_view line) {
  std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  int index = 0;
  if (words.size() < 2 || !absl::SimpleAtoi(words.back(), &index) || index < 0) {
    return false;
  }
  words.pop_back();
  int64_t code = 0;
  for (std::string& word : words) {
    int64_t number = 0;
    if (absl::SimpleAtoi(word, &number)) {
      code = number;
      word = "#";
    }
  }
  const std::string said = absl::StrJoin(words, " ");
  for (const Phrase& phrase : Phrases()) {
    if (said != phrase.words) {
      continue;
    }
    if (phrase.kind.has_value()) {
      events_.push_back({*phrase.kind, index, code});
    } else if (said == kProcess) {
      processes_[index].insert(code);
    } else {
      processes_[index].clear();
    }
    return true;
  }
  return false;
}

}  // namespace berth
