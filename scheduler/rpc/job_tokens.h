#ifndef BERTH_SCHEDULER_RPC_JOB_TOKENS_H_
#define BERTH_SCHEDULER_RPC_JOB_TOKENS_H_

// The tokens of jobs: each task of a job of many nodes has one, with which its processes enter the
// job's other tasks. None is kept: it follows from the scheduler's key and from what it is for, and
// is good while the task holds its node.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "common/credentials.h"
#include "scheduler/core/cluster.h"

namespace berth {

// What a task's token is for.
struct JobTokenHolder {
  JobId job;
  int attempt = 0;
  absl::Time since = absl::InfinitePast();  // the task holds its node
  TenantId tenant;
  UserId user;
};

// Safe from any thread.
class JobTokens {
 public:
  JobTokens(Secret key, std::string cluster_id)
      : key_(std::move(key)), cluster_id_(std::move(cluster_id)) {}

  // The whole token, for the task's agent.
  std::string Make(const Allocation& allocation) const;

  // From the loop's thread: who holds a token follows from the allocations that changed. Returns:
  // whether somebody lost one.
  bool Note(const std::vector<Allocation>& changed, const Cluster& cluster)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Nothing: it is no token of a task that holds its node.
  std::optional<JobTokenHolder> Find(const BearerToken& presented) const ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<JobTokenHolder> Find(absl::string_view token_id) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  BearerToken Derive(absl::string_view token_id, const JobTokenHolder& holder) const;

  const Secret key_;
  const std::string cluster_id_;
  mutable absl::Mutex mu_;
  std::map<std::string, JobTokenHolder> holders_ ABSL_GUARDED_BY(mu_);  // by token id
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_JOB_TOKENS_H_
