#include "scheduler/core/backfill.h"

#include <algorithm>
#include <map>

namespace berth {
namespace {

// What becomes free at one moment: by a job that runs, or by one that this round starts.
struct Ending {
  std::vector<JobId> jobs;
  std::vector<const RoundStart*> starts;
};

absl::Time EndOf(const Job& job, absl::Time now) {
  if (job.state == JobState::kStopping) {
    return now;
  }
  const absl::Time start = std::max(job.attempt.started_at, job.attempt.created_at);
  return std::max(start + job.spec.time_limit, now);
}

Allocation AsAllocation(const GangShape& gang, ClassId device_class, const Placement& member) {
  Allocation allocation;
  allocation.node = member.node;
  allocation.device_class = device_class;
  allocation.devices = member.devices;
  allocation.host = gang.per_node;
  return allocation;
}

// By time. The end of a booking opens nodes without freeing anything.
std::map<absl::Time, Ending> ListEndings(const Cluster& cluster, const PlaceRequest& request,
                                         const std::vector<RoundStart>& round_starts) {
  std::map<absl::Time, Ending> endings;
  for (JobId id : cluster.HoldersOf(request.device_class)) {
    endings[EndOf(cluster.GetJob(id), request.start)].jobs.push_back(id);
  }
  for (const RoundStart& start : round_starts) {
    if (start.device_class == request.device_class) {
      endings[start.end].starts.push_back(&start);
    }
  }
  for (const auto& [id, booking] : cluster.bookings()) {
    if (!booking.ended && booking.to > request.start) {
      endings[booking.to];
    }
  }
  return endings;
}

void Give(const Cluster& cluster, const Ending& ending, FreeView& view) {
  for (JobId id : ending.jobs) {
    for (AllocationId allocation : cluster.GetJob(id).allocations) {
      if (cluster.GetAllocation(allocation).state != AllocationState::kReleased) {
        view.Give(cluster.GetAllocation(allocation));
      }
    }
  }
  for (const RoundStart* start : ending.starts) {
    for (const Placement& member : start->members) {
      view.Give(AsAllocation(start->gang, start->device_class, member));
    }
  }
}

}  // namespace

std::optional<Guard> Guard::Make(const Cluster& cluster, const FreeView& view, JobId job,
                                 const PlaceRequest& request,
                                 const std::vector<RoundStart>& round_starts) {
  const absl::Duration limit = request.end - request.start;
  FreeView then = view;
  for (const auto& [time, ending] : ListEndings(cluster, request, round_starts)) {
    Give(cluster, ending, then);
    PlaceRequest later = request;
    later.start = time;
    later.end = time + limit;
    if (!then.CanPlace(later)) {
      continue;
    }
    Blocker ignored;
    Anchor anchor{job, request.device_class, time, *then.Place(later, ignored)};
    return Guard(std::move(anchor), later, std::move(then));
  }
  return std::nullopt;
}

bool Guard::TryTake(const PlaceRequest& request, const std::vector<Placement>& members,
                    absl::Time end) {
  if (end <= anchor_.shadow || request.device_class != anchor_.device_class) {
    return true;
  }
  at_shadow_.Take(request, members);
  if (at_shadow_.CanPlace(request_)) {
    return true;
  }
  for (const Placement& member : members) {
    at_shadow_.Give(AsAllocation(request.gang, request.device_class, member));
  }
  return false;
}

void Guard::Take(const PlaceRequest& request, const std::vector<Placement>& members,
                 absl::Time end) {
  if (end > anchor_.shadow && request.device_class == anchor_.device_class) {
    at_shadow_.Take(request, members);
  }
}

}  // namespace berth
