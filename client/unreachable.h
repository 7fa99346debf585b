#ifndef BERTH_CLIENT_UNREACHABLE_H_
#define BERTH_CLIENT_UNREACHABLE_H_

// The error of a call that did not reach the scheduler.

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace berth {

inline constexpr char kUnreachable[] = "B1102";

// True for an error after which the same call may succeed by itself: the scheduler is away.
bool IsUnreachable(const absl::Status& status);

// One error for all the ways of not reaching the scheduler; a reason given by the scheduler stays.
absl::Status Unreachable(const absl::Status& status, absl::string_view server,
                         absl::Duration tried);

}  // namespace berth

#endif  // BERTH_CLIENT_UNREACHABLE_H_
