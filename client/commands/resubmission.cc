#include "client/commands/resubmission.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "client/array_options.h"
#include "client/views.h"
#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {
namespace {

// The ranges of these tasks, those that follow each other in one.
std::vector<v1::IndexRange> FoldIndexes(const std::vector<int32_t>& indexes) {
  std::vector<v1::IndexRange> ranges;
  for (const int32_t index : indexes) {
    if (!ranges.empty() && index == ranges.back().first() + ranges.back().count()) {
      ranges.back().set_count(ranges.back().count() + 1);
      continue;
    }
    v1::IndexRange& range = ranges.emplace_back();
    range.set_first(index);
    range.set_count(1);
    range.set_step(1);
  }
  return ranges;
}

// An operator sees the variables of others without their values.
absl::Status CheckWhole(const v1::Job& job, const v1::JobSpec& spec) {
  const bool redacted =
      std::any_of(spec.environment().begin(), spec.environment().end(),
                  [](const auto& variable) { return variable.second == "(redacted)"; });
  return !redacted ? absl::OkStatus()
                   : MakeError(absl::StatusCode::kPermissionDenied,
                               {.code = "B7203",
                                .message = absl::StrCat("job ", JobIdText(job),
                                                        " has variables whose values are not told"),
                                .why = "they are its user's",
                                .fix = "ask its owner or the tenant's admin to submit it again"});
}

// What `berth update` has changed since it was submitted stays so.
void TakeChanges(const v1::Job& job, v1::JobSpec& spec) {
  spec.set_name(job.name());
  spec.set_project(job.project());
  *spec.mutable_gang() = job.gang();
  spec.set_time_limit_ms(job.time_limit_ms());
  spec.set_priority(job.priority());
  spec.set_no_borrow(job.no_borrow());
}

}  // namespace

void SelectTasks(const std::vector<int32_t>& indexes, v1::JobSpec& spec) {
  v1::ArraySpec array;
  array.set_concurrent_max(spec.array().concurrent_max());
  array.set_fails_max(spec.array().fails_max());
  SetRanges(FoldIndexes(indexes), array);
  *spec.mutable_array() = array;
}

absl::StatusOr<v1::JobSpec> SpecOfKnown(const v1::GetJobResponse& known) {
  const v1::Job& job = known.job();
  RETURN_IF_ERROR(CheckWhole(job, known.spec()));
  v1::JobSpec spec = known.spec();
  TakeChanges(job, spec);
  if (job.array_id() != 0) {
    SelectTasks({job.array_index()}, spec);
  }
  return spec;
}

}  // namespace berth
