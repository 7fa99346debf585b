#include "agent/devices/npu_smi.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace berth {
namespace {

// What stands between the bars of a row; nothing for a rule or for other text.
std::vector<std::string> Cells(absl::string_view line) {
  line = absl::StripAsciiWhitespace(line);
  if (!absl::ConsumePrefix(&line, "|") || !absl::ConsumeSuffix(&line, "|")) {
    return {};
  }
  std::vector<std::string> cells = absl::StrSplit(line, '|');
  for (std::string& cell : cells) {
    absl::StripAsciiWhitespace(&cell);
  }
  return cells;
}

std::vector<std::string> Words(const std::string& cell) {
  return absl::StrSplit(cell, ' ', absl::SkipEmpty());
}

// "0           0    / 0          3416 / 65536": the last pair that has a total.
void ReadMemory(const std::string& cell, NpuChip& chip) {
  const std::string text = absl::StrReplaceAll(cell, {
                                                         {"/", " / "}
  });
  const std::vector<std::string> words = Words(text);
  for (size_t i = 2; i < words.size(); ++i) {
    int64_t used = 0;
    int64_t total = 0;
    if (words[i - 1] == "/" && absl::SimpleAtoi(words[i - 2], &used) && used >= 0 &&
        absl::SimpleAtoi(words[i], &total) && total > 0) {
      chip.memory_used_mib = used;
      chip.memory_mib = total;
    }
  }
}

// The number that the cell begins with; "-" is none.
std::optional<int> FirstNumber(const std::string& cell) {
  constexpr double kNumberMax = 1e6;
  const std::vector<std::string> words = Words(cell);
  double number = 0;
  if (words.empty() || !absl::SimpleAtod(words[0], &number) || !(number >= 0) ||
      number > kNumberMax) {
    return std::nullopt;
  }
  return static_cast<int>(number);
}

// "| 0     910B3 | OK | ..."
bool ReadFirstRow(const std::vector<std::string>& cells, NpuChip& chip) {
  const std::vector<std::string> words = Words(cells[0]);
  if (cells.size() != 3 || words.size() != 2 || !absl::SimpleAtoi(words[0], &chip.npu)) {
    return false;
  }
  chip.name = words[1];
  chip.health = cells[1];
  chip.power_watts = FirstNumber(cells[2]);
  return true;
}

// "| 0     0 | 0000:9D:00.0 | ..."
bool ReadSecondRow(const std::vector<std::string>& cells, NpuChip& chip) {
  const std::vector<std::string> words = Words(cells[0]);
  if (cells.size() != 3 || words.empty() || words.size() > 2 ||
      !absl::SimpleAtoi(words[0], &chip.chip) || cells[1].find(':') == std::string::npos) {
    return false;
  }
  chip.physical_id = chip.npu;
  if (words.size() == 2 && !absl::SimpleAtoi(words[1], &chip.physical_id)) {
    return false;
  }
  chip.bus_id = cells[1];
  chip.utilization_percent = FirstNumber(cells[2]);
  ReadMemory(cells[2], chip);
  return true;
}

// "| 0       0 | 6513 | rayWorkerDict | 617 |", with a fifth column in newer versions.
void ReadProcessRow(const std::vector<std::string>& cells, std::vector<NpuChip>& chips) {
  const std::vector<std::string> words = Words(cells[0]);
  int npu = 0;
  int chip = 0;
  int64_t pid = 0;
  if (cells.size() < 4 || words.size() != 2 || !absl::SimpleAtoi(words[0], &npu) ||
      !absl::SimpleAtoi(words[1], &chip) || !absl::SimpleAtoi(cells[1], &pid)) {
    return;
  }
  const auto found = std::find_if(chips.begin(), chips.end(), [&](const NpuChip& known) {
    return known.npu == npu && known.chip == chip;
  });
  if (found != chips.end()) {
    found->pids.push_back(pid);
  }
}

}  // namespace

std::vector<NpuChip> ParseNpuSmiInfo(absl::string_view text) {
  std::vector<NpuChip> chips;
  NpuChip chip;
  bool half = false;  // the first row of a chip was the last row read
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<std::string> cells = Cells(line);
    if (cells.empty()) {
      continue;
    }
    if (half && ReadSecondRow(cells, chip)) {
      chips.push_back(chip);
      half = false;
      continue;
    }
    chip = NpuChip();
    half = ReadFirstRow(cells, chip);
    if (!half) {
      ReadProcessRow(cells, chips);
    }
  }
  return chips;
}

std::string AscendClass(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  absl::string_view model = lower;
  absl::ConsumePrefix(&model, "ascend");
  absl::ConsumePrefix(&model, "-");
  return absl::StrCat("ascend-", model);
}

}  // namespace berth
