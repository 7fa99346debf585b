#include "scheduler/rpc/explanation.h"

#include "common/status_macros.h"
#include "scheduler/convert.h"
#include "scheduler/core/explain.h"

namespace berth {

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
  return absl::OkStatus();
}

}  // namespace berth
