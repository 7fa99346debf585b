#ifndef BERTH_COMMON_ERROR_DETAIL_H_
#define BERTH_COMMON_ERROR_DETAIL_H_

// What, why, fix: the stable code and the advice that travel with an absl::Status as a payload.

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace berth {

struct ErrorDetail {
  std::string code;  // "B2101"
  std::vector<std::string> why;
  std::vector<std::string> fix;  // at most three; commands where possible
  bool retryable = false;
  bool refused_by_entitlement = false;  // can never run under the present quota
};

// Returns `status` with the detail attached. Requires: status is not OK.
absl::Status WithDetail(absl::Status status, const ErrorDetail& detail);

std::optional<ErrorDetail> FindDetail(const absl::Status& status);

// The usual case in one call: code and message, a why, a fix ("" for none).
struct ErrorText {
  absl::string_view code;
  absl::string_view message;
  absl::string_view why;
  absl::string_view fix;
};
absl::Status MakeError(absl::StatusCode status_code, const ErrorText& text);

}  // namespace berth

#endif  // BERTH_COMMON_ERROR_DETAIL_H_
