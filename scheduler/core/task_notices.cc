#include "scheduler/core/task_notices.h"

#include <algorithm>
#include <utility>

namespace berth {
namespace {

// The age of the same notice, told again, comes out so much otherwise at most.
constexpr absl::Duration kAgesDiffer = absl::Seconds(2);

// By the scheduler's clock: a node's may be wrong, an age is not.
absl::Time MomentOf(const Step& step, const Job& job, absl::Duration age) {
  return std::clamp(step.now - age, std::min(job.attempt.created_at, step.now), step.now);
}

}  // namespace

void TakeNotice(const Step& step, const Allocation& member, const TaskNotice& notice) {
  const Job& job = step.cluster.GetJob(member.job);
  if (notice.count == 0 || notice.attempt != member.attempt ||
      job.attempt.number != member.attempt || member.state == AllocationState::kReleased) {
    return;
  }
  JobNotice told = job.attempt.notice == nullptr ? JobNotice() : *job.attempt.notice;
  if (told.from == member.id && told.count == notice.count) {
    return;
  }
  const absl::Time checkpoint_at = MomentOf(step, job, notice.checkpoint_age);
  const absl::Duration same_for =
      notice.checkpoint == told.checkpoint ? kAgesDiffer : absl::ZeroDuration();
  const bool is_newer =
      !notice.checkpoint.empty() && checkpoint_at > job.attempt.checkpoint_at + same_for;
  const absl::Time at = MomentOf(step, job, notice.age);
  const bool says_other =
      (!notice.text.empty() && notice.text != told.text) ||
      (notice.progress_milli.has_value() && notice.progress_milli != told.progress_milli);
  const bool is_later =
      at > told.at + (says_other || is_newer ? absl::ZeroDuration() : kAgesDiffer);
  if (!is_newer && !is_later) {
    return;
  }
  if (is_newer) {
    told.checkpoint = notice.checkpoint;
    step.cluster.SetCheckpoint(job.id, checkpoint_at);
  }
  if (is_later) {
    told.at = at;
    told.text = notice.text.empty() ? std::move(told.text) : notice.text;
    told.progress_milli =
        notice.progress_milli.has_value() ? notice.progress_milli : told.progress_milli;
  }
  told.from = member.id;
  told.count = notice.count;
  step.cluster.SetNotice(job.id, std::move(told));
}

void HandleNotices(const Step& step, const AgentNotices& notices) {
  const Node* node = step.cluster.FindNode(notices.node);
  if (node == nullptr || node->session != notices.session) {
    return;
  }
  for (const TaskNotice& notice : notices.notices) {
    const Allocation* member = step.cluster.FindAllocation(notice.allocation);
    if (member != nullptr && member->node == notices.node) {
      TakeNotice(step, *member, notice);
    }
  }
}

}  // namespace berth
