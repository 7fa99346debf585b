#ifndef BERTH_CLIENT_IGNORE_RULES_H_
#define BERTH_CLIENT_IGNORE_RULES_H_

// What a .gitignore or .berthignore says, as gitignore(5) defines it.

#include <bitset>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace berth {

// One pattern: a row of steps that a text is taken through, all of them at once, so that no pattern
// takes more time than its length times the text's.
class IgnorePattern {
 public:
  explicit IgnorePattern(absl::string_view text);
  bool Matches(absl::string_view text) const;

 private:
  enum class Kind {
    kOneOf,      // one of `bytes`
    kName,       // "*": any bytes but '/'
    kFolders,    // "**/": nothing, or anything up to a '/'
    kInFolders,  // the same, once it has begun
    kAll,        // "/**" at the end, after its '/': anything but nothing
  };
  struct Step {
    Kind kind;
    std::bitset<256> bytes = {};
  };
  void AddByte(char byte);
  // Reads "[a-z]" at the beginning of `rest` and takes it away.
  void AddClass(absl::string_view& rest);
  // Makes a step possible, and those that can be reached from it without a byte.
  void Enter(size_t step, std::vector<bool>& possible) const;

  std::vector<Step> steps_;
};

// The rules of one file, for what is below its folder.
class IgnoreRules {
 public:
  explicit IgnoreRules(absl::string_view text);

  // What the last rule that matches says: ignored or not; nothing: none matches. `path` is relative
  // to the file's folder.
  std::optional<bool> Decide(absl::string_view path, bool is_folder) const;

 private:
  struct Rule {
    IgnorePattern pattern;
    bool ignores = true;
    bool folders_only = false;
    bool whole_path = false;  // otherwise the last name alone
  };
  void AddLine(absl::string_view line);

  std::vector<Rule> rules_;
};

}  // namespace berth

#endif  // BERTH_CLIENT_IGNORE_RULES_H_
