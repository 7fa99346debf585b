#ifndef BERTH_CLIENT_OPTION_H_
#define BERTH_CLIENT_OPTION_H_

// One table of options serves the command line and the #BERTH lines of a job file, and every value
// remembers where it was written, so that an error can point at it.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace berth {

struct Option {
  const char* name;                // long name, without the dashes
  const char* alias = nullptr;     // a second long name
  char letter = 0;                 // 0: none
  bool repeatable = false;         // values add up; otherwise the last one counts
  bool command_line_only = false;  // has no meaning in a job file
  const char* value = nullptr;     // what help calls the value; null: a flag
  const char* help = "";
};

// Rows of an option table. A value has a name for help; a flag has none.
constexpr Option Flag(const char* name, const char* help, char letter = 0) {
  Option option{.name = name};
  option.letter = letter;
  option.help = help;
  return option;
}
constexpr Option Value(const char* name, const char* value, const char* help, char letter = 0) {
  Option option = Flag(name, help, letter);
  option.value = value;
  return option;
}
constexpr Option Repeated(const char* name, const char* value, const char* help) {
  Option option = Value(name, value, help);
  option.repeatable = true;
  return option;
}
constexpr Option WithAlias(Option option, const char* alias) {
  option.alias = alias;
  return option;
}
constexpr Option CommandLineOnly(Option option) {
  option.command_line_only = true;
  return option;
}

// Where a word was written. `file` is empty for the command line.
struct Origin {
  std::string file;
  int line = 0;
  int column = 0;  // from 1, in bytes
  int width = 0;
  std::string line_text;
};

struct Word {
  std::string text;
  Origin origin;
};

struct OptionValue {
  const Option* option = nullptr;
  std::string text;  // empty for a flag
  Origin origin;
};

// What a command was given.
struct Arguments {
  std::vector<OptionValue> values;
  std::vector<Word> words;                // neither options nor after "--"
  std::vector<std::string> after_dashes;  // after "--"
  bool has_dashes = false;

  bool Has(absl::string_view name) const { return Find(name) != nullptr; }
  // The one that counts: the last. Null if not given.
  const OptionValue* Find(absl::string_view name) const;
  std::vector<const OptionValue*> All(absl::string_view name) const;
  std::string Text(absl::string_view name, absl::string_view fallback = "") const;
};

using OptionTables = std::vector<std::span<const Option>>;

// The words of a command line, each with an empty origin.
std::vector<Word> ToWords(const std::vector<std::string>& texts);

// GNU style: --name=value, --name value, -n value, -nvalue, -ab for flags, "--" ends options.
// Shortened long names are errors, so that a new option never changes what a script means.
absl::StatusOr<Arguments> ParseArguments(const std::vector<Word>& words,
                                         const OptionTables& tables);

// A usage error (exit code 2) that points at the place.
absl::Status ErrorAt(const Origin& origin, absl::string_view message, absl::string_view fix = "");
// The same about an option's value: names the option.
absl::Status ValueError(const OptionValue& value, absl::string_view message,
                        absl::string_view fix = "");

// The word, which is the value or a part of it, is none of the known ones: offers the nearest.
absl::Status UnknownWord(const OptionValue& value, const std::string& word,
                         const std::vector<std::string>& known);

// Typed readings of a value, with errors at its place.
absl::StatusOr<int64_t> IntegerOf(const OptionValue& value, int64_t least, int64_t most);
// More than zero.
absl::StatusOr<absl::Duration> DurationOf(const OptionValue& value);
// "a,b" -> {"a", "b"}; empty parts are errors.
absl::StatusOr<std::vector<std::string>> ListOf(const OptionValue& value, char separator = ',');

}  // namespace berth

#endif  // BERTH_CLIENT_OPTION_H_
