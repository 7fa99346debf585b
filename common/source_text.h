#ifndef BERTH_COMMON_SOURCE_TEXT_H_
#define BERTH_COMMON_SOURCE_TEXT_H_

// A text file that somebody wrote, and the first error in it: with its place, its line, and a caret
// below. Owned by whoever reads the file; one thread.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "common/error_detail.h"

namespace berth {

class SourceText {
 public:
  // Counted from 1; line 0: in no line of the file.
  struct Place {
    size_t line = 0;
    size_t column = 0;
  };

  SourceText(absl::string_view path, absl::string_view text);

  // Keeps the first error only. `width`: of the caret.
  void Fail(const Place& at, size_t width, const ErrorText& text);
  const absl::Status& first_error() const { return first_error_; }

 private:
  const std::string path_;
  const std::vector<std::string> lines_;
  absl::Status first_error_;
};

// The whole file, or nothing with the reason in errno: EFBIG if it is larger than 4 MiB.
std::optional<std::string> ReadSource(const std::string& path);

}  // namespace berth

#endif  // BERTH_COMMON_SOURCE_TEXT_H_
