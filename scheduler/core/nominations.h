#ifndef BERTH_SCHEDULER_CORE_NOMINATIONS_H_
#define BERTH_SCHEDULER_CORE_NOMINATIONS_H_

// The claims that have devices coming (quota.md, A6): each has its certificate, each either only
// waits or is stirred, and what the nodes keep is what the claims will take. A value, owned by the
// Cluster.

#include <map>
#include <set>
#include <vector>

#include "scheduler/core/free_index.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/reclaim_record.h"
#include "scheduler/core/waiting_claims.h"

namespace berth {

class Nominations {
 public:
  const std::map<JobId, Start>& claims() const { return claims_; }
  // Of the same claims: reclaims whose claim has neither started nor given up.
  const std::map<JobId, Reclaim>& reclaims() const { return reclaims_; }
  // Those with a node or a device that can't be used now.
  const std::set<JobId>& broken() const { return broken_; }
  const WaitingClaims& waiting() const { return waiting_; }

  // Has the nodes keep what the claim will take. Requires: its job has no other.
  void Add(const Start& claim, Reclaim certificate, FreeIndex& nodes);
  // Nothing is kept for it any more. Returns: its certificate. Requires: there is such a claim.
  Reclaim Remove(JobId claim, FreeIndex& nodes);
  // The node is as if nothing were kept on it: has it keep what claims will take there, and stirs
  // them. Returns: them.
  std::vector<JobId> KeepAgain(NodeId node, FreeIndex& nodes);
  // Requires: there is such a claim.
  void SetBroken(JobId claim, bool broken);
  // Something may have happened to the claim. Nothing if there is none.
  void Stir(JobId claim) { waiting_.Stir(claim); }
  // The same of the claims on a node whose devices others have given back.
  void StirThoseFor(const Allocation& released, const FreeIndex& nodes);
  // Requires: there is such a claim, and it is stirred.
  void List(JobId claim, const WaitingClaims::Waiting& waiting) { waiting_.List(claim, waiting); }

 private:
  friend class ClusterDamage;  // plants faults that the invariants must find

  std::map<JobId, Start> claims_;
  std::map<JobId, Reclaim> reclaims_;
  std::set<JobId> broken_;
  WaitingClaims waiting_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_NOMINATIONS_H_
