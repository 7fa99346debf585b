#ifndef BERTH_SCHEDULER_CORE_BOOKING_REQUESTS_H_
#define BERTH_SCHEDULER_CORE_BOOKING_REQUESTS_H_

// Promising nodes away, for maintenance or to one tenant, and taking that back. Operators only;
// refused requests change nothing.

#include "absl/status/statusor.h"

#include "scheduler/core/event.h"
#include "scheduler/core/step.h"

namespace berth {

// Outcome.notes tell the effect, Outcome.jobs the jobs that may still run when it begins.
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const AddBooking& request);
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const EndBooking& request);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_BOOKING_REQUESTS_H_
