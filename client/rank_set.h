#ifndef BERTH_CLIENT_RANK_SET_H_
#define BERTH_CLIENT_RANK_SET_H_

// Ranks of a job in few letters: "0,5-7".

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "client/option.h"

namespace berth {

// More than any job has.
inline constexpr int32_t kRankMax = 262'144;

// Rising, each once. Errors stand at the option's place.
absl::StatusOr<std::vector<int32_t>> RanksOf(const OptionValue& value);
// The shortest list that RanksOf reads as these ranks. Requires: they rise.
std::string FoldRanks(const std::vector<int32_t>& ranks);

}  // namespace berth

#endif  // BERTH_CLIENT_RANK_SET_H_
