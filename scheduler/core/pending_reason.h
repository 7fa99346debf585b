#ifndef BERTH_SCHEDULER_CORE_PENDING_REASON_H_
#define BERTH_SCHEDULER_CORE_PENDING_REASON_H_

// The closed list of reasons why a job has not started, each with its stable code and its numbers.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace berth {

enum class ReasonCode {
  kNone,
  kBeingEvaluated,   // B3500
  kHeld,             // B3601
  kBackOff,          // B3602
  kTenantSuspended,  // B2201
  kTenantLimit,      // B2101
  kProjectLimit,     // B2102
  kBorrowing,        // B2301: does not fit the entitlement and may not borrow
  kNonLendable,      // B2302: the free devices are kept for their owners
  kNoNodes,          // B3301: no usable node of the class, label and exclusion
  kDevicesBusy,      // B3101
  kFragmentation,    // B3201: enough devices, not enough whole places
  kHostResources,    // B3102
  kPreparing,        // B4101: members are being prepared
  kStopping,         // B4102
  kNodeSilent,       // B5101
};

struct PendingReason {
  ReasonCode code = ReasonCode::kNone;
  std::string message;  // a sentence with the numbers
};

absl::string_view Code(ReasonCode code);  // "B3101"
absl::string_view Name(ReasonCode code);  // "devices-busy"

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_PENDING_REASON_H_
