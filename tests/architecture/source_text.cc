#include "tests/architecture/source_text.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace berth::architecture {
namespace {

constexpr const char* kCodeFolders[] = {"common", "scheduler", "agent", "client", "sim", "tests"};

bool IsSource(const std::filesystem::path& path) {
  return path.extension() == ".h" || path.extension() == ".cc";
}

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Walks over one text and blanks what is no code.
class Blanker {
 public:
  explicit Blanker(std::string text) : text_(std::move(text)) {}

  std::string Run() {
    while (at_ < text_.size()) {
      if (Here("//")) {
        BlankLine();
      } else if (Here("/*")) {
        BlankUntil("*/", 2);
      } else if (Here("R\"") && (at_ == 0 || !IsWordCharacter(text_[at_ - 1]))) {
        BlankRawString();
      } else if (text_[at_] == '"') {
        BlankQuoted('"');
      } else if (text_[at_] == '\'' && (at_ == 0 || !IsWordCharacter(text_[at_ - 1]))) {
        BlankQuoted('\'');  // after a digit it separates thousands
      } else {
        ++at_;
      }
    }
    return std::move(text_);
  }

 private:
  bool Here(const char* token) const { return text_.compare(at_, 2, token) == 0; }

  void Blank(size_t end) {
    for (end = std::min(end, text_.size()); at_ < end; ++at_) {
      if (text_[at_] != '\n') text_[at_] = ' ';
    }
  }

  void BlankLine() { Blank(text_.find('\n', at_)); }

  void BlankUntil(const std::string& token, size_t from) {
    const size_t end = text_.find(token, at_ + from);
    Blank(end == std::string::npos ? text_.size() : end + token.size());
  }

  void BlankRawString() {
    const size_t open = text_.find('(', at_);
    if (open == std::string::npos) {
      Blank(text_.size());
      return;
    }
    BlankUntil(")" + text_.substr(at_ + 2, open - at_ - 2) + "\"", open - at_);
  }

  // The quotes themselves stay.
  void BlankQuoted(char quote) {
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') {
      end += text_[end] == '\\' ? 2 : 1;
    }
    ++at_;
    Blank(end);
    ++at_;
  }

  std::string text_;
  size_t at_ = 0;
};

}  // namespace

std::vector<SourceFile> ReadSourceTree(const std::string& root) {
  std::vector<SourceFile> files;
  for (const char* folder : kCodeFolders) {
    const std::filesystem::path top = std::filesystem::path(root) / folder;
    if (!std::filesystem::exists(top)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(top)) {
      if (!entry.is_regular_file() || !IsSource(entry.path())) continue;
      std::ifstream stream(entry.path());
      std::stringstream text;
      text << stream.rdbuf();
      files.push_back({entry.path().lexically_relative(root).generic_string(), text.str()});
    }
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

std::string BlankCommentsAndLiterals(const std::string& text) {
  return Blanker(text).Run();
}

std::string BlankPreprocessor(const std::string& text) {
  std::string result = text;
  bool continued = false;
  for (size_t begin = 0; begin < result.size();) {
    const size_t end = std::min(result.find('\n', begin), result.size());
    const size_t first = result.find_first_not_of(" \t", begin);
    if (continued || (first < end && result[first] == '#')) {
      continued = end > begin && result[end - 1] == '\\';
      std::fill(result.begin() + static_cast<std::ptrdiff_t>(begin),
                result.begin() + static_cast<std::ptrdiff_t>(end), ' ');
    }
    begin = end + 1;
  }
  return result;
}

std::vector<Include> FindIncludes(const std::string& text) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<Include> includes;
  std::istringstream stream(text);
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    std::smatch match;
    if (std::regex_search(line, match, kInclude)) {
      includes.push_back({match[2], match[1] == "\"", number});
    }
  }
  return includes;
}

int LineOf(const std::string& text, size_t offset) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size()));
  return static_cast<int>(std::count(text.begin(), end, '\n')) + 1;
}

bool StartsWith(const std::string& text, const std::string& prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

std::string Describe(const std::vector<Violation>& violations) {
  std::ostringstream out;
  for (const Violation& violation : violations) {
    out << violation.path << ":" << violation.line << ": " << violation.message << "\n";
  }
  return out.str();
}

}  // namespace berth::architecture
