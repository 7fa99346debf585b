#include "client/option.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "client/text.h"
#include "common/error_detail.h"
#include "common/nearest_name.h"
#include "common/quantity.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr char kUsageError[] = "B1301";
constexpr char kJobFileError[] = "B1302";
constexpr size_t kExcerptBytesMax = 160;

const Option* FindLong(const OptionTables& tables, absl::string_view name) {
  for (const auto& table : tables) {
    for (const Option& option : table) {
      if (name == option.name || (option.alias != nullptr && name == option.alias)) {
        return &option;
      }
    }
  }
  return nullptr;
}

const Option* FindLetter(const OptionTables& tables, char letter) {
  for (const auto& table : tables) {
    for (const Option& option : table) {
      if (option.letter == letter) {
        return &option;
      }
    }
  }
  return nullptr;
}

absl::Status UnknownOption(const OptionTables& tables, const Origin& origin,
                           absl::string_view name) {
  std::vector<std::string> names;
  for (const auto& table : tables) {
    for (const Option& option : table) {
      names.emplace_back(option.name);
    }
  }
  const std::string nearest = NearestName(name, names);
  return ErrorAt(origin, absl::StrCat("unknown option \"--", CleanText(name), "\""),
                 nearest.empty() ? "" : absl::StrCat("did you mean --", nearest, "?"));
}

// Turns words into Arguments, one word (and the value after it) at a time.
class ArgumentParser {
 public:
  ArgumentParser(const std::vector<Word>& words, const OptionTables& tables)
      : words_(words), tables_(tables) {}

  absl::StatusOr<Arguments> Parse() {
    while (next_ < words_.size()) {
      RETURN_IF_ERROR(ParseWord(words_[next_++]));
    }
    return std::move(arguments_);
  }

 private:
  absl::Status ParseWord(const Word& word) {
    if (word.text == "--") {
      TakeRest();
    } else if (word.text.size() > 2 && absl::StartsWith(word.text, "--")) {
      return ParseLong(word);
    } else if (word.text.size() > 1 && word.text[0] == '-') {
      return ParseLetters(word);
    } else {
      arguments_.words.push_back(word);
    }
    return absl::OkStatus();
  }

  void TakeRest() {
    arguments_.has_dashes = true;
    for (; next_ < words_.size(); ++next_) {
      arguments_.after_dashes.push_back(words_[next_].text);
    }
  }

  absl::Status ParseLong(const Word& word) {
    const size_t equals = word.text.find('=');
    const std::string name = word.text.substr(2, equals == std::string::npos ? equals : equals - 2);
    const Option* const option = FindLong(tables_, name);
    if (option == nullptr) {
      return UnknownOption(tables_, word.origin, name);
    }
    if (equals == std::string::npos) {
      return Add(*option, word, nullptr);
    }
    const std::string value = word.text.substr(equals + 1);
    return Add(*option, word, &value);
  }

  absl::Status ParseLetters(const Word& word) {
    for (size_t i = 1; i < word.text.size(); ++i) {
      const Option* const option = FindLetter(tables_, word.text[i]);
      if (option == nullptr) {
        return ErrorAt(
            word.origin,
            absl::StrCat(
                "unknown option \"-", CleanText(word.text.substr(i, 1)), "\"",
                word.text.size() == 2 ? "" : absl::StrCat(" in \"", CleanText(word.text), "\"")),
            "put arguments that begin with a dash after \"--\"");
      }
      const bool last = i + 1 == word.text.size();
      if (option->value == nullptr || last) {
        RETURN_IF_ERROR(Add(*option, word, nullptr));
        continue;
      }
      const std::string value = word.text.substr(word.text[i + 1] == '=' ? i + 2 : i + 1);
      return Add(*option, word, &value);
    }
    return absl::OkStatus();
  }

  // `value` is null where none was joined to the option; then the next word is the value.
  absl::Status Add(const Option& option, const Word& word, const std::string* value) {
    OptionValue added{.option = &option, .text = "", .origin = word.origin};
    if (option.value == nullptr && value != nullptr) {
      return ErrorAt(word.origin, absl::StrCat("--", option.name, " takes no value"));
    }
    if (option.value != nullptr) {
      if (value != nullptr) {
        added.text = *value;
      } else if (next_ < words_.size()) {
        added.text = words_[next_].text;
        added.origin = words_[next_].origin;
        ++next_;
      } else {
        return ErrorAt(word.origin, absl::StrCat("--", option.name, " needs a value"),
                       absl::StrCat("write --", option.name, " ", option.value));
      }
    }
    arguments_.values.push_back(std::move(added));
    return absl::OkStatus();
  }

  const std::vector<Word>& words_;
  const OptionTables& tables_;
  size_t next_ = 0;
  Arguments arguments_;
};

}  // namespace

const OptionValue* Arguments::Find(absl::string_view name) const {
  for (auto value = values.rbegin(); value != values.rend(); ++value) {
    if (value->option->name == name) {
      return &*value;
    }
  }
  return nullptr;
}

std::vector<const OptionValue*> Arguments::All(absl::string_view name) const {
  std::vector<const OptionValue*> found;
  for (const OptionValue& value : values) {
    if (value.option->name == name) {
      found.push_back(&value);
    }
  }
  return found;
}

std::string Arguments::Text(absl::string_view name, absl::string_view fallback) const {
  const OptionValue* const value = Find(name);
  return value == nullptr ? std::string(fallback) : value->text;
}

std::vector<Word> ToWords(const std::vector<std::string>& texts) {
  std::vector<Word> words;
  words.reserve(texts.size());
  for (const std::string& text : texts) {
    words.push_back({.text = text, .origin = {}});
  }
  return words;
}

absl::StatusOr<Arguments> ParseArguments(const std::vector<Word>& words,
                                         const OptionTables& tables) {
  return ArgumentParser(words, tables).Parse();
}

absl::Status ErrorAt(const Origin& origin, absl::string_view message, absl::string_view fix) {
  ErrorDetail detail{
      .code = origin.file.empty() ? kUsageError : kJobFileError, .why = {}, .fix = {}};
  if (!fix.empty()) {
    detail.fix.emplace_back(fix);
  }
  if (origin.file.empty()) {
    return WithDetail(absl::InvalidArgumentError(message), detail);
  }
  std::string where = CleanText(origin.file);
  if (origin.line > 0) {
    absl::StrAppend(&where, ":", origin.line, ":", origin.column);
    if (origin.line_text.size() <= kExcerptBytesMax) {
      const std::string number = absl::StrCat(origin.line);
      const auto before = static_cast<size_t>(std::max(0, origin.column - 1));
      const std::string place = origin.line_text.substr(std::min(before, origin.line_text.size()),
                                                        static_cast<size_t>(origin.width));
      const int indent = DisplayWidth(CleanText(origin.line_text.substr(0, before)));
      const int width = std::max(1, DisplayWidth(CleanText(place)));
      detail.why.push_back(absl::StrCat(number, " | ", CleanText(origin.line_text)));
      detail.why.push_back(absl::StrCat(std::string(number.size(), ' '), " | ",
                                        std::string(static_cast<size_t>(indent), ' '),
                                        std::string(static_cast<size_t>(width), '^')));
    }
  }
  return WithDetail(absl::InvalidArgumentError(absl::StrCat(where, ": ", message)), detail);
}

absl::Status ValueError(const OptionValue& value, absl::string_view message,
                        absl::string_view fix) {
  return ErrorAt(value.origin, absl::StrCat("--", value.option->name, ": ", message), fix);
}

absl::Status UnknownWord(const OptionValue& value, const std::string& word,
                         const std::vector<std::string>& known) {
  const std::string nearest = NearestName(word, known);
  return ValueError(
      value, absl::StrCat("\"", CleanText(word), "\" is none of ", absl::StrJoin(known, ", ")),
      nearest.empty() ? "" : absl::StrCat("did you mean ", nearest, "?"));
}

absl::StatusOr<int64_t> IntegerOf(const OptionValue& value, int64_t least, int64_t most) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(value.text, &number)) {
    return ValueError(value, absl::StrCat("\"", CleanText(value.text), "\" is not a whole number"));
  }
  if (number < least || number > most) {
    return ValueError(value, absl::StrCat(number, " is out of range"),
                      absl::StrCat("give a number from ", least, " to ", most));
  }
  return number;
}

absl::StatusOr<absl::Duration> DurationOf(const OptionValue& value) {
  const auto duration = ParseDuration(value.text);
  if (!duration.ok()) {
    const auto detail = FindDetail(duration.status());
    return ValueError(value, CleanText(duration.status().message()),
                      detail.has_value() && !detail->fix.empty() ? detail->fix[0] : "");
  }
  if (*duration <= absl::ZeroDuration()) {
    return ValueError(value, "must be longer than zero");
  }
  return *duration;
}

absl::StatusOr<std::vector<std::string>> ListOf(const OptionValue& value, char separator) {
  const std::vector<std::string> parts = absl::StrSplit(value.text, separator);
  for (const std::string& part : parts) {
    if (part.empty()) {
      return ValueError(value, absl::StrCat("\"", CleanText(value.text), "\" has an empty part"));
    }
  }
  return parts;
}

}  // namespace berth
