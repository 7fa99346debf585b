#include "scheduler/core/booking_progress.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "scheduler/core/job_progress.h"
#include "scheduler/core/utc_text.h"

namespace berth {
namespace {

// Each gets its grace before the window begins.
void StopOverlapping(const Step& step, const Booking& booking) {
  for (JobId id : OverlappingJobs(step.cluster, booking, step.now)) {
    const Job& job = step.cluster.GetJob(id);
    if (job.state == JobState::kStopping || step.now < booking.from - job.spec.grace) {
      continue;
    }
    StopJob(step, id,
            {.reason = EndReason::kPreempted,
             .message = absl::StrFormat(
                 "maintenance %d%s begins at %s", booking.id.value(),
                 booking.reason.empty() ? "" : absl::StrCat(" (", booking.reason, ")"),
                 UtcText(booking.from))},
            job.spec.grace, StopReason::kMaintenance);
  }
}

}  // namespace

void HandleBookings(const Step& step) {
  for (const auto& [id, booking] : step.cluster.bookings()) {
    if (!booking.ended && booking.kind == BookingKind::kMaintenance) {
      StopOverlapping(step, booking);
    }
  }
}

absl::Time LatestEnd(const Job& job, absl::Time now) {
  const absl::Time from =
      job.attempt.started_at > absl::InfinitePast() ? job.attempt.started_at : now;
  return std::max(from + job.spec.time_limit, now);
}

std::set<JobId> OverlappingJobs(const Cluster& cluster, const Booking& booking, absl::Time now) {
  std::set<JobId> jobs;
  for (NodeId node : booking.nodes) {
    for (AllocationId id : cluster.AllocationsOn(node)) {
      const Job& job = cluster.GetJob(cluster.GetAllocation(id).job);
      if (LatestEnd(job, now) > booking.from) {
        jobs.insert(job.id);
      }
    }
  }
  return jobs;
}

}  // namespace berth
