#ifndef BERTH_SCHEDULER_CORE_RECLAIM_RECORD_H_
#define BERTH_SCHEDULER_CORE_RECLAIM_RECORD_H_

// The certificate of a reclaim: who claimed what, who could be asked to give it back, who was, and
// the numbers of quota.md R1 to R5. Whoever lost a job can check it.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"

#include "scheduler/core/ids.h"

namespace berth {

// A gang that may be asked to give devices back.
struct ReclaimCandidate {
  JobId job;
  int attempt = 0;
  TenantId tenant;
  int64_t devices = 0;  // that it would give back: all, or its members above min_nodes
  int members = 0;      // that it would give back
  bool shrink = false;  // it goes on with the others
  bool chosen = false;
  // R3: the order of asking.
  int64_t tenant_excess = 0;  // (U - E)+ of its tenant
  int64_t tenant_weight = 1;  // max(w, 1)
  int priority = 0;
  absl::Duration lost_work;  // since the last checkpoint it told of, or its start
  absl::Time started_at = absl::InfinitePast();
  absl::Duration notice;  // its grace
};

struct Reclaim {
  static constexpr size_t kCandidatesMax = 256;

  ReclaimId id;
  absl::Time at = absl::InfinitePast();
  JobId claim;
  TenantId tenant;
  ClassId device_class;
  bool within_tenant = false;  // a higher priority of the same tenant, not an owned claim
  int nodes = 0;               // the shape that is claimed
  int devices_per_node = 0;
  int64_t entitlement = 0;  // R1: used + asked <= entitlement
  int64_t used = 0;
  int64_t free_devices = 0;         // of the class, free or coming without being asked
  int64_t lost_device_seconds = 0;  // R4: of the chosen
  // Those that were asked, in the order of R3 and at most `kCandidatesMax`, and all that gave back.
  std::vector<ReclaimCandidate> candidates;
  int64_t candidate_count = 0;            // gangs that could have been asked
  absl::Time due = absl::InfinitePast();  // R5: when all chosen ones must be gone
  // When the claim had its devices; InfinitePast while it waits, InfiniteFuture when it gave up.
  absl::Time settled_at = absl::InfinitePast();
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_RECLAIM_RECORD_H_
