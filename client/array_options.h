#ifndef BERTH_CLIENT_ARRAY_OPTIONS_H_
#define BERTH_CLIENT_ARRAY_OPTIONS_H_

// --array, --matrix and --max-fails: which tasks a job has, what each is given, and how many may
// fail.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "client/option.h"
#include "proto/job.pb.h"

namespace berth {

// Puts the array and its parameters into the specification, as far as they are given. A parameter
// takes the place of the job's of that name.
absl::Status ReadArray(const Arguments& arguments, v1::JobSpec& spec);

// The ranges between commas, which ascend: "1,3,5-7", "0-98:2". An error says what the text is or
// does: "is no range of indexes".
absl::StatusOr<std::vector<v1::IndexRange>> ParseRanges(const std::string& text);

// The indexes of an array: of one range, or of several.
std::vector<v1::IndexRange> RangesOf(const v1::ArraySpec& array);
// Requires: one range or more, ascending.
void SetRanges(const std::vector<v1::IndexRange>& ranges, v1::ArraySpec& array);
// 0: it is none.
int64_t CountTasks(const v1::ArraySpec& array);

}  // namespace berth

#endif  // BERTH_CLIENT_ARRAY_OPTIONS_H_
