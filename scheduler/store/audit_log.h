#ifndef BERTH_SCHEDULER_STORE_AUDIT_LOG_H_
#define BERTH_SCHEDULER_STORE_AUDIT_LOG_H_

// The audit table's hash chain: every row carries SHA-256(hash of the row before + its own fields).
// The head is copied to `meta` now and then, so that cutting off the newest rows shows.

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "scheduler/store/database.h"
#include "scheduler/store/store.h"

namespace berth {

// The newest row. `hash` of the empty chain depends on the cluster alone.
struct AuditHead {
  int64_t seq = 0;
  std::string hash;
};

// Before the first row. Chains of different clusters cannot be spliced.
AuditHead EmptyAuditChain(const std::string& cluster_id);

// Appends a row and moves `head` to it.
absl::Status AppendAudit(Database& database, const AuditEntry& entry, AuditHead& head);

// The newest row that is in the table; `start` if there is none.
absl::StatusOr<AuditHead> FindAuditHead(Database& database, const AuditHead& start);

// What the walk along the chain must pass.
struct AuditMilestones {
  AuditHead start;
  AuditHead recorded;  // the head as `meta` holds it; none: seq is 0
  AuditHead head;      // the newest row written
};

// The start of a walk along the newest `rows` rows only. DataLoss if that row is missing.
absl::StatusOr<AuditHead> FindAuditStart(Database& database, const AuditMilestones& milestones,
                                         int64_t rows);

// Walks the chain from behind its start and names the first bad row.
absl::Status VerifyAuditChain(Database& database, const AuditMilestones& milestones);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_AUDIT_LOG_H_
