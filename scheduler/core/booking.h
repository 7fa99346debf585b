#ifndef BERTH_SCHEDULER_CORE_BOOKING_H_
#define BERTH_SCHEDULER_CORE_BOOKING_H_

// Nodes that are promised away for a span of time: to maintenance, or to one tenant. The planner
// starts nothing there that might overlap and is not meant to.

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "scheduler/core/ids.h"

namespace berth {

enum class BookingKind { kMaintenance, kReservation };

struct Booking {
  BookingId id;
  BookingKind kind = BookingKind::kMaintenance;
  TenantId tenant;            // whose jobs may run there; none: nobody's
  std::vector<NodeId> nodes;  // ascending
  absl::Time from = absl::InfinitePast();
  absl::Time to = absl::InfinitePast();  // exclusive
  std::string reason;
  UserId by;
  bool ended = false;  // cancelled, or over: it closes nothing any more

  // Whether a job of `tenant` that may hold devices in [start, end) must stay away.
  bool Excludes(TenantId job_tenant, absl::Time start, absl::Time end) const {
    return !ended && start < to && end > from && !(tenant && tenant == job_tenant);
  }
};

absl::string_view Name(BookingKind kind);
std::optional<BookingKind> FindBookingKind(absl::string_view name);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_BOOKING_H_
