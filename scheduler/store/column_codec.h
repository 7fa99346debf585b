#ifndef BERTH_SCHEDULER_STORE_COLUMN_CODEC_H_
#define BERTH_SCHEDULER_STORE_COLUMN_CODEC_H_

// Lists and maps in one text column, readable with sqlite3: one line for each item, "key=value" in
// maps. A backslash escapes what would be read as something else. An empty list is "".

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "scheduler/core/ids.h"

namespace berth {

std::string EncodeLines(const std::vector<std::string>& items);
std::vector<std::string> DecodeLines(absl::string_view column);

std::string EncodePairs(const std::map<std::string, std::string>& pairs);
std::map<std::string, std::string> DecodePairs(absl::string_view column);

// "1,2"; "" for none. What is not a number is left out.
std::string EncodeInts(const std::vector<int>& values);
std::vector<int> DecodeInts(absl::string_view column);
std::string EncodeClasses(const std::vector<ClassId>& classes);
std::vector<ClassId> DecodeClasses(absl::string_view column);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_COLUMN_CODEC_H_
