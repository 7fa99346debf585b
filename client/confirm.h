#ifndef BERTH_CLIENT_CONFIRM_H_
#define BERTH_CLIENT_CONFIRM_H_

// Changes that others feel show their effect first and ask.

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "client/command.h"

namespace berth {

// True with --yes, or when a person at a terminal says so. Without a terminal and without --yes: a
// usage error with the command to type.
absl::StatusOr<bool> Confirm(Context& context, absl::string_view question);

// The option that Confirm looks for.
constexpr Option YesOption() {
  return Flag("yes", "do not ask", 'y');
}

}  // namespace berth

#endif  // BERTH_CLIENT_CONFIRM_H_
