#ifndef BERTH_SCHEDULER_CORE_BOOKING_PROGRESS_H_
#define BERTH_SCHEDULER_CORE_BOOKING_PROGRESS_H_

// What bookings do to jobs as time goes: maintenance stops them in time. (Its nodes are closed and
// opened by Cluster::WakeJobs.)

#include <set>

#include "scheduler/core/booking.h"
#include "scheduler/core/step.h"

namespace berth {

void HandleBookings(const Step& step);

// When an active job has ended at the latest, by its time limit.
absl::Time LatestEnd(const Job& job, absl::Time now);
// Jobs that hold something on a node of the booking and may still do so when it begins.
std::set<JobId> OverlappingJobs(const Cluster& cluster, const Booking& booking, absl::Time now);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_BOOKING_PROGRESS_H_
