#include "scheduler/rpc/explanation.h"

#include <algorithm>

#include "absl/time/time.h"

#include "common/status_macros.h"
#include "scheduler/convert.h"
#include "scheduler/core/explain.h"

namespace berth {
namespace {

double DeviceHoursMost(const JobSpec& spec) {
  constexpr double kMilli = 1000;
  const int share = spec.gang.device_share_milli;
  const double devices = share > 0 ? share / kMilli : static_cast<double>(spec.gang.devices());
  return devices * std::max(spec.array.count, 1) * absl::ToDoubleHours(spec.time_limit);
}

}  // namespace

void ExplainLiveJob(const CenterFork& fork, const Actor& actor, JobId job, v1::Explanation* out) {
  FillExplanation(Explain(*fork.cluster, fork.policy, job, fork.now), actor, *fork.cluster, *out);
}

absl::Status ExplainChangedJob(const CenterFork& fork, const Actor& actor, const UpdateJob& change,
                               v1::Explanation* out) {
  ASSIGN_OR_RETURN(
      const Explanation explanation,
      ExplainChange(*fork.cluster, fork.policy, {.actor = actor, .request = change}, fork.now));
  FillExplanation(explanation, actor, *fork.cluster, *out);
  return absl::OkStatus();
}

absl::Status PlanSubmission(const CenterFork& fork, const Actor& actor, const SubmitJob& submit,
                            v1::Explanation* out) {
  ASSIGN_OR_RETURN(
      const SubmissionPlan plan,
      ExplainSubmission(*fork.cluster, fork.policy, {.actor = actor, .request = submit}, fork.now));
  FillExplanation(plan.explanation, actor, *fork.cluster, *out);
  out->mutable_submission_notes()->Assign(plan.notes.begin(), plan.notes.end());
  Job job;
  job.spec = plan.spec;
  const v1::Job message =
      ToProto(JobRecord{.job = job, .allocations = {}, .reason = {}}, *fork.cluster);
  *out->mutable_gang() = message.gang();
  out->set_tenant(message.tenant());
  out->set_project(message.project());
  out->set_device_hours_most(DeviceHoursMost(plan.spec));
  return absl::OkStatus();
}

}  // namespace berth
