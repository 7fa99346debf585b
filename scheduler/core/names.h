#ifndef BERTH_SCHEDULER_CORE_NAMES_H_
#define BERTH_SCHEDULER_CORE_NAMES_H_

// The form of the names people give to tenants, projects, users, nodes and classes.

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace berth {

// 1 to 63 characters: lower-case letters, digits, '-', '.', and for users also '_' and '@'; the
// first a letter or digit. `what` names the thing in the error ("tenant").
absl::Status CheckName(absl::string_view what, absl::string_view name);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_NAMES_H_
