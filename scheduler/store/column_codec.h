#ifndef BERTH_SCHEDULER_STORE_COLUMN_CODEC_H_
#define BERTH_SCHEDULER_STORE_COLUMN_CODEC_H_

// Lists and maps in one text column, readable with sqlite3: one line for each item, "key=value" in
// maps. A backslash escapes what would be read as something else. An empty list is "".

#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace berth {

std::string EncodeLines(const std::vector<std::string>& items);
std::vector<std::string> DecodeLines(absl::string_view column);

std::string EncodePairs(const std::map<std::string, std::string>& pairs);
std::map<std::string, std::string> DecodePairs(absl::string_view column);

// "1,2"; "" for none. What is not a number is left out.
std::string EncodeInts(const std::vector<int>& values);
std::vector<int> DecodeInts(absl::string_view column);

// The same for any of core's ids.
template <typename Id>
std::string EncodeIds(const std::vector<Id>& ids) {
  return absl::StrJoin(ids, ",", [](std::string* out, Id id) { absl::StrAppend(out, id.value()); });
}
template <typename Id>
std::vector<Id> DecodeIds(absl::string_view column) {
  std::vector<Id> ids;
  for (const absl::string_view item : absl::StrSplit(column, ',', absl::SkipEmpty())) {
    typename Id::value_type value = 0;
    if (absl::SimpleAtoi(item, &value)) {
      ids.emplace_back(value);
    }
  }
  return ids;
}

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_COLUMN_CODEC_H_
