#ifndef BERTH_TESTS_ARCHITECTURE_SOURCE_TEXT_H_
#define BERTH_TESTS_ARCHITECTURE_SOURCE_TEXT_H_

// The source tree as text: what the architecture checks read.

#include <string>
#include <vector>

namespace berth::architecture {

struct SourceFile {
  std::string path;  // from the root, with '/'
  std::string text;
};

struct Violation {
  std::string path;
  int line = 0;
  std::string message;
};

struct Include {
  std::string target;  // between the quotes or angle brackets
  bool quoted = false;
  int line = 0;
};

// Every .h and .cc below the folders that hold code, ordered by path.
std::vector<SourceFile> ReadSourceTree(const std::string& root);

// `text` with the contents of comments, string and character literals as blanks; line breaks stay.
std::string BlankCommentsAndLiterals(const std::string& text);

// `text` without preprocessor lines (blanks instead).
std::string BlankPreprocessor(const std::string& text);

std::vector<Include> FindIncludes(const std::string& text);

int LineOf(const std::string& text, size_t offset);

bool StartsWith(const std::string& text, const std::string& prefix);

// One violation per line, for a test's message.
std::string Describe(const std::vector<Violation>& violations);

}  // namespace berth::architecture

#endif  // BERTH_TESTS_ARCHITECTURE_SOURCE_TEXT_H_
