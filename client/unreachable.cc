#include "client/unreachable.h"

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "common/error_detail.h"

namespace berth {
namespace {

// The last and most telling part of gRPC's message, e.g. "connection refused".
std::string CauseOf(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kDeadlineExceeded) {
    return "no answer in time";
  }
  const std::vector<std::string> parts =
      absl::StrSplit(std::string(status.message()), absl::ByString(": "));
  return absl::AsciiStrToLower(parts.back());
}

}  // namespace

bool IsUnreachable(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

absl::Status Unreachable(const absl::Status& status, absl::string_view server,
                         absl::Duration tried) {
  if (FindDetail(status).has_value()) {
    return status;
  }
  ErrorDetail detail{.code = kUnreachable, .why = {}, .fix = {}};
  if (tried >= absl::Seconds(1)) {
    detail.why.push_back(absl::StrCat("tried for ", absl::ToInt64Seconds(tried), " s"));
  }
  detail.fix.emplace_back(
      "check the address and your network; jobs that run or wait are not affected");
  detail.retryable = true;
  return WithDetail(absl::Status(status.code(), absl::StrCat("cannot reach the scheduler at ",
                                                             server, " (", CauseOf(status), ")")),
                    detail);
}

}  // namespace berth
