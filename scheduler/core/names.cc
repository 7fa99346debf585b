#include "scheduler/core/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "common/error_detail.h"

namespace berth {

absl::Status CheckName(absl::string_view what, absl::string_view name) {
  constexpr size_t kMax = 63;
  const bool user = what == "user";
  const bool good = std::all_of(name.begin(), name.end(), [user](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '.' ||
           (user && (c == '_' || c == '@'));
  });
  if (good && !name.empty() && name.size() <= kMax && absl::ascii_isalnum(name[0])) {
    return absl::OkStatus();
  }
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      {.code = "B1210",
       .message = absl::StrCat(what, " name \"", absl::Utf8SafeCEscape(name.substr(0, kMax + 1)),
                               "\" is not allowed"),
       .why =
           "names are 1 to 63 lower-case letters, digits, '-' and '.', the first a letter or digit",
       .fix = ""});
}

}  // namespace berth
