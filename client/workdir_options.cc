#include "client/workdir_options.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "client/folder_scan.h"
#include "common/quantity.h"

namespace berth {

std::string CleanPath(const std::string& path) {
  std::vector<std::string> parts;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(path, '/'))) {
    if (part == ".." && !parts.empty()) {
      parts.pop_back();
    } else if (!part.empty() && part != "." && part != "..") {
      parts.push_back(part);
    }
  }
  return absl::StrCat("/", absl::StrJoin(parts, "/"));
}

std::string FindUploadFolder(const Arguments& arguments, const SubmissionSource& source) {
  const OptionValue* const value = arguments.Find("workdir");
  if (value == nullptr || value->text.empty() || value->text[0] == '/') {
    return "";
  }
  return CleanPath(absl::StrCat(source.folder, "/", value->text));
}

absl::StatusOr<int64_t> ReadUploadMax(const Arguments& arguments) {
  const OptionValue* const value = arguments.Find("upload-max");
  if (value == nullptr) {
    return kUploadBytesMax;
  }
  const auto mib = ParseMemoryMib(value->text);
  if (!mib.ok()) {
    return ValueError(*value, mib.status().message(), "for example 1GiB");
  }
  return *mib << 20;
}

}  // namespace berth
