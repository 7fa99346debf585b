#include "common/source_text.h"

#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include <fcntl.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr size_t kFileBytesMax = size_t{4} << 20;
constexpr size_t kShownLineBytesMax = 200;

}  // namespace

SourceText::SourceText(absl::string_view path, absl::string_view text)
    : path_(path), lines_(absl::StrSplit(text, '\n')) {}

void SourceText::Fail(const Place& at, size_t width, const ErrorText& text) {
  if (!first_error_.ok()) {
    return;
  }
  ErrorDetail detail{.code = std::string(text.code), .why = {}, .fix = {}};
  std::string where = path_;
  if (at.line > 0) {
    absl::StrAppend(&where, ":", at.line, ":", at.column);
    if (at.line <= lines_.size() && lines_[at.line - 1].size() < kShownLineBytesMax) {
      const std::string number = absl::StrCat(at.line);
      detail.why.push_back(absl::StrCat(number, " | ", lines_[at.line - 1]));
      detail.why.push_back(absl::StrCat(std::string(number.size(), ' '), " | ",
                                        std::string(at.column - 1, ' '), std::string(width, '^')));
    }
  }
  if (!text.fix.empty()) {
    detail.fix.emplace_back(text.fix);
  }
  first_error_ =
      WithDetail(absl::InvalidArgumentError(absl::StrCat(where, ": ", text.message)), detail);
}

std::optional<std::string> ReadSource(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return std::nullopt;
  }
  std::string text;
  std::array<char, 16384> chunk;
  ssize_t got = 0;
  while (text.size() <= kFileBytesMax && (got = read(file, chunk.data(), chunk.size())) > 0) {
    text.append(chunk.data(), static_cast<size_t>(got));
  }
  const int error = got < 0 ? errno : text.size() > kFileBytesMax ? EFBIG : 0;
  close(file);
  errno = error;
  return error == 0 ? std::optional<std::string>(std::move(text)) : std::nullopt;
}

}  // namespace berth
