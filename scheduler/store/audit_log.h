#ifndef BERTH_SCHEDULER_STORE_AUDIT_LOG_H_
#define BERTH_SCHEDULER_STORE_AUDIT_LOG_H_

// The audit table's hash chain: every row carries SHA-256(hash of the row before + its own fields).
// The head is kept in `meta` too, so that cutting off the newest rows shows.

#include <cstdint>
#include <string>

#include "absl/status/status.h"

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

// Walks the chain from `start` and compares its end with `head`; names the first bad row.
absl::Status VerifyAuditChain(Database& database, AuditHead start, const AuditHead& head);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_AUDIT_LOG_H_
