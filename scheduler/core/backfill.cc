#include "scheduler/core/backfill.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace berth {
namespace {

// Plain endings are given back and taken again in batches up to this.
constexpr size_t kBatchMax = 1024;

// What becomes free at one moment: by jobs that run, by starts of this round, or by claims that
// have their devices coming.
struct Ending {
  absl::Time time;
  std::vector<JobId> jobs;
  std::vector<const RoundStart*> starts;
  std::vector<const Start*> claims;

  bool is_plain() const { return starts.empty() && claims.empty(); }
};

Allocation AsAllocation(const GangShape& gang, ClassId device_class, const Placement& member) {
  Allocation allocation;
  allocation.node = member.node;
  allocation.device_class = device_class;
  allocation.devices = member.devices;
  allocation.host = gang.per_node;
  return allocation;
}

// Whether an owned claim may have it back before its end.
bool IsLent(const Outlook& outlook, const Job& job) {
  return outlook.recalls_borrowed && job.spec.preemptible &&
         job.attempt.funding == Funding::kBorrowed && job.state != JobState::kWaitNode &&
         job.state != JobState::kStopping;
}

absl::Duration NoticeOf(const Outlook& outlook, const Job& job) {
  return job.spec.grace + outlook.policy.kill_timeout;
}

absl::Time AllowedAt(const Outlook& outlook, const Job& job) {
  return job.attempt.created_at + outlook.policy.reclaim_min_run;
}

template <typename Visit>
void ForEachLent(const Outlook& outlook, ClassId device_class, Visit visit) {
  if (!outlook.recalls_borrowed) {
    return;
  }
  for (const auto& [tenant, record] : outlook.cluster.quota().tenants()) {
    for (JobId id : outlook.cluster.Labelled(tenant, device_class, Funding::kBorrowed)) {
      if (const Job& job = outlook.cluster.GetJob(id); IsLent(outlook, job)) {
        visit(job);
      }
    }
  }
}

// Now, and whenever more of what is lent may be asked for: all that a claim needs is asked for at
// once.
std::set<absl::Time> AskMoments(const Outlook& outlook, const PlaceRequest& request) {
  std::set<absl::Time> moments = {request.start};
  if (outlook.policy.reclaim_min_run > absl::ZeroDuration()) {
    ForEachLent(outlook, request.device_class, [&](const Job& job) {
      moments.insert(std::max(AllowedAt(outlook, job), request.start));
    });
  }
  return moments;
}

// Whether the anchor can start when so much is free, A4 and T1 included.
bool Fits(const QuotaView& quota, const Returns& returns, const PlaceRequest& request,
          const FreeView& view) {
  const bool lends =
      !quota.KeepsAny(request.device_class) ||
      quota.LendsThen(returns, request.tenant, request.device_class, request.gang.least_devices(),
                      view.FreeCount(request.device_class));
  return lends && FitsWithBlocks(view, request);
}

// The endings of one class, each with all that ends at its time, the earliest first. What is lent
// is asked for at `ask_at`. Most guards need a few of them only, so they are found as they are
// asked for.
class EndingStream {
 public:
  EndingStream(const Outlook& outlook, const PlaceRequest& request, absl::Time ask_at)
      : outlook_(outlook),
        now_(request.start),
        ask_at_(ask_at),
        ends_(outlook.cluster.EndsOf(request.device_class)),
        next_end_(ends_.begin()) {
    ListLent(request.device_class);
    ListOthers(request);
  }

  // The next one; nothing after the last.
  std::optional<Ending> Take() {
    SkipLent();
    absl::Time time = absl::InfiniteFuture();
    if (next_end_ != ends_.end()) {
      time = std::min(time, std::max(next_end_->first, now_));
    }
    if (next_lent_ < lent_.size()) {
      time = std::min(time, lent_[next_lent_].first);
    }
    if (!others_.empty()) {
      time = std::min(time, others_.begin()->first);
    }
    if (time == absl::InfiniteFuture()) {
      return std::nullopt;
    }
    Ending ending;
    if (!others_.empty() && others_.begin()->first == time) {
      ending = std::move(others_.extract(others_.begin()).mapped());
    }
    ending.time = time;
    for (; next_end_ != ends_.end() && next_end_->first <= time; SkipLent()) {
      ending.jobs.push_back(next_end_->second);
      ++next_end_;
    }
    for (; next_lent_ < lent_.size() && lent_[next_lent_].first == time; ++next_lent_) {
      ending.jobs.push_back(lent_[next_lent_].second);
    }
    return ending;
  }

 private:
  bool IsAsked(const Job& job) const {
    return IsLent(outlook_, job) && AllowedAt(outlook_, job) <= ask_at_;
  }

  void SkipLent() {
    while (outlook_.recalls_borrowed && next_end_ != ends_.end() &&
           IsAsked(outlook_.cluster.GetJob(next_end_->second))) {
      ++next_end_;
    }
  }

  // What is lent comes back when it is asked for, if it does not end before.
  void ListLent(ClassId device_class) {
    ForEachLent(outlook_, device_class, [this](const Job& job) {
      if (IsAsked(job)) {
        lent_.emplace_back(std::min(std::max(job.ends_by, now_), ask_at_ + NoticeOf(outlook_, job)),
                           job.id);
      }
    });
    std::sort(lent_.begin(), lent_.end());
  }

  // Starts and claims. The end of a booking opens nodes without freeing anything.
  void ListOthers(const PlaceRequest& request) {
    const Cluster& cluster = outlook_.cluster;
    for (const RoundStart& start : outlook_.starts) {
      if (start.device_class == request.device_class) {
        others_[start.end].starts.push_back(&start);
      }
    }
    const auto waits = [this](JobId claim) {
      return std::none_of(outlook_.starts.begin(), outlook_.starts.end(),
                          [claim](const RoundStart& start) { return start.job == claim; });
    };
    for (const auto& [id, claim] : cluster.nominations()) {
      if (claim.device_class == request.device_class && waits(id)) {
        AddClaim(claim, std::max(cluster.open_reclaims().at(id).due, now_));
      }
    }
    for (const Recall& recall : outlook_.recalls) {
      if (recall.claim.device_class == request.device_class) {
        AddClaim(recall.claim, recall.certificate.due);
      }
    }
    for (const auto& [id, booking] : cluster.bookings()) {
      if (!booking.ended && booking.to > now_) {
        others_[booking.to];
      }
    }
  }

  void AddClaim(const Start& claim, absl::Time due) {
    if (const Job* job = outlook_.cluster.FindJob(claim.job); job != nullptr) {
      others_[due + job->spec.time_limit].claims.push_back(&claim);
    }
  }

  const Outlook& outlook_;
  const absl::Time now_;
  const absl::Time ask_at_;
  const std::set<std::pair<absl::Time, JobId>>& ends_;
  std::set<std::pair<absl::Time, JobId>>::const_iterator next_end_;
  std::vector<std::pair<absl::Time, JobId>> lent_;  // by time
  size_t next_lent_ = 0;
  std::map<absl::Time, Ending> others_;
};

// What is free after more and more has ended, and when the request fits first.
class Shadow {
 public:
  Shadow(const Outlook& outlook, const FreeView& view, const PlaceRequest& request,
         absl::Time ask_at)
      : outlook_(outlook),
        request_(request),
        keeps_(outlook.quota.KeepsAny(request.device_class)),
        relabels_(MayRelabel(outlook, view, request)),
        stream_(outlook, request, ask_at),
        then_(view) {}

  // False: not even when everything has ended.
  bool Find() {
    // Without bookings what fits once fits ever after, with one label: then batches are searched,
    // not each ending.
    const bool batches = outlook_.cluster.bookings().empty() && !relabels_;
    for (size_t size = 1; TakeBatch(size);) {
      if (FitsAt(batch_.back().time)) {
        Bisect();
        return true;
      }
      size = batches ? std::min(2 * size, kBatchMax) : 1;
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
    return Fits(outlook_.quota, returns_, RequestAt(time), then_);
  }

  // Gives the next plain endings, or one that is not.
  bool TakeBatch(size_t size) {
    batch_.clear();
    given_ = 0;
    while (batch_.size() < size) {
      std::optional<Ending> next =
          ahead_.has_value() ? std::exchange(ahead_, std::nullopt) : stream_.Take();
      if (!next.has_value()) {
        break;
      }
      const bool plain = next->is_plain();
      if (!plain && !batch_.empty()) {
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
      ForEachHeld(batch_[given_ - 1],
                  [this](const Allocation& allocation) { then_.TakeBack(allocation); });
    }
  }

  void Give(const Ending& ending) {
    ForEachHeld(ending, [this](const Allocation& allocation) { then_.Give(allocation); });
    for (const RoundStart* start : ending.starts) {
      Noting(start->job, start->funding, [this, start] {
        for (const Placement& member : start->members) {
          then_.Give(AsAllocation(start->gang, start->device_class, member));
        }
      });
    }
    for (const Start* claim : ending.claims) {
      Noting(claim->job, claim->funding, [this, claim] { then_.Give(claim->members); });
    }
  }

  template <typename Change>
  void ForEachHeld(const Ending& ending, Change change) {
    const Cluster& cluster = outlook_.cluster;
    for (JobId id : ending.jobs) {
      Noting(id, cluster.GetJob(id).attempt.funding, [&] {
        for (AllocationId held : cluster.GetJob(id).allocations) {
          const Allocation& allocation = cluster.GetAllocation(held);
          if (allocation.state != AllocationState::kReleased) {
            change(allocation);
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
    if (const Job* job = outlook_.cluster.FindJob(id); counts && job != nullptr) {
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
  for (const absl::Time ask_at : AskMoments(outlook, request)) {
    if (first.has_value() && first->at() <= ask_at) {
      break;
    }
    Shadow shadow(outlook, view, request, ask_at);
    if (shadow.Find() && !(first.has_value() && first->at() <= shadow.at())) {
      first.emplace(std::move(shadow));
    }
  }
  if (!first.has_value()) {
    return std::nullopt;
  }
  const PlaceRequest later = first->RequestAt(first->at());
  Blocker ignored;
  Anchor anchor{job, request.device_class, first->at(), *first->view().Place(later, ignored)};
  Guard guard(std::move(anchor), later, first->TakeView(), outlook);
  guard.returns_ = first->returns();
  ForEachLent(outlook, request.device_class, [&](const Job& lent) {
    guard.longest_notice_ = std::max(guard.longest_notice_, NoticeOf(outlook, lent));
  });
  return guard;
}

bool Guard::TryLend(absl::Time allowed, absl::Duration notice) {
  const absl::Duration longest = std::max(longest_notice_, notice);
  const absl::Time last = std::max(last_allowed_, allowed);
  if (!recalls_borrowed_ || last + longest >= anchor_.shadow) {
    return false;
  }
  longest_notice_ = longest;
  last_allowed_ = last;
  return true;
}

bool Guard::TryTake(const PlaceRequest& request, const std::vector<Placement>& members,
                    absl::Time end) {
  if (request.device_class != anchor_.device_class) {
    return true;
  }
  int64_t devices = 0;
  for (const Placement& member : members) {
    devices += request.open_device ? 0 : static_cast<int64_t>(member.devices.size());
  }
  if (end <= anchor_.shadow) {
    returns_[request.tenant] += devices;  // of what the quota counts from now on
    return true;
  }
  // The places of a recall may still be held by others at the shadow: taking them cannot be undone.
  auto before = at_shadow_.LoadsOf(members);
  at_shadow_.Take(request, members);
  returns_[request.tenant] -= devices;
  const bool fits = Fits(quota_, returns_, request_, at_shadow_);
  returns_[request.tenant] += devices;
  if (!fits) {
    at_shadow_.PutBack(std::move(before));
  }
  return fits;
}

}  // namespace berth
