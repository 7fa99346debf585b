#ifndef BERTH_COMMON_NEAREST_NAME_H_
#define BERTH_COMMON_NEAREST_NAME_H_

// "Did you mean ...?" for options, commands and configuration keys.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace berth {

// The candidate with the fewest typing errors (insert, delete, change or swap a letter) against
// `word`, the first one in a tie. Empty if none is close enough to be what was meant.
std::string NearestName(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace berth

#endif  // BERTH_COMMON_NEAREST_NAME_H_
