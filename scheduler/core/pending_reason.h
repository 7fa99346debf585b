#ifndef BERTH_SCHEDULER_CORE_PENDING_REASON_H_
#define BERTH_SCHEDULER_CORE_PENDING_REASON_H_

// The closed list of reasons why a job has not started, each with its stable code and its numbers.

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "scheduler/core/ids.h"

namespace berth {

// In the order in which explanations list them (ux.md 2.11): held and policy, entitlement,
// topology, capacity, order.
enum class ReasonCode {
  kNone,
  kHeld,             // B3601
  kBackOff,          // B3602
  kDependency,       // B3603: waits for other jobs
  kBeginTime,        // B3604
  kArrayThrottle,    // B3605: as many tasks of the array as allowed are live
  kTenantSuspended,  // B2201
  kTenantLimit,      // B2101: A1
  kProjectLimit,     // B2102: A1 at the project
  kNonPreemptible,   // B2303: A2
  kBorrowing,        // B2301: does not fit the entitlement and may not borrow
  kNonLendable,      // B2302: A4, the free devices are kept for their owners
  kBlocksOwed,       // B2304: A4, T1: would break a block that is owed to its owner
  kShortfall,        // B2305: less capacity than entitlements; each claim gets a share
  kNoNodes,          // B3301: too few usable nodes of the class, label and exclusion
  kBooked,           // B3401: nodes are promised away before the job would end
  kTopology,         // B3202: free, but not close enough together
  kFragmentation,    // B3201: enough devices, not enough whole places
  kHostResources,    // B3102: cores or memory
  kDevicesBusy,      // B3101
  kRecalling,        // B3503: devices are being given back for it
  kBehindAnchor,     // B3501: would delay a job that nothing may delay
  kQueueHead,        // B3502: the tenant's queue lets nothing pass its head
  kBeingEvaluated,   // B3500
  kPreparing,        // B4101: members are being prepared
  kStopping,         // B4102
  kNodeSilent,       // B5101
};

// A reason with its numbers; what they mean depends on the code (cluster_reasons.cc has the
// sentences). Small: every pending group keeps one.
struct Blocker {
  ReasonCode code = ReasonCode::kNone;
  ClassId device_class;
  int64_t asked = 0;
  int64_t have = 0;
  int64_t bound = 0;
  int64_t other = 0;
  JobId job;                                // the one in the way
  absl::Time until = absl::InfinitePast();  // when it ends, where that is known

  friend bool operator==(const Blocker&, const Blocker&) = default;
};

struct PendingReason {
  ReasonCode code = ReasonCode::kNone;
  std::string message;  // a sentence with the numbers
};

absl::string_view Code(ReasonCode code);  // "B3101"
absl::string_view Name(ReasonCode code);  // "devices-busy"

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_PENDING_REASON_H_
