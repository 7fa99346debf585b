#include "scheduler/core/ending_stream.h"

#include <algorithm>

namespace berth {
namespace {

// Whether an owned claim may have it back before its end.
bool IsLent(const Outlook& outlook, const Job& job) {
  return outlook.recalls_borrowed && job.spec.preemptible &&
         job.attempt.funding == Funding::kBorrowed && job.state != JobState::kWaitNode &&
         job.state != JobState::kStopping;
}

}  // namespace

absl::Duration NoticeOf(const Outlook& outlook, const Job& job) {
  return job.spec.grace + outlook.policy.kill_timeout;
}

absl::Time AllowedAt(const Outlook& outlook, const Job& job) {
  return job.attempt.created_at + outlook.policy.reclaim_min_run;
}

std::vector<const Job*> ListLent(const Outlook& outlook, ClassId device_class) {
  std::vector<const Job*> lent;
  if (!outlook.recalls_borrowed) {
    return lent;
  }
  for (const auto& [tenant, record] : outlook.cluster.quota().tenants()) {
    for (JobId id : outlook.cluster.Labelled(tenant, device_class, Funding::kBorrowed)) {
      if (const Job& job = outlook.cluster.GetJob(id); IsLent(outlook, job)) {
        lent.push_back(&job);
      }
    }
  }
  return lent;
}

EndingStream::EndingStream(const Outlook& outlook, const PlaceRequest& request,
                           const std::vector<const Job*>& lent, absl::Time ask_at)
    : outlook_(outlook),
      now_(request.start),
      ask_at_(ask_at),
      ends_(outlook.cluster.EndsOf(request.device_class)),
      next_end_(ends_.begin()) {
  AddLent(lent);
  AddOthers(request);
}

std::optional<Ending> EndingStream::Take() {
  SkipLent();
  absl::Time time = absl::InfiniteFuture();
  if (next_end_ != ends_.end()) {
    time = std::min(time, std::max(next_end_->first.first, now_));
  }
  if (next_lent_ < lent_.size()) {
    time = std::min(time, lent_[next_lent_].first);
  }
  if (next_other_ < others_.size()) {
    time = std::min(time, others_[next_other_].time);
  }
  if (time == absl::InfiniteFuture()) {
    return std::nullopt;
  }
  Ending ending;
  ending.time = time;
  for (; next_other_ < others_.size() && others_[next_other_].time == time; ++next_other_) {
    const Other& other = others_[next_other_];
    if (other.start != nullptr) {
      ending.starts.push_back(other.start);
    } else if (other.claim != nullptr) {
      ending.claims.push_back(other.claim);
    }
  }
  for (; next_end_ != ends_.end() && next_end_->first.first <= time; SkipLent()) {
    ending.jobs.push_back(next_end_->first.second);
    ++next_end_;
  }
  for (; next_lent_ < lent_.size() && lent_[next_lent_].first == time; ++next_lent_) {
    ending.jobs.push_back(lent_[next_lent_].second);
  }
  return ending;
}

bool EndingStream::IsAsked(const Job& job) const {
  return IsLent(outlook_, job) && AllowedAt(outlook_, job) <= ask_at_;
}

void EndingStream::SkipLent() {
  while (outlook_.recalls_borrowed && next_end_ != ends_.end() &&
         IsAsked(outlook_.cluster.GetJob(next_end_->first.second))) {
    ++next_end_;
  }
}

void EndingStream::AddLent(const std::vector<const Job*>& lent) {
  for (const Job* job : lent) {
    if (AllowedAt(outlook_, *job) <= ask_at_) {
      lent_.emplace_back(std::min(std::max(job->ends_by, now_), ask_at_ + NoticeOf(outlook_, *job)),
                         job->id);
    }
  }
  std::sort(lent_.begin(), lent_.end());
}

void EndingStream::AddOthers(const PlaceRequest& request) {
  const Cluster& cluster = outlook_.cluster;
  for (const RoundStart& start : outlook_.starts) {
    if (start.device_class == request.device_class) {
      others_.push_back({.time = start.end, .start = &start});
    }
  }
  const auto waits = [this](JobId claim) {
    return std::none_of(outlook_.starts.begin(), outlook_.starts.end(),
                        [claim](const RoundStart& start) { return start.job == claim; });
  };
  auto reclaim = cluster.open_reclaims().begin();  // of the same claims
  for (const auto& [id, claim] : cluster.nominations()) {
    const absl::Time due = (reclaim++)->second.due;
    if (claim.device_class == request.device_class && waits(id)) {
      AddClaim(claim, std::max(due, now_));
    }
  }
  for (const Recall& recall : outlook_.recalls) {
    if (recall.claim.device_class == request.device_class) {
      AddClaim(recall.claim, recall.certificate.due);
    }
  }
  for (const auto& [id, booking] : cluster.bookings()) {
    if (!booking.ended && booking.to > now_) {
      others_.push_back({.time = booking.to});
    }
  }
  std::stable_sort(others_.begin(), others_.end(),
                   [](const Other& a, const Other& b) { return a.time < b.time; });
}

void EndingStream::AddClaim(const Start& claim, absl::Time due) {
  if (const Job* job = outlook_.cluster.FindJob(claim.job); job != nullptr) {
    others_.push_back({.time = due + job->spec.time_limit, .claim = &claim});
  }
}

}  // namespace berth
