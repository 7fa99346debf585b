#include "client/job_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "client/text.h"
#include "common/error_detail.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr absl::string_view kDirective = "#BERTH";
constexpr size_t kDirectiveBytesMax = 32 << 10;

// Walks one line and collects its words.
class WordSplitter {
 public:
  WordSplitter(absl::string_view text, const Origin& origin) : text_(text), origin_(origin) {}

  absl::StatusOr<std::vector<Word>> Split() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t') {
        EndWord();
        ++at_;
      } else if (c == '#' && !in_word_) {
        break;
      } else if (c == '\'' || c == '"') {
        RETURN_IF_ERROR(TakeQuoted(c));
      } else {
        BeginWord();
        at_ += c == '\\' && at_ + 1 < text_.size() ? 1 : 0;
        word_.push_back(text_[at_++]);
      }
    }
    EndWord();
    return std::move(words_);
  }

 private:
  void BeginWord() {
    if (!in_word_) {
      in_word_ = true;
      begin_ = at_;
    }
  }

  void EndWord() {
    if (in_word_) {
      words_.push_back({.text = std::move(word_), .origin = At(begin_, at_ - begin_)});
      word_.clear();
      in_word_ = false;
    }
  }

  absl::Status TakeQuoted(char quote) {
    BeginWord();
    const size_t opened = at_++;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size() &&
          absl::StrContains("\"\\$`", text_[at_ + 1])) {
        ++at_;
      }
      word_.push_back(text_[at_++]);
    }
    if (at_ == text_.size()) {
      return ErrorAt(At(opened, 1), "this quote is not closed");
    }
    ++at_;
    return absl::OkStatus();
  }

  Origin At(size_t begin, size_t width) const {
    Origin origin = origin_;
    origin.column = origin_.column + static_cast<int>(begin);
    origin.width = static_cast<int>(width);
    return origin;
  }

  const absl::string_view text_;
  const Origin& origin_;
  size_t at_ = 0;
  bool in_word_ = false;
  size_t begin_ = 0;
  std::string word_;
  std::vector<Word> words_;
};

bool IsDirective(absl::string_view line) {
  return absl::StartsWith(line, kDirective) &&
         (line.size() == kDirective.size() || line[kDirective.size()] == ' ' ||
          line[kDirective.size()] == '\t');
}

bool IsCommentOrBlank(absl::string_view line) {
  const absl::string_view text = absl::StripLeadingAsciiWhitespace(line);
  return text.empty() || text[0] == '#';
}

absl::Status FileError(absl::string_view path, absl::string_view message, absl::string_view fix) {
  Origin origin;
  origin.file = std::string(path);
  return ErrorAt(origin, message, fix);
}

absl::Status CheckScript(const std::string& text, absl::string_view path) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    return FileError(path, "the job script is empty", "write the commands of the job into it");
  }
  if (text.size() > kScriptBytesMax) {
    return FileError(path, "the job script is larger than 1 MiB",
                     "put data and programs into files of their own");
  }
  if (absl::StrContains(text, '\0')) {
    return FileError(path, "this is a binary file, no script",
                     absl::StrCat("to run a program: berth submit -- ", path));
  }
  const size_t line_end = text.find('\n');
  if (absl::StartsWith(text, "#!") && line_end != std::string::npos && text[line_end - 1] == '\r') {
    return FileError(path, "the lines end like on Windows (CR LF), so its #! line cannot work",
                     absl::StrCat("dos2unix ", path));
  }
  return absl::OkStatus();
}

// Everything that can be read, up to a bound; nothing on an error.
std::optional<std::string> ReadAll(int file) {
  std::string text;
  std::array<char, 16384> chunk;
  ssize_t got = 0;
  while (text.size() <= kJobTextBytesMax && (got = read(file, chunk.data(), chunk.size())) > 0) {
    text.append(chunk.data(), static_cast<size_t>(got));
  }
  return got < 0 ? std::nullopt : std::optional<std::string>(std::move(text));
}

}  // namespace

absl::StatusOr<std::vector<Word>> SplitShellWords(absl::string_view text, const Origin& origin) {
  return WordSplitter(text, origin).Split();
}

absl::StatusOr<JobFile> ParseJobFile(std::string text, absl::string_view path) {
  RETURN_IF_ERROR(CheckScript(text, path));
  JobFile file{.path = std::string(path), .script = std::move(text), .directives = {}, .notes = {}};
  bool may_direct = true;
  size_t begin = 0;
  for (int number = 1; begin < file.script.size(); ++number) {
    const size_t end = std::min(file.script.find('\n', begin), file.script.size());
    absl::string_view line = absl::string_view(file.script).substr(begin, end - begin);
    line.remove_suffix(absl::EndsWith(line, "\r") ? 1 : 0);
    may_direct = may_direct && IsCommentOrBlank(line);
    if (IsDirective(line) && may_direct && end <= kDirectiveBytesMax) {
      const Origin origin{.file = file.path,
                          .line = number,
                          .column = static_cast<int>(kDirective.size()) + 1,
                          .width = 0,
                          .line_text = std::string(line)};
      ASSIGN_OR_RETURN(std::vector<Word> words,
                       SplitShellWords(line.substr(kDirective.size()), origin));
      std::move(words.begin(), words.end(), std::back_inserter(file.directives));
    } else if (IsDirective(line)) {
      file.notes.push_back(absl::StrCat(
          file.path, ":", number, ": this #BERTH line is ignored: ",
          may_direct ? "it is not in the first 32 KiB" : "it comes after the first command"));
    }
    begin = end + 1;
  }
  return file;
}

absl::StatusOr<std::string> ReadJobText(const std::string& path) {
  const bool from_input = path == "-";
  const int file = from_input ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    return FileError(
        path, missing ? "there is no such file" : "this file cannot be read: permission denied",
        missing ? absl::StrCat("to run a command: berth submit -- ", path) : "");
  }
  struct stat facts {};
  const bool is_folder = fstat(file, &facts) == 0 && S_ISDIR(facts.st_mode);
  std::optional<std::string> text = is_folder ? std::nullopt : ReadAll(file);
  if (!from_input) {
    close(file);
  }
  if (is_folder) {
    return FileError(path, "this is a folder, no job script", "name the script in it");
  }
  if (!text.has_value()) {
    return FileError(path, "this file cannot be read", "");
  }
  return std::move(*text);
}

}  // namespace berth
