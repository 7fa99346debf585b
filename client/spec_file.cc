#include "client/spec_file.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "client/job_file.h"
#include "client/job_options.h"
#include "client/output.h"
#include "client/text.h"
#include "common/nearest_name.h"
#include "common/quantity.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr absl::string_view kSchema = "berth/v1";
constexpr absl::string_view kKind = "JobSpec";
constexpr std::array<const char*, 7> kOtherKeys = {
    "schema", "kind", "command", "script", "script-base64", "workdir-sha256", "idle"};
constexpr std::pair<const char*, const char*> kExclusiveKeys[] = {
    {"workdir", "workdir-sha256"},
    {"script",  "script-base64" },
    {"class",   "model"         },
};
constexpr size_t kSha256Bytes = 32;
// The object, and a list in it.
constexpr int kDepthMax = 2;

const Option* FindOption(absl::string_view name) {
  for (const Option& option : JobOptions()) {
    if (name == option.name || (option.alias != nullptr && name == option.alias)) {
      return &option;
    }
  }
  return nullptr;
}

// Takes the JSON as it is parsed; returns false at the first error, which stays.
class SpecReader : public nlohmann::json_sax<Json> {
 public:
  SpecReader(const std::string& text, absl::string_view path) : text_(text) {
    origin_.file = std::string(path);
  }

  absl::StatusOr<SpecFile> Take() {
    RETURN_IF_ERROR(status_);
    for (const auto& [one, other] : kExclusiveKeys) {
      if (seen_.contains(one) && seen_.contains(other)) {
        return ErrorAt(origin_, absl::StrCat("\"", one, "\" and \"", other, "\" are one too many"),
                       "keep one of them");
      }
    }
    return std::move(file_);
  }

  bool null() override { return Refuse("has no value", "leave it out"); }
  bool boolean(bool value) override {
    if (depth_ != 1 || option_ == nullptr || option_->value != nullptr) {
      return Refuse("is true or false, but it is no switch", "");
    }
    if (value) {
      AddOption("");
    }
    return true;
  }
  bool number_integer(number_integer_t value) override { return Scalar(absl::StrCat(value), true); }
  bool number_unsigned(number_unsigned_t value) override {
    return Scalar(absl::StrCat(value), true);
  }
  bool number_float(number_float_t, const string_t& text) override { return Scalar(text, true); }
  bool string(string_t& value) override { return Scalar(value, false); }
  bool binary(binary_t&) override { return false; }

  bool start_object(size_t) override {
    return depth_ == 0 ? Enter() : Refuse("is an object", "give a text, or a list of texts");
  }
  bool end_object() override { return Leave(); }
  bool start_array(size_t) override {
    if (depth_ == 0 || depth_ == kDepthMax) {
      return Refuse("is a list in a list", "");
    }
    const bool takes_list = option_ != nullptr ? option_->repeatable : key_ == "command";
    return takes_list ? Enter() : Refuse("is a list, but has one value", "");
  }
  bool end_array() override { return Leave(); }

  bool key(string_t& name) override {
    key_ = name;
    option_ = FindOption(name);
    if (!seen_.insert(name).second) {
      return Refuse("stands there twice", "");
    }
    if (option_ != nullptr && option_->command_line_only) {
      return Refuse("works on the command line only", absl::StrCat("--", option_->name));
    }
    return option_ != nullptr || IsOtherKey(name) || RefuseUnknown();
  }

  // `position` counts what was read, to the end of what cannot be.
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    Origin place = origin_;
    const size_t at = std::clamp<size_t>(position, 1, std::max<size_t>(text_.size(), 1)) - 1;
    const size_t before = at == 0 ? std::string::npos : text_.rfind('\n', at - 1);
    const size_t begin = before == std::string::npos ? 0 : before + 1;
    place.line = 1 + static_cast<int>(std::count(text_.data(), text_.data() + begin, '\n'));
    place.column = static_cast<int>(at - begin) + 1;
    place.width = 1;
    place.line_text = text_.substr(begin, text_.find('\n', at) - begin);
    status_ = ErrorAt(place, "this is no JSON from here on");
    return false;
  }

 private:
  static bool IsOtherKey(absl::string_view name) {
    return std::find(kOtherKeys.begin(), kOtherKeys.end(), name) != kOtherKeys.end();
  }

  bool Enter() {
    ++depth_;
    return true;
  }
  bool Leave() {
    --depth_;
    return true;
  }

  bool Refuse(absl::string_view why, absl::string_view fix) {
    status_ = ErrorAt(origin_,
                      depth_ == 0 ? std::string("this is no specification of a job")
                                  : absl::StrCat("\"", CleanText(key_), "\" ", why),
                      depth_ == 0 ? "berth show JOB --spec prints one" : fix);
    return false;
  }

  bool RefuseUnknown() {
    std::vector<std::string> names(kOtherKeys.begin(), kOtherKeys.end());
    for (const Option& option : JobOptions()) {
      names.emplace_back(option.name);
    }
    const std::string nearest = NearestName(key_, names);
    return Refuse("is no option of a job", nearest.empty()
                                               ? "berth submit --help"
                                               : absl::StrCat("did you mean \"", nearest, "\"?"));
  }

  void AddOption(const std::string& text) {
    file_.arguments.values.push_back({.option = option_, .text = text, .origin = origin_});
  }

  bool Scalar(const std::string& text, bool is_number) {
    if (depth_ == 0) {
      return Refuse("", "");
    }
    if (option_ == nullptr) {
      return is_number ? Refuse("is a number, not a text", "") : Other(text);
    }
    if (option_->value == nullptr) {
      return Refuse("is a switch", "write true or false");
    }
    AddOption(text);
    return true;
  }

  // What no option says.
  bool Other(const std::string& text) {
    if (key_ == "schema" || key_ == "kind") {
      const absl::string_view known = key_ == "schema" ? kSchema : kKind;
      return text == known || Refuse(absl::StrCat("is ", CleanText(text), ", not ", known),
                                     "berth show JOB --spec prints a specification");
    }
    if (key_ == "command") {
      file_.spec.add_command(text);
      return depth_ == kDepthMax ||
             Refuse("is one text", "write a list of its words, as [\"python\", \"train.py\"]");
    }
    if (key_ == "idle") {
      const auto idle = ParseDuration(text);
      file_.spec.set_idle_ms(absl::ToInt64Milliseconds(idle.value_or(absl::ZeroDuration())));
      return file_.spec.idle_ms() > 0 || Refuse("is no length of time", "write it like 30m");
    }
    if (key_ == "workdir-sha256") {
      file_.spec.set_workdir_sha256(absl::HexStringToBytes(text));
      return (text.size() == 2 * kSha256Bytes &&
              std::all_of(text.begin(), text.end(), absl::ascii_isxdigit)) ||
             Refuse("is no SHA-256", "use \"workdir\" to upload a folder");
    }
    std::string script = text;
    if (key_ == "script-base64" && !absl::Base64Unescape(text, &script)) {
      return Refuse("is no base64", "write the script as a text: \"script\"");
    }
    file_.spec.set_script(std::move(script));
    return file_.spec.script().size() <= kScriptBytesMax ||
           Refuse("is larger than 1 MiB", "put data and programs into files of their own");
  }

  const std::string& text_;
  Origin origin_;  // of the file as a whole
  SpecFile file_;
  absl::Status status_;
  int depth_ = 0;
  std::string key_;
  const Option* option_ = nullptr;  // of the key; null: it is another one
  std::set<std::string> seen_;
};

}  // namespace

bool IsSpecFile(absl::string_view text, absl::string_view path) {
  if (absl::EndsWith(path, ".json")) {
    return true;
  }
  text = absl::StripLeadingAsciiWhitespace(text);
  if (!absl::StartsWith(text, "{")) {
    return false;
  }
  text = absl::StripLeadingAsciiWhitespace(text.substr(1));
  return absl::StartsWith(text, "\"") || absl::StartsWith(text, "}");
}

absl::StatusOr<SpecFile> ParseSpecFile(const std::string& text, absl::string_view path) {
  if (text.size() > kJobTextBytesMax) {
    Origin origin;
    origin.file = std::string(path);
    return ErrorAt(origin, "the specification is larger than 4 MiB",
                   "put data and programs into files of their own");
  }
  SpecReader reader(text, path);
  Json::sax_parse(text, &reader);
  return reader.Take();
}

}  // namespace berth
