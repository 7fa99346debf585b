#include "scheduler/core/backfill.h"

#include <algorithm>
#include <set>
#include <utility>

namespace berth {
namespace {

// Plain endings are given back in batches, each of this part of what was given before: few are too
// many, and few trials are needed.
constexpr size_t kBatchPart = 4;

Allocation AsAllocation(const GangShape& gang, ClassId device_class, const Placement& member) {
  Allocation allocation;
  allocation.node = member.node;
  allocation.device_class = device_class;
  allocation.devices = member.devices;
  allocation.host = gang.per_node;
  return allocation;
}

// Now, and whenever more of what is lent may be asked for: all that a claim needs is asked for at
// once.
std::set<absl::Time> AskMoments(const Outlook& outlook, const std::vector<const Job*>& lent,
                                absl::Time now) {
  std::set<absl::Time> moments = {now};
  if (outlook.policy.reclaim_min_run > absl::ZeroDuration()) {
    for (const Job* job : lent) {
      moments.insert(std::max(AllowedAt(outlook, *job), now));
    }
  }
  return moments;
}

// Whether A4 allows the anchor to start when so much is free.
bool Lends(const QuotaView& quota, const Returns& returns, const PlaceRequest& request,
           const FreeView& view) {
  return !quota.KeepsAny(request.device_class) ||
         quota.LendsThen(returns, request.tenant, request.device_class,
                         request.gang.least_devices(), view.FreeCount(request.device_class));
}

// When the job was to start as of the last round, if it was anchored then.
absl::Time LastShadow(const Cluster& cluster, JobId job, ClassId device_class) {
  const auto last = cluster.anchors().find(device_class);
  return last != cluster.anchors().end() && last->second.job == job ? last->second.shadow
                                                                    : absl::InfinitePast();
}

// What is free after more and more has ended, and when the request fits first.
class Shadow {
 public:
  Shadow(const Outlook& outlook, const FreeView& view, const PlaceRequest& request,
         const std::vector<const Job*>& lent, absl::Time ask_at)
      : outlook_(outlook),
        request_(request),
        keeps_(outlook.quota.KeepsAny(request.device_class)),
        relabels_(MayRelabel(outlook, view, request)),
        stream_(outlook, request, lent, ask_at),
        then_(view) {}

  // False: not even when everything has ended. `known`: when it was found to fit in the last round.
  bool Find(absl::Time known) {
    // Without bookings what fits once fits ever after, with one label: then batches are searched,
    // not each ending. The first is what ends before it was known to fit.
    const bool batches = outlook_.cluster.bookings().empty() && !relabels_;
    known = batches ? known : absl::InfinitePast();
    size_t before = 0;
    while (TakeBatch(batches ? before / kBatchPart + 1 : 1, known)) {
      if (FitsAt(batch_.back().time)) {
        Bisect();
        return true;
      }
      before += batch_.back().time < known ? 0 : batch_.size();
    }
    return false;
  }

  PlaceRequest RequestAt(absl::Time time) const {
    PlaceRequest later = request_;
    later.start = time;
    later.end = time + (request_.end - request_.start);
    if (relabels_) {
      const QuotaView::Position& own = outlook_.quota.Of(request_.tenant, request_.device_class);
      const int64_t owned = own.use.owned - owned_returns_ + request_.gang.least_devices();
      later.funding = owned <= own.limits.entitlement ? Funding::kOwned : Funding::kBorrowed;
    }
    return later;
  }
  absl::Time at() const { return batch_[given_ - 1].time; }
  FreeView TakeView() { return std::move(then_); }
  const FreeView& view() const { return then_; }
  const Returns& returns() const { return returns_; }

 private:
  // Where blocks are owed the label matters (T1): a borrow request may be owned when what its
  // tenant owns now has ended.
  static bool MayRelabel(const Outlook& outlook, const FreeView& view,
                         const PlaceRequest& request) {
    return request.funding == Funding::kBorrowed &&
           request.gang.least_devices() <=
               outlook.quota.Of(request.tenant, request.device_class).limits.entitlement &&
           !view.BlockClaims(request.device_class).empty();
  }

  bool FitsAt(absl::Time time) const {
    const PlaceRequest request = RequestAt(time);
    return Lends(outlook_.quota, returns_, request, then_) && FitsWithBlocks(then_, request);
  }

  // Gives the next plain endings, so many and all before `known`, or one that is not plain.
  bool TakeBatch(size_t size, absl::Time known) {
    batch_.clear();
    given_ = 0;
    while (true) {
      std::optional<Ending> next =
          ahead_.has_value() ? std::exchange(ahead_, std::nullopt) : stream_.Take();
      if (!next.has_value()) {
        break;
      }
      const bool plain = next->is_plain();
      const bool enough = batch_.size() >= size && next->time >= known;
      if (enough || (!plain && !batch_.empty())) {
        ahead_ = std::move(next);
        break;
      }
      batch_.push_back(*std::move(next));
      if (!plain) {
        break;
      }
    }
    GiveUpTo(batch_.size());
    return !batch_.empty();
  }

  // Leaves as many of the batch given as are needed. Requires: all of it is enough.
  void Bisect() {
    size_t few = 0;  // not enough
    size_t enough = batch_.size();
    while (few + 1 < enough) {
      const size_t middle = few + (enough - few) / 2;
      GiveUpTo(middle);
      (FitsAt(batch_[middle - 1].time) ? enough : few) = middle;
    }
    GiveUpTo(enough);
  }

  void GiveUpTo(size_t count) {
    for (; given_ < count; ++given_) {
      Give(batch_[given_]);
    }
    for (; given_ > count; --given_) {
      ForEachHeld(batch_[given_ - 1], [this](const auto&... held) { then_.TakeBack(held...); });
    }
  }

  void Give(const Ending& ending) {
    ForEachHeld(ending, [this](const auto&... held) { then_.Give(held...); });
    for (const RoundStart* start : ending.starts) {
      Noting(start->job, start->funding, [this, start] {
        for (const Placement& member : start->members) {
          then_.Give(AsAllocation(start->gang, start->device_class, member));
        }
      });
    }
    for (const Start* claim : ending.claims) {
      Noting(claim->job, claim->funding, [this, claim] { then_.Give(*claim); });
    }
  }

  // Calls change(allocation, its owner).
  template <typename Change>
  void ForEachHeld(const Ending& ending, Change change) {
    for (JobId id : ending.jobs) {
      const Job& job = outlook_.cluster.GetJob(id);
      Noting(id, job.attempt.funding, [&] {
        const ShareOwner owner = Cluster::OwnerOf(job);
        for (AllocationId held : job.allocations) {
          const Allocation& allocation = outlook_.cluster.GetAllocation(held);
          if (allocation.state != AllocationState::kReleased) {
            change(allocation, owner);
          }
        }
      });
    }
  }

  // Counts what its tenant gives back by the change: a shared device with its last share.
  template <typename Change>
  void Noting(JobId id, Funding funding, Change change) {
    const bool counts = keeps_ || relabels_;
    const int64_t free = counts ? then_.FreeCount(request_.device_class) : 0;
    change();
    if (const Job* job = counts ? outlook_.cluster.FindJob(id) : nullptr; job != nullptr) {
      const int64_t returned = then_.FreeCount(request_.device_class) - free;
      returns_[job->spec.tenant] += returned;
      const bool own = job->spec.tenant == request_.tenant && funding == Funding::kOwned;
      owned_returns_ += own ? returned : 0;
    }
  }

  const Outlook& outlook_;
  const PlaceRequest& request_;
  const bool keeps_;     // somebody keeps something in the class
  const bool relabels_;  // the request is labelled as of the time when it starts
  EndingStream stream_;
  FreeView then_;
  Returns returns_;
  int64_t owned_returns_ = 0;  // by the request's tenant, of what it owns
  std::vector<Ending> batch_;
  size_t given_ = 0;             // of the batch
  std::optional<Ending> ahead_;  // taken from the stream, not in the batch
};

}  // namespace

std::optional<Guard> Guard::Make(const Outlook& outlook, const FreeView& view, JobId job,
                                 const PlaceRequest& request) {
  std::optional<Shadow> first;
  const std::vector<const Job*> lent = ListLent(outlook, request.device_class);
  const absl::Time known = LastShadow(outlook.cluster, job, request.device_class);
  for (const absl::Time ask_at : AskMoments(outlook, lent, request.start)) {
    if (first.has_value() && first->at() <= ask_at) {
      break;
    }
    Shadow shadow(outlook, view, request, lent, ask_at);
    if (shadow.Find(known) && !(first.has_value() && first->at() <= shadow.at())) {
      first.emplace(std::move(shadow));
    }
  }
  if (!first.has_value()) {
    return std::nullopt;
  }
  const PlaceRequest later = first->RequestAt(first->at());
  Blocker ignored;
  Anchor anchor{.job = job,
                .device_class = request.device_class,
                .shadow = first->at(),
                .members = *first->view().Place(later, ignored),
                .recalls_borrowed = outlook.recalls_borrowed};
  Guard guard(std::move(anchor), later, first->TakeView(), outlook);
  guard.returns_ = first->returns();
  for (const Job* job : lent) {
    guard.longest_notice_ = std::max(guard.longest_notice_, NoticeOf(outlook, *job));
  }
  return guard;
}

bool Guard::TryLend(absl::Time allowed, absl::Duration notice) {
  const absl::Duration longest = std::max(longest_notice_, notice);
  const absl::Time last = std::max(last_allowed_, allowed);
  if (!recalls_borrowed() || last + longest >= anchor_.shadow) {
    return false;
  }
  longest_notice_ = longest;
  last_allowed_ = last;
  return true;
}

Guard::Leaves Guard::TryTake(const PlaceRequest& request, const std::vector<Placement>& members,
                             absl::Time end) {
  if (request.device_class != anchor_.device_class) {
    return Leaves::kEnough;
  }
  int64_t devices = 0;
  for (const Placement& member : members) {
    devices += request.open_device ? 0 : static_cast<int64_t>(member.devices.size());
  }
  if (end <= anchor_.shadow) {
    returns_[request.tenant] += devices;  // of what the quota counts from now on
    return Leaves::kEnough;
  }
  // The places of a recall may still be held by others at the shadow: taking them cannot be undone.
  auto before = at_shadow_.LoadsOf(members);
  at_shadow_.Take(request, members);
  returns_[request.tenant] -= devices;
  Leaves leaves = Leaves::kEnough;
  if (!FitsWithBlocks(at_shadow_, request_)) {
    leaves = Leaves::kTooFewPlaces;
  } else if (!Lends(quota_, returns_, request_, at_shadow_)) {
    leaves = Leaves::kTooLittleQuota;
  }
  returns_[request.tenant] += devices;
  if (leaves != Leaves::kEnough) {
    at_shadow_.PutBack(std::move(before));
  }
  return leaves;
}

}  // namespace berth
