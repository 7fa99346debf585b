#ifndef BERTH_SIM_FAULTS_MEMORY_STORE_H_
#define BERTH_SIM_FAULTS_MEMORY_STORE_H_

// What a database would know after a sequence of Changes, and what a restart begins with. A value.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "scheduler/core/changes.h"
#include "scheduler/core/lifecycle.h"

namespace berth::sim {

class MemoryStore {
 public:
  void Apply(const Changes& changes) {
    for (const DeviceClass& noun : changes.classes) classes_[noun.id] = noun;
    for (const Tenant& noun : changes.tenants) tenants_[noun.id] = noun;
    for (const Project& noun : changes.projects) projects_[noun.id] = noun;
    for (const QuotaRecord& noun : changes.quotas) quotas_[noun.key] = noun;
    for (const User& noun : changes.users) users_[noun.id] = noun;
    for (const Token& noun : changes.tokens) tokens_[noun.id] = noun;
    for (const Node& noun : changes.nodes) nodes_[noun.id] = noun;
    for (const Booking& noun : changes.bookings) bookings_[noun.id] = noun;
    for (const Reclaim& noun : changes.reclaims) reclaims_[noun.id] = noun;
    if (changes.quota_edits_changed) {
      state_.nouns.quota_edits = changes.quota_edits;
    }
    for (const Job& noun : changes.jobs) {
      jobs_[noun.id] = noun;
      state_.last_job = std::max(state_.last_job, noun.id);
    }
    for (const Allocation& noun : changes.allocations) {
      allocations_[noun.id] = noun;
      state_.last_allocation = std::max(state_.last_allocation, noun.id);
    }
    std::erase_if(jobs_, [](const auto& entry) { return IsTerminal(entry.second.state); });
    std::erase_if(allocations_, [this](const auto& entry) { return IsHistory(entry.second); });
    if (!bookings_.empty()) {
      state_.last_booking = std::max(state_.last_booking, bookings_.rbegin()->first);
    }
    if (!reclaims_.empty()) {
      state_.last_reclaim = std::max(state_.last_reclaim, reclaims_.rbegin()->first);
    }
    std::erase_if(bookings_, [](const auto& entry) { return entry.second.ended; });
    std::erase_if(reclaims_,
                  [](const auto& entry) { return entry.second.settled_at > absl::InfinitePast(); });
  }

  // Fields that are not durable have their defaults.
  StoredState Load() const {
    StoredState state = state_;
    Copy(classes_, state.nouns.classes);
    Copy(tenants_, state.nouns.tenants);
    Copy(projects_, state.nouns.projects);
    Copy(quotas_, state.nouns.quotas);
    Copy(users_, state.nouns.users);
    Copy(tokens_, state.nouns.tokens);
    Copy(nodes_, state.nouns.nodes);
    Copy(jobs_, state.nouns.jobs);
    Copy(allocations_, state.nouns.allocations);
    Copy(bookings_, state.nouns.bookings);
    Copy(reclaims_, state.nouns.reclaims);
    for (Node& node : state.nouns.nodes) {
      node.session = SessionId();
      node.silent_since = absl::InfinitePast();
      node.booked_out = false;
    }
    for (Job& job : state.nouns.jobs) {
      job.group = GroupId();
      job.tasks.live = 0;
      job.attempt.stop_grace = absl::ZeroDuration();
      job.attempt.stop_reason = StopReason::kNone;
    }
    for (Allocation& allocation : state.nouns.allocations) {
      allocation.sent_at = absl::InfinitePast();
      allocation.confirmed = false;
    }
    return state;
  }

  // As a restore from a backup leaves it (store/restore.h): what waits is held, and numbers that
  // were given out since are not given out again.
  void BeginAnotherLife(JobId last_job, AllocationId last_allocation) {
    state_.restored_allocation = state_.last_allocation;
    state_.last_job = last_job;
    state_.last_allocation = last_allocation;
    for (auto& [id, job] : jobs_) {
      if (job.state == JobState::kQueued) {
        job.state = JobState::kHeld;
        job.attempt.end = {.reason = EndReason::kAdmin, .message = "restored"};
        ++job.version;
      }
    }
  }

  JobId last_job() const { return state_.last_job; }
  AllocationId last_allocation() const { return state_.last_allocation; }
  const std::map<NodeId, Node>& nodes() const { return nodes_; }
  const std::map<JobId, Job>& jobs() const { return jobs_; }
  const std::map<AllocationId, Allocation>& allocations() const { return allocations_; }

 private:
  template <typename Key, typename Noun>
  static void Copy(const std::map<Key, Noun>& nouns, std::vector<Noun>& to) {
    for (const auto& [key, noun] : nouns) {
      to.push_back(noun);
    }
  }
  // Released, and its attempt is over.
  bool IsHistory(const Allocation& allocation) const {
    const auto job = jobs_.find(allocation.job);
    const bool current = job != jobs_.end() && IsActive(job->second.state) &&
                         job->second.attempt.number == allocation.attempt;
    return allocation.state == AllocationState::kReleased && !current;
  }

  StoredState state_;  // identifiers and quota edits
  std::map<ClassId, DeviceClass> classes_;
  std::map<TenantId, Tenant> tenants_;
  std::map<ProjectId, Project> projects_;
  std::map<QuotaKey, QuotaRecord> quotas_;
  std::map<UserId, User> users_;
  std::map<std::string, Token> tokens_;
  std::map<NodeId, Node> nodes_;
  std::map<JobId, Job> jobs_;
  std::map<AllocationId, Allocation> allocations_;
  std::map<BookingId, Booking> bookings_;
  std::map<ReclaimId, Reclaim> reclaims_;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_MEMORY_STORE_H_
