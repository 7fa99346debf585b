#include "scheduler/core/backfill.h"

#include <algorithm>
#include <map>

namespace berth {
namespace {

// What becomes free at one moment: by a job that runs, by one that this round starts, or by one
// that has its devices coming.
struct Ending {
  std::vector<JobId> jobs;
  std::vector<const RoundStart*> starts;
  std::vector<const Start*> claims;
};
using Endings = std::map<absl::Time, Ending>;

absl::Time EndOf(const Outlook& outlook, const Job& job, absl::Time now) {
  if (job.state == JobState::kStopping) {
    return now;
  }
  const absl::Time start = std::max(job.attempt.started_at, job.attempt.created_at);
  const absl::Time end = std::max(start + job.spec.time_limit, now);
  const bool lent = outlook.recalls_borrowed && job.spec.preemptible &&
                    job.attempt.funding == Funding::kBorrowed && job.state != JobState::kWaitNode;
  if (!lent) {
    return end;
  }
  const absl::Time asked = std::max(job.attempt.created_at + outlook.policy.reclaim_min_run, now);
  return std::min(end, asked + job.spec.grace + outlook.policy.kill_timeout);
}

Allocation AsAllocation(const GangShape& gang, ClassId device_class, const Placement& member) {
  Allocation allocation;
  allocation.node = member.node;
  allocation.device_class = device_class;
  allocation.devices = member.devices;
  allocation.host = gang.per_node;
  return allocation;
}

void AddClaim(const Outlook& outlook, const Start& claim, absl::Time due, Endings& endings) {
  if (const Job* job = outlook.cluster.FindJob(claim.job); job != nullptr) {
    endings[due + job->spec.time_limit].claims.push_back(&claim);
  }
}

// By time. The end of a booking opens nodes without freeing anything.
Endings ListEndings(const Outlook& outlook, const PlaceRequest& request) {
  const Cluster& cluster = outlook.cluster;
  Endings endings;
  for (JobId id : cluster.HoldersOf(request.device_class)) {
    endings[EndOf(outlook, cluster.GetJob(id), request.start)].jobs.push_back(id);
  }
  for (const RoundStart& start : outlook.starts) {
    if (start.device_class == request.device_class) {
      endings[start.end].starts.push_back(&start);
    }
  }
  const auto waits = [&outlook](JobId claim) {
    return std::none_of(outlook.starts.begin(), outlook.starts.end(),
                        [claim](const RoundStart& start) { return start.job == claim; });
  };
  for (const auto& [id, claim] : cluster.nominations()) {
    if (claim.device_class == request.device_class && waits(id)) {
      AddClaim(outlook, claim, std::max(cluster.open_reclaims().at(id).due, request.start),
               endings);
    }
  }
  for (const Recall& recall : outlook.recalls) {
    if (recall.claim.device_class == request.device_class) {
      AddClaim(outlook, recall.claim, recall.certificate.due, endings);
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
  for (const Start* claim : ending.claims) {
    view.Give(claim->members);
  }
}

}  // namespace

std::optional<Guard> Guard::Make(const Outlook& outlook, const FreeView& view, JobId job,
                                 const PlaceRequest& request) {
  const absl::Duration limit = request.end - request.start;
  FreeView then = view;
  for (const auto& [time, ending] : ListEndings(outlook, request)) {
    Give(outlook.cluster, ending, then);
    PlaceRequest later = request;
    later.start = time;
    later.end = time + limit;
    if (!then.CanPlace(later)) {
      continue;
    }
    Blocker ignored;
    Anchor anchor{job, request.device_class, time, *then.Place(later, ignored)};
    return Guard(std::move(anchor), later, std::move(then), outlook.recalls_borrowed);
  }
  return std::nullopt;
}

bool Guard::TryTake(const PlaceRequest& request, const std::vector<Placement>& members,
                    absl::Time end) {
  if (end <= anchor_.shadow || request.device_class != anchor_.device_class) {
    return true;
  }
  // The places of a recall may still be held by others at the shadow: taking them cannot be undone.
  FreeView after = at_shadow_;
  after.Take(request, members);
  if (!after.CanPlace(request_)) {
    return false;
  }
  at_shadow_ = std::move(after);
  return true;
}

}  // namespace berth
