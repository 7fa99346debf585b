#ifndef BERTH_SCHEDULER_RPC_EXPLANATION_H_
#define BERTH_SCHEDULER_RPC_EXPLANATION_H_

// Why a job waits, or what would become of one that is not submitted: worked out on a copy of the
// cluster, away from the loop.

#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "proto/client_api.pb.h"
#include "scheduler/core/cluster.h"
#include "scheduler/core/event.h"
#include "scheduler/core/policy.h"

namespace berth {

// The center as of one turn.
struct CenterFork {
  std::shared_ptr<const Cluster> cluster;
  Policy policy;
  absl::Time now;
};

// Of a live job. Requires: the actor may see it.
void ExplainLiveJob(const CenterFork& fork, const Actor& actor, JobId job, v1::Explanation* out);

// Of a live job that the actor may see, after a change. Errors: those that the change would give.
absl::Status ExplainChangedJob(const CenterFork& fork, const Actor& actor, const UpdateJob& change,
                               v1::Explanation* out);

// Of a submission. Errors: those that submitting it would give.
absl::Status PlanSubmission(const CenterFork& fork, const Actor& actor, const SubmitJob& submit,
                            v1::Explanation* out);

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_EXPLANATION_H_
