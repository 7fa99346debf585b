#include "agent/devices/nvidia_class.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#include "agent/devices/device_probe.h"

namespace berth {
namespace {

// GB as sold. NVML tells less: the driver's share and that of ECC are missing.
constexpr std::array kMarketedGb = {2,  3,  4,  6,  8,  10, 11,  12,  16,  20,  24,  32, 40,
                                    48, 64, 72, 80, 94, 96, 141, 144, 180, 186, 192, 288};
constexpr int64_t kLeastPercentReported = 90;

int64_t MarketedGb(int64_t memory_mib) {
  const auto sold = std::find_if(kMarketedGb.begin(), kMarketedGb.end(),
                                 [&](int gb) { return memory_mib <= gb * kMibPerGib; });
  if (sold != kMarketedGb.end() && memory_mib * 100 >= *sold * kMibPerGib * kLeastPercentReported) {
    return *sold;
  }
  return (memory_mib + kMibPerGib - 1) / kMibPerGib;
}

bool IsWordCharacter(unsigned char c) {
  return absl::ascii_isalnum(c) || c == '.';
}

// The runs of letters, digits and points, in lower case.
std::vector<std::string> Words(absl::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  for (const unsigned char c : text) {
    if (IsWordCharacter(c)) {
      if (!inside) {
        words.emplace_back();
      }
      words.back().push_back(absl::ascii_tolower(c));
    }
    inside = IsWordCharacter(c);
  }
  return words;
}

// "sxm4", "hbm3", "hbm3e", "pcie", "oam" say how the board is built, "nvidia" and "tesla" nothing.
bool TellsNoModel(absl::string_view word) {
  for (const absl::string_view series : {"sxm", "hbm"}) {
    if (absl::StartsWith(word, series) && word.size() <= series.size() + 2) {
      return true;
    }
  }
  return word == "nvidia" || word == "tesla" || word == "geforce" || word == "pcie" ||
         word == "pci" || word == "e";
}

// "80gb" -> 80; 0 for any other word.
int64_t GbInWord(absl::string_view word) {
  int64_t gb = 0;
  if (!absl::ConsumeSuffix(&word, "gb") || !absl::SimpleAtoi(word, &gb)) {
    return 0;
  }
  return gb;
}

}  // namespace

std::string NvidiaClass(absl::string_view model, int64_t memory_mib) {
  std::vector<std::string> kept = {"nvidia"};
  int64_t gb = 0;
  for (const std::string& word : Words(model)) {
    const int64_t gb_here = GbInWord(word);
    if (gb_here > 0) {
      gb = gb_here;
    }
    if (gb_here == 0 && !TellsNoModel(word)) {
      kept.push_back(word);
    }
  }
  const std::string memory = absl::StrCat("-", gb > 0 ? gb : MarketedGb(memory_mib), "g");
  std::string name = absl::StrJoin(kept, "-");
  if (name.size() > kClassNameBytesMax - memory.size()) {
    name.resize(kClassNameBytesMax - memory.size());
  }
  return absl::StrCat(name, memory);
}

std::string MigClass(absl::string_view whole, absl::string_view profile) {
  const std::string part = absl::StrCat("-mig-", profile);
  return absl::StrCat(whole.substr(0, kClassNameBytesMax - part.size()), part);
}

}  // namespace berth
