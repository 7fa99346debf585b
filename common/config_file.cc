#include "common/config_file.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "common/error_detail.h"
#include "common/nearest_name.h"
#include "common/source_text.h"

// Compiled into this file, so that no program needs one more shared library at its start.
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace berth {
namespace {

constexpr char kSyntaxError[] = "B1202";
constexpr char kKeyError[] = "B1203";

SourceText::Place PlaceOf(const toml::source_position& at) {
  return {at.line, at.column};
}

}  // namespace

struct ConfigFile::State {
  toml::table table;
  std::shared_ptr<SourceText> source;  // what the tables of one file share
  std::string name;                    // of the [[table]] this is; empty at the top
  std::map<std::string, std::vector<std::string>> asked;  // section -> keys
  std::vector<std::string> open_sections;                 // all their keys are taken
  std::vector<std::shared_ptr<State>> children;

  const toml::table* Section(absl::string_view section) const;
  // The value, or null. Remembers that the key is known.
  const toml::node* Ask(absl::string_view section, absl::string_view key);
  // Where a key stands; line 0 if it came from an override.
  static SourceText::Place KeyPlace(const toml::table& table, absl::string_view key);
  void WrongType(absl::string_view section, absl::string_view key, absl::string_view wanted);
  void RefuseUnknown();
  // The keys and sections that somebody asked for below a section.
  std::vector<std::string> KnownIn(const std::string& section);
  void RefuseUnknownIn(const toml::table& section_table, const std::string& section);
  void RefuseKey(const toml::key& key, const std::string& section, const std::string& nearest);
};

const toml::table* ConfigFile::State::Section(absl::string_view section) const {
  const toml::table* at = &table;
  for (absl::string_view part : absl::StrSplit(section, '.', absl::SkipEmpty())) {
    const toml::node* const node = at->get(std::string(part));
    at = node == nullptr ? nullptr : node->as_table();
    if (at == nullptr) {
      return nullptr;
    }
  }
  return at;
}

const toml::node* ConfigFile::State::Ask(absl::string_view section, absl::string_view key) {
  asked[std::string(section)].emplace_back(key);
  const toml::table* const found = Section(section);
  return found == nullptr ? nullptr : found->get(std::string(key));
}

SourceText::Place ConfigFile::State::KeyPlace(const toml::table& table, absl::string_view key) {
  for (const auto& [name, node] : table) {
    if (name.str() == std::string_view(key.data(), key.size())) {
      return PlaceOf(name.source().begin);
    }
  }
  return {};
}

void ConfigFile::State::WrongType(absl::string_view section, absl::string_view key,
                                  absl::string_view wanted) {
  const toml::table* const found = Section(section);
  const auto at = found == nullptr ? SourceText::Place() : KeyPlace(*found, key);
  const std::string message = absl::StrCat("\"", key, "\" must be ", wanted);
  source->Fail(at, key.size(), {.code = kKeyError, .message = message, .why = "", .fix = ""});
}

void ConfigFile::State::RefuseUnknown() {
  RefuseUnknownIn(table, "");
  for (const auto& child : children) {
    child->RefuseUnknown();
  }
}

std::vector<std::string> ConfigFile::State::KnownIn(const std::string& section) {
  std::vector<std::string> known = asked[section];
  const std::string prefix = section.empty() ? "" : absl::StrCat(section, ".");
  for (const auto& [name, keys] : asked) {
    if (name != section && absl::StartsWith(name, prefix)) {
      const absl::string_view rest = absl::string_view(name).substr(prefix.size());
      known.emplace_back(rest.substr(0, rest.find('.')));
    }
  }
  return known;
}

void ConfigFile::State::RefuseUnknownIn(const toml::table& section_table,
                                        const std::string& section) {
  const std::vector<std::string> known = KnownIn(section);
  for (const auto& [key, node] : section_table) {
    const std::string key_name(key.str());
    const std::string below = section.empty() ? key_name : absl::StrCat(section, ".", key_name);
    if (std::find(open_sections.begin(), open_sections.end(), below) != open_sections.end()) {
      continue;
    }
    if (std::find(known.begin(), known.end(), key_name) == known.end()) {
      RefuseKey(key, section, NearestName(key_name, known));
    } else if (asked.find(below) != asked.end() && node.is_table()) {
      RefuseUnknownIn(*node.as_table(), below);
    } else if (asked.find(below) != asked.end()) {
      WrongType(section, key_name, absl::StrCat("a section, written [", below, "]"));
    }
  }
}

void ConfigFile::State::RefuseKey(const toml::key& key, const std::string& section,
                                  const std::string& nearest) {
  const std::string fix = nearest.empty() ? "" : absl::StrCat("did you mean \"", nearest, "\"?");
  const std::string place = !section.empty() ? absl::StrCat(" in [", section, "]")
                            : !name.empty()  ? absl::StrCat(" in [[", name, "]]")
                                             : std::string();
  const std::string key_name(key.str());
  const std::string message = absl::StrCat("unknown key \"", key_name, "\"", place);
  source->Fail(PlaceOf(key.source().begin), key_name.size(),
               {.code = kKeyError, .message = message, .why = "", .fix = fix});
}

ConfigFile::ConfigFile(std::shared_ptr<State> state) : state_(std::move(state)) {}
ConfigFile::ConfigFile(ConfigFile&&) noexcept = default;
ConfigFile& ConfigFile::operator=(ConfigFile&&) noexcept = default;
ConfigFile::~ConfigFile() = default;

absl::StatusOr<ConfigFile> ConfigFile::Read(absl::string_view path) {
  const auto text = ReadSource(std::string(path));
  if (!text.has_value()) {
    const char* const why = errno == ENOENT   ? "no such file"
                            : errno == EACCES ? "permission denied"
                            : errno == EFBIG  ? "larger than 4 MiB"
                                              : "not a readable file";
    return MakeError(absl::StatusCode::kNotFound,
                     {.code = "B1201",
                      .message = absl::StrCat("cannot read the configuration ", path, ": ", why),
                      .why = "",
                      .fix = "check the path and who may read the file"});
  }
  return Parse(*text, path);
}

absl::StatusOr<ConfigFile> ConfigFile::Parse(absl::string_view text, absl::string_view path) {
  auto state = std::make_shared<State>();
  state->source = std::make_shared<SourceText>(path, text);
  toml::parse_result parsed = toml::parse(std::string_view(text.data(), text.size()));
  if (!parsed) {
    const std::string message(parsed.error().description());
    state->source->Fail(PlaceOf(parsed.error().source().begin), 1,
                        {.code = kSyntaxError, .message = message, .why = "", .fix = ""});
    return state->source->first_error();
  }
  state->table = std::move(parsed).table();
  return ConfigFile(std::move(state));
}

absl::Status ConfigFile::Override(absl::string_view assignment) {
  const size_t equals = assignment.find('=');
  if (equals == absl::string_view::npos || equals == 0) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.code = kKeyError,
                      .message = absl::StrCat("\"", assignment, "\" is not KEY=VALUE"),
                      .why = "",
                      .fix = "write --set KEY=VALUE or --set SECTION.KEY=VALUE"});
  }
  absl::string_view key = assignment.substr(0, equals);
  const std::string value(assignment.substr(equals + 1));
  toml::table* at = &state_->table;
  if (const size_t dot = key.find('.'); dot != absl::string_view::npos) {
    const std::string section(key.substr(0, dot));
    key.remove_prefix(dot + 1);
    at->insert(section, toml::table{});
    at = at->get(section)->as_table();
  }
  if (at == nullptr || key.empty()) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.code = kKeyError,
                      .message = absl::StrCat("\"", assignment, "\" names no section"),
                      .why = "",
                      .fix = ""});
  }
  toml::parse_result parsed = toml::parse("v = " + value);
  // What is no TOML value (30m, 127.0.0.1:0) is a bare string, and so are dates and times.
  toml::node* const node = parsed ? parsed.table().get("v") : nullptr;
  const bool plain = node != nullptr && (node->is_number() || node->is_boolean() ||
                                         node->is_array() || node->is_string());
  if (plain && parsed.table().size() == 1) {
    at->insert_or_assign(std::string(key), std::move(*node));
  } else {
    at->insert_or_assign(std::string(key), value);
  }
  return absl::OkStatus();
}

std::string ConfigFile::String(absl::string_view section, absl::string_view key,
                               absl::string_view fallback) {
  const toml::node* const node = state_->Ask(section, key);
  if (node == nullptr) {
    return std::string(fallback);
  }
  if (!node->is_string()) {
    state_->WrongType(section, key, "a string in quotes");
    return std::string(fallback);
  }
  return node->as_string()->get();
}

int64_t ConfigFile::Integer(absl::string_view section, absl::string_view key, int64_t fallback) {
  const toml::node* const node = state_->Ask(section, key);
  if (node == nullptr) {
    return fallback;
  }
  if (!node->is_integer()) {
    state_->WrongType(section, key, "a whole number");
    return fallback;
  }
  return node->as_integer()->get();
}

bool ConfigFile::Boolean(absl::string_view section, absl::string_view key, bool fallback) {
  const toml::node* const node = state_->Ask(section, key);
  if (node == nullptr) {
    return fallback;
  }
  if (!node->is_boolean()) {
    state_->WrongType(section, key, "true or false");
    return fallback;
  }
  return node->as_boolean()->get();
}

absl::Duration ConfigFile::Duration(absl::string_view section, absl::string_view key,
                                    absl::Duration fallback) {
  const toml::node* const node = state_->Ask(section, key);
  if (node == nullptr) {
    return fallback;
  }
  if (!node->is_string()) {
    state_->WrongType(section, key, "a time with its unit, in quotes, like \"30s\" or \"5m\"");
    return fallback;
  }
  const auto duration = ParseDuration(node->as_string()->get());
  if (!duration.ok()) {
    Fail(section, key, duration.status().message());
    return fallback;
  }
  return *duration;
}

std::vector<std::string> ConfigFile::Strings(absl::string_view section, absl::string_view key) {
  std::vector<std::string> values;
  const toml::node* const node = state_->Ask(section, key);
  if (node == nullptr) {
    return values;
  }
  if (!node->is_array()) {
    state_->WrongType(section, key, "a list, like [\"a\", \"b\"]");
    return values;
  }
  for (const toml::node& element : *node->as_array()) {
    if (element.is_string()) {
      values.push_back(element.as_string()->get());
    } else if (element.is_integer()) {
      values.push_back(absl::StrCat(element.as_integer()->get()));
    } else {
      state_->WrongType(section, key, "a list of strings or of whole numbers");
    }
  }
  return values;
}

std::vector<std::pair<std::string, std::string>> ConfigFile::Pairs(absl::string_view section) {
  std::vector<std::pair<std::string, std::string>> pairs;
  state_->open_sections.emplace_back(section);
  const toml::table* const found = state_->Section(section);
  if (found == nullptr) {
    if (Has("", section)) {
      state_->WrongType("", section, absl::StrCat("a section, written [", section, "]"));
    }
    return pairs;
  }
  for (const auto& [key, node] : *found) {
    const std::string name(key.str());
    if (node.is_string()) {
      pairs.emplace_back(name, node.as_string()->get());
    } else if (node.is_integer()) {
      pairs.emplace_back(name, absl::StrCat(node.as_integer()->get()));
    } else {
      state_->WrongType(section, name, "a string in quotes");
    }
  }
  return pairs;
}

std::vector<ConfigFile> ConfigFile::Tables(absl::string_view name) {
  std::vector<ConfigFile> tables;
  state_->open_sections.emplace_back(name);
  toml::node* const node = state_->table.get(std::string(name));
  if (node == nullptr) {
    return tables;
  }
  toml::array* const array = node->as_array();
  if (array == nullptr || !array->is_homogeneous(toml::node_type::table)) {
    state_->WrongType("", name, absl::StrCat("written as [[", name, "]] sections"));
    return tables;
  }
  for (toml::node& element : *array) {
    auto child = std::make_shared<State>();
    child->name = std::string(name);
    child->source = state_->source;
    // Moved, not copied: a copy loses the positions that errors name.
    child->table = std::move(*element.as_table());
    state_->children.push_back(child);
    tables.push_back(ConfigFile(std::move(child)));
  }
  return tables;
}

bool ConfigFile::Has(absl::string_view section, absl::string_view key) const {
  const toml::table* const found = state_->Section(section);
  return found != nullptr && found->contains(std::string(key));
}

void ConfigFile::Fail(absl::string_view section, absl::string_view key, absl::string_view message) {
  const toml::table* const found = state_->Section(section);
  const auto at = found == nullptr ? SourceText::Place() : State::KeyPlace(*found, key);
  const std::string named = absl::StrCat("\"", key, "\": ", message);
  state_->source->Fail(at, key.size(), {.code = kKeyError, .message = named, .why = "", .fix = ""});
}

absl::Status ConfigFile::Finish() {
  state_->RefuseUnknown();
  return state_->source->first_error();
}

}  // namespace berth
