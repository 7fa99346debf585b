#include "client/ignore_rules.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace berth {
namespace {

size_t IndexOf(char byte) {
  return static_cast<unsigned char>(byte);
}

struct NamedClass {
  const char* name;
  int (*contains)(int byte);
};

constexpr NamedClass kNamedClasses[] = {
    {"[:alnum:]",  std::isalnum },
    {"[:alpha:]",  std::isalpha },
    {"[:blank:]",  std::isblank },
    {"[:cntrl:]",  std::iscntrl },
    {"[:digit:]",  std::isdigit },
    {"[:graph:]",  std::isgraph },
    {"[:lower:]",  std::islower },
    {"[:print:]",  std::isprint },
    {"[:punct:]",  std::ispunct },
    {"[:space:]",  std::isspace },
    {"[:upper:]",  std::isupper },
    {"[:xdigit:]", std::isxdigit},
};

bool ConsumeNamedClass(absl::string_view& rest, std::bitset<256>& bytes) {
  for (const NamedClass& named : kNamedClasses) {
    if (absl::ConsumePrefix(&rest, named.name)) {
      for (int byte = 0; byte < 256; ++byte) {
        bytes[static_cast<size_t>(byte)] =
            bytes[static_cast<size_t>(byte)] || named.contains(byte) != 0;
      }
      return true;
    }
  }
  return false;
}

// A byte of a class, perhaps behind a backslash.
char TakeByte(absl::string_view& rest) {
  if (rest.size() > 1 && rest[0] == '\\') {
    rest.remove_prefix(1);
  }
  const char byte = rest[0];
  rest.remove_prefix(1);
  return byte;
}

// Blanks at the end count only behind a backslash.
absl::string_view WithoutTrailingBlanks(absl::string_view line) {
  while (absl::EndsWith(line, " ")) {
    const absl::string_view before = line.substr(0, line.size() - 1);
    const size_t last = before.find_last_not_of('\\');
    const size_t backslashes = before.size() - (last == absl::string_view::npos ? 0 : last + 1);
    if (backslashes % 2 == 1) {
      break;
    }
    line = before;
  }
  return line;
}

}  // namespace

IgnorePattern::IgnorePattern(absl::string_view text) {
  absl::string_view rest = text;
  bool begins_name = true;  // at the beginning, or after a '/'
  while (!rest.empty()) {
    if (begins_name && absl::ConsumePrefix(&rest, "**/")) {
      steps_.push_back({Kind::kFolders});
      steps_.push_back({Kind::kInFolders});
      continue;
    }
    if (begins_name && rest == "**" && !steps_.empty()) {
      steps_.push_back({Kind::kAll});
      return;
    }
    const char first = rest[0];
    begins_name = first == '/';
    if (first == '[') {
      AddClass(rest);
      continue;
    }
    if (first == '*') {
      rest.remove_prefix(std::min(rest.find_first_not_of('*'), rest.size()));
      steps_.push_back({Kind::kName});
      continue;
    }
    if (first == '?') {
      rest.remove_prefix(1);
      steps_.push_back({Kind::kOneOf, std::bitset<256>().set().reset(IndexOf('/'))});
      continue;
    }
    AddByte(TakeByte(rest));
  }
}

void IgnorePattern::AddByte(char byte) {
  steps_.push_back({Kind::kOneOf, std::bitset<256>().set(IndexOf(byte))});
}

// Without its end, as without any byte in it, it matches nothing.
void IgnorePattern::AddClass(absl::string_view& rest) {
  rest.remove_prefix(1);
  const bool negated = absl::ConsumePrefix(&rest, "!") || absl::ConsumePrefix(&rest, "^");
  std::bitset<256> bytes;
  for (bool is_first = true; !rest.empty() && (is_first || rest[0] != ']'); is_first = false) {
    if (ConsumeNamedClass(rest, bytes)) {
      continue;
    }
    const size_t from = IndexOf(TakeByte(rest));
    size_t to = from;
    if (rest.size() > 1 && rest[0] == '-' && rest[1] != ']') {
      rest.remove_prefix(1);
      to = IndexOf(TakeByte(rest));
    }
    for (size_t byte = from; byte <= to; ++byte) {
      bytes.set(byte);
    }
  }
  const bool is_closed = absl::ConsumePrefix(&rest, "]");
  if (negated) {
    bytes.flip();
  }
  steps_.push_back({Kind::kOneOf, is_closed ? bytes.reset(IndexOf('/')) : std::bitset<256>()});
}

void IgnorePattern::Enter(size_t step, std::vector<bool>& possible) const {
  while (true) {
    possible[step] = true;
    if (step == steps_.size()) {
      return;
    }
    if (steps_[step].kind == Kind::kName) {
      ++step;
    } else if (steps_[step].kind == Kind::kFolders) {
      step += 2;
    } else {
      return;
    }
  }
}

bool IgnorePattern::Matches(absl::string_view text) const {
  std::vector<bool> possible(steps_.size() + 1);
  Enter(0, possible);
  for (const char byte : text) {
    std::vector<bool> next(steps_.size() + 1);
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (!possible[i]) {
        continue;
      }
      switch (steps_[i].kind) {
        case Kind::kOneOf:
          if (steps_[i].bytes[IndexOf(byte)]) {
            Enter(i + 1, next);
          }
          break;
        case Kind::kName:
          if (byte != '/') {
            Enter(i, next);
          }
          break;
        case Kind::kFolders:
        case Kind::kInFolders: {
          const size_t inside = steps_[i].kind == Kind::kFolders ? i + 1 : i;
          next[inside] = true;
          if (byte == '/') {
            Enter(inside + 1, next);
          }
          break;
        }
        case Kind::kAll:
          next[i] = true;
          Enter(i + 1, next);
          break;
      }
    }
    possible = std::move(next);
  }
  return possible[steps_.size()];
}

IgnoreRules::IgnoreRules(absl::string_view text) {
  absl::ConsumePrefix(&text, "\xef\xbb\xbf");
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::ConsumeSuffix(&line, "\r");
    AddLine(line);
  }
}

void IgnoreRules::AddLine(absl::string_view line) {
  line = WithoutTrailingBlanks(line);
  if (line.empty() || line[0] == '#') {
    return;
  }
  const bool ignores = !absl::ConsumePrefix(&line, "!");
  const bool folders_only = absl::ConsumeSuffix(&line, "/");
  const bool whole_path = absl::StrContains(line, '/');
  absl::ConsumePrefix(&line, "/");
  if (!line.empty()) {
    rules_.push_back({.pattern = IgnorePattern(line),
                      .ignores = ignores,
                      .folders_only = folders_only,
                      .whole_path = whole_path});
  }
}

std::optional<bool> IgnoreRules::Decide(absl::string_view path, bool is_folder) const {
  const absl::string_view name = path.substr(path.rfind('/') + 1);
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if ((is_folder || !rule->folders_only) &&
        rule->pattern.Matches(rule->whole_path ? path : name)) {
      return rule->ignores;
    }
  }
  return std::nullopt;
}

}  // namespace berth
