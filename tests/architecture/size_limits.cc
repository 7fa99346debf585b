#include "tests/architecture/size_limits.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <regex>

namespace berth::architecture {
namespace {

bool IsWord(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::string Trim(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

std::string WordBefore(const std::string& text, size_t end) {
  while (end > 0 && text[end - 1] == ' ') --end;
  size_t begin = end;
  while (begin > 0 && IsWord(text[begin - 1])) --begin;
  return text.substr(begin, end - begin);
}

size_t CloseOf(const std::string& text, size_t open, char opening, char closing) {
  int depth = 0;
  for (size_t at = open; at < text.size(); ++at) {
    depth += text[at] == opening ? 1 : text[at] == closing ? -1 : 0;
    if (depth == 0) return at;
  }
  return text.size();
}

// The name and parameters in what stands before a function's body.
struct Signature {
  std::string name;
  std::string parameters;
};

bool IsNoFunctionName(const std::string& word) {
  return word == "decltype" || word == "alignas" || word == "noexcept" || word == "explicit" ||
         word == "__attribute__" || StartsWith(word, "ABSL_");
}

// The first parenthesis outside angle brackets opens the parameters; an attribute's does not, nor
// does the one in the name of operator().
Signature ParseSignature(const std::string& header) {
  int angle = 0;
  size_t from = 0;
  const size_t op = header.find("operator");
  for (size_t at = 0; at < header.size(); ++at) {
    if (at == op) {
      at = header.find('(', at);
      if (at == std::string::npos) break;
      if (WordBefore(header, at) == "operator") at = header.find('(', at + 1);
      if (at == std::string::npos) break;
      angle = 0;
    }
    if (header[at] == '<') ++angle;
    if (header[at] == '>' && angle > 0) --angle;
    if (header[at] != '(' || angle > 0) continue;
    from = at;
    const size_t close = CloseOf(header, at, '(', ')');
    const std::string name = WordBefore(header, at);
    if (!IsNoFunctionName(name)) return {name, header.substr(from + 1, close - from - 1)};
    at = close;
  }
  return {};
}

int CountParameters(const std::string& parameters) {
  const std::string text = Trim(parameters);
  if (text.empty() || text == "void") return 0;
  int depth = 0;
  int count = 1;
  for (const char c : text) {
    if (c == '(' || c == '<' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == '>' || c == ']' || c == '}') --depth;
    if (c == ',' && depth == 0) ++count;
  }
  return count;
}

enum class BlockKind { kScope, kFunction, kMemberInitializer, kOther };

// What a brace opens, by the text since the last statement of the same scope.
BlockKind KindOf(const std::string& raw) {
  static const std::regex kTemplate(R"(^template\s*<)");
  static const std::regex kScope(
      R"(^((inline|export)\s+)?namespace\b|^extern "[^"]*"$|^(class|struct|union)\b)");
  static const std::regex kEnum(R"(^(typedef\s+)?enum\b)");
  static const std::regex kAccess(R"(^((public|private|protected)\s*:\s*)+)");
  std::string header = Trim(std::regex_replace(Trim(raw), kAccess, ""));
  while (std::regex_search(header, kTemplate)) {
    header = Trim(header.substr(CloseOf(header, header.find('<'), '<', '>') + 1));
  }
  const std::string last = WordBefore(header, header.size());
  const bool after_list = !header.empty() && header.back() == ')';
  if (std::regex_search(header, kEnum)) return BlockKind::kOther;
  if (std::regex_search(header, kScope) && !after_list && last != "const") return BlockKind::kScope;
  const size_t parenthesis = header.find('(');
  if (parenthesis == std::string::npos) return BlockKind::kOther;
  const size_t assign = header.find('=');
  if (assign < parenthesis && header.find("operator") == std::string::npos)
    return BlockKind::kOther;
  static const std::regex kInitializers(R"(\)[^;]*[^:]:[^:])");
  const bool qualifier = last == "const" || last == "noexcept" || last == "override" ||
                         last == "final" || last == "try" || last == "mutable";
  if (!last.empty() && !qualifier && header.find("->") == std::string::npos &&
      std::regex_search(header, kInitializers)) {
    return BlockKind::kMemberInitializer;
  }
  return BlockKind::kFunction;
}

class Scanner {
 public:
  explicit Scanner(const std::string& text)
      : text_(BlankPreprocessor(BlankCommentsAndLiterals(text))) {}

  std::vector<FunctionShape> Run() {
    size_t statement = 0;
    for (size_t at = 0; at < text_.size(); ++at) {
      if (text_[at] == '(') {
        at = CloseOf(text_, at, '(', ')');
      } else if (text_[at] == ';' || text_[at] == '}') {
        statement = at + 1;
      } else if (text_[at] == '{') {
        const std::string header = text_.substr(statement, at - statement);
        const BlockKind kind = KindOf(header);
        if (kind == BlockKind::kScope) {
          statement = at + 1;
          continue;
        }
        const size_t close = CloseOf(text_, at, '{', '}');
        if (kind == BlockKind::kFunction) Add(header, at, close);
        at = close;
        // A braced member initializer is followed by more initializers or by the body.
        if (kind != BlockKind::kMemberInitializer) statement = close + 1;
      }
    }
    return std::move(functions_);
  }

 private:
  void Add(const std::string& header, size_t open, size_t close) {
    Signature signature = ParseSignature(header);
    if (StartsWith(signature.name, "TEST")) {
      signature = {signature.name + "(" + signature.parameters + ")", ""};
    }
    const int line = LineOf(text_, open);
    functions_.push_back(
        {signature.name, line, LineOf(text_, close) - line, CountParameters(signature.parameters)});
  }

  std::string text_;
  std::vector<FunctionShape> functions_;
};

}  // namespace

std::vector<FunctionShape> FindFunctions(const std::string& text) {
  return Scanner(text).Run();
}

std::vector<Violation> CheckSizes(const std::vector<SourceFile>& files) {
  std::vector<Violation> violations;
  for (const SourceFile& file : files) {
    const int lines = LineOf(file.text, file.text.size());
    if (lines - 1 > kFileLinesMax) {
      violations.push_back({file.path, 1, "file of " + std::to_string(lines - 1) + " lines"});
    }
    for (const FunctionShape& function : FindFunctions(file.text)) {
      if (function.body_lines > kFunctionLinesMax) {
        violations.push_back(
            {file.path, function.line,
             function.name + " has " + std::to_string(function.body_lines) + " lines"});
      }
      if (function.parameters > kParametersMax) {
        violations.push_back(
            {file.path, function.line,
             function.name + " has " + std::to_string(function.parameters) + " parameters"});
      }
    }
  }
  return violations;
}

}  // namespace berth::architecture
