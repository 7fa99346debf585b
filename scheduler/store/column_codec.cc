#include "scheduler/store/column_codec.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace berth {
namespace {

// "\\" is a backslash, "\n" a line break, "\e" an equals sign in a key.
void AppendEscaped(std::string& column, absl::string_view text, bool is_key) {
  for (const char c : text) {
    if (c == '\\') {
      column += "\\\\";
    } else if (c == '\n') {
      column += "\\n";
    } else if (c == '=' && is_key) {
      column += "\\e";
    } else {
      column += c;
    }
  }
}

std::string Unescape(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    ++i;
    if (text[i] == 'n') {
      out += '\n';
    } else if (text[i] == 'e') {
      out += '=';
    } else {
      out += text[i];
    }
  }
  return out;
}

// Every item ends with a line break, so that an empty item differs from no item.
std::vector<absl::string_view> SplitLines(absl::string_view column) {
  std::vector<absl::string_view> lines;
  while (!column.empty()) {
    const size_t end = column.find('\n');
    lines.push_back(column.substr(0, end));
    column.remove_prefix(end == absl::string_view::npos ? column.size() : end + 1);
  }
  return lines;
}

}  // namespace

std::string EncodeLines(const std::vector<std::string>& items) {
  std::string column;
  for (const std::string& item : items) {
    AppendEscaped(column, item, /*is_key=*/false);
    column += '\n';
  }
  return column;
}

std::vector<std::string> DecodeLines(absl::string_view column) {
  std::vector<std::string> items;
  for (const absl::string_view line : SplitLines(column)) {
    items.push_back(Unescape(line));
  }
  return items;
}

std::string EncodePairs(const std::map<std::string, std::string>& pairs) {
  std::string column;
  for (const auto& [key, value] : pairs) {
    AppendEscaped(column, key, /*is_key=*/true);
    column += '=';
    AppendEscaped(column, value, /*is_key=*/false);
    column += '\n';
  }
  return column;
}

std::map<std::string, std::string> DecodePairs(absl::string_view column) {
  std::map<std::string, std::string> pairs;
  for (const absl::string_view line : SplitLines(column)) {
    const size_t middle = line.find('=');
    if (middle != absl::string_view::npos) {
      pairs[Unescape(line.substr(0, middle))] = Unescape(line.substr(middle + 1));
    }
  }
  return pairs;
}

std::string EncodeInts(const std::vector<int>& values) {
  return absl::StrJoin(values, ",");
}

std::vector<int> DecodeInts(absl::string_view column) {
  std::vector<int> values;
  for (const absl::string_view item : absl::StrSplit(column, ',', absl::SkipEmpty())) {
    int value = 0;
    if (absl::SimpleAtoi(item, &value)) {
      values.push_back(value);
    }
  }
  return values;
}

}  // namespace berth
