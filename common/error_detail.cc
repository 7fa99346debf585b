#include "common/error_detail.h"

#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace berth {
namespace {

// The payload is lines "key text"; texts hold no line breaks.
constexpr char kPayloadUrl[] = "berth/error-detail";

void AppendLine(std::string& out, absl::string_view key, absl::string_view text) {
  absl::StrAppend(&out, key, " ", text, "\n");
}

}  // namespace

absl::Status WithDetail(absl::Status status, const ErrorDetail& detail) {
  std::string payload;
  AppendLine(payload, "code", detail.code);
  for (const std::string& line : detail.why) {
    AppendLine(payload, "why", line);
  }
  for (const std::string& line : detail.fix) {
    AppendLine(payload, "fix", line);
  }
  if (detail.retryable) {
    AppendLine(payload, "retryable", "");
  }
  if (detail.refused_by_entitlement) {
    AppendLine(payload, "entitlement", "");
  }
  status.SetPayload(kPayloadUrl, absl::Cord(payload));
  return status;
}

std::optional<ErrorDetail> FindDetail(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) {
    return std::nullopt;
  }
  ErrorDetail detail;
  const std::string text(*payload);
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    if (parts.first == "code") {
      detail.code = std::string(parts.second);
    } else if (parts.first == "why") {
      detail.why.emplace_back(parts.second);
    } else if (parts.first == "fix") {
      detail.fix.emplace_back(parts.second);
    } else if (parts.first == "retryable") {
      detail.retryable = true;
    } else if (parts.first == "entitlement") {
      detail.refused_by_entitlement = true;
    }
  }
  return detail;
}

absl::Status MakeError(absl::StatusCode status_code, const ErrorText& text) {
  ErrorDetail detail{.code = std::string(text.code), .why = {}, .fix = {}};
  if (!text.why.empty()) {
    detail.why.emplace_back(text.why);
  }
  if (!text.fix.empty()) {
    detail.fix.emplace_back(text.fix);
  }
  return WithDetail(absl::Status(status_code, text.message), detail);
}

}  // namespace berth
