#ifndef BERTH_SCHEDULER_CORE_WAITING_CLAIMS_H_
#define BERTH_SCHEDULER_CORE_WAITING_CLAIMS_H_

// Which nominations have nothing to do but wait, so that a round need not look at each. A value,
// owned by the Cluster.

#include <map>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

#include "scheduler/core/quota_tree.h"

namespace berth {

class WaitingClaims {
 public:
  struct Waiting {
    absl::Time due;  // of its reclaim
    QuotaKey key;
    QuotaUse use;  // when it has started
  };

  // A round has nothing to decide about them before they are given up: they wait for nothing but
  // devices that others hold, and whom they asked of their own tenant has ended.
  const absl::flat_hash_map<JobId, Waiting>& waiting() const { return waiting_; }
  // When the first of them is due; InfiniteFuture: there are none.
  absl::Time first_due() const;
  // The sums of what they will take.
  const std::map<QuotaKey, QuotaUse>& uses() const { return uses_; }
  // All other nominations, and those to which something may have happened since they were listed.
  const std::set<JobId>& stirred() const { return stirred_; }

  // A new one is stirred.
  void Add(JobId claim) { stirred_.insert(claim); }
  void Drop(JobId claim) {
    Stir(claim);
    stirred_.erase(claim);
  }
  // Nothing if the job has no nomination.
  void Stir(JobId claim);
  // It only waits. Requires: it is stirred.
  void List(JobId claim, const Waiting& waiting);

 private:
  absl::flat_hash_map<JobId, Waiting> waiting_;
  std::map<QuotaKey, QuotaUse> uses_;
  std::set<JobId> stirred_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_WAITING_CLAIMS_H_
