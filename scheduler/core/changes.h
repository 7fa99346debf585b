#ifndef BERTH_SCHEDULER_CORE_CHANGES_H_
#define BERTH_SCHEDULER_CORE_CHANGES_H_

// Everything that became different since the last TakeChanges(): one value per noun, however often
// it changed. The store writes it in one transaction.

#include <string>
#include <vector>

#include "scheduler/core/allocation.h"
#include "scheduler/core/booking.h"
#include "scheduler/core/identity.h"
#include "scheduler/core/job.h"
#include "scheduler/core/node.h"
#include "scheduler/core/quota_tree.h"
#include "scheduler/core/reclaim_record.h"

namespace berth {

struct DeviceClass {
  ClassId id;
  std::string name;
};

// An attempt that is over although its job goes on (a requeue).
struct EndedAttempt {
  JobId job;
  Attempt attempt;
};

// A quota edit whose time came and that was not possible any more.
struct DroppedQuotaEdit {
  QuotaEdit edit;
  std::string why;
};

struct Changes {
  std::vector<DeviceClass> classes;
  std::vector<Tenant> tenants;
  std::vector<Project> projects;
  std::vector<QuotaRecord> quotas;
  std::vector<User> users;
  std::vector<Token> tokens;
  std::vector<Node> nodes;
  std::vector<Job> jobs;  // in a terminal state: its last change ever
  std::vector<EndedAttempt> attempts;
  std::vector<Allocation> allocations;  // released: its last change ever
  std::vector<Booking> bookings;        // ended: its last change ever
  std::vector<Reclaim> reclaims;        // settled: its last change ever
  // All that are still to come, when `quota_edits_changed`.
  std::vector<QuotaEdit> quota_edits;
  bool quota_edits_changed = false;
  std::vector<DroppedQuotaEdit> dropped_quota_edits;  // for the audit log

  bool empty() const {
    return classes.empty() && tenants.empty() && projects.empty() && quotas.empty() &&
           users.empty() && tokens.empty() && nodes.empty() && jobs.empty() && attempts.empty() &&
           allocations.empty() && bookings.empty() && reclaims.empty() && !quota_edits_changed;
  }
};

// What a restart begins with: every live noun, and the highest identifiers ever given out.
struct StoredState {
  Changes nouns;  // jobs and allocations that are not over
  JobId last_job;
  AllocationId last_allocation;
  // The highest that the last restored backup knew; none: nothing was ever restored.
  AllocationId restored_allocation;
  BookingId last_booking;
  ReclaimId last_reclaim;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_CHANGES_H_
