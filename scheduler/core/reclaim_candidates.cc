// The part of Reclaimer that lists who may be asked, and what the certificate says of them.

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "absl/container/inlined_vector.h"

#include "scheduler/core/reclaim.h"

namespace berth {
namespace {

absl::Duration LostWork(const Job& job, absl::Time now) {
  const absl::Time since = std::max(job.attempt.started_at, job.attempt.checkpoint_at);
  return since == absl::InfinitePast() ? absl::ZeroDuration() : std::max(now - since, {});
}

}  // namespace

bool Reclaimer::MayBeAsked(const Job& job, const ReclaimRequest& request) {
  const bool live = job.state == JobState::kRunning || job.state == JobState::kStarting ||
                    job.state == JobState::kDispatching;
  if (!live || !job.spec.preemptible || IsExpected(job) || spent_.contains(job.id)) {
    return false;
  }
  if (request.scope == ReclaimScope::kLowerPriority) {
    return job.spec.priority < request.key.priority &&
           (!request.from_project || job.spec.project == request.from_project);
  }
  const absl::Time allowed = job.attempt.created_at + policy_.reclaim_min_run;
  if (job.spec.tenant != request.key.tenant && allowed > now_) {
    next_look_ = std::min(next_look_, allowed);
    return false;
  }
  return now_ + job.spec.grace + policy_.kill_timeout <= request.back_by;
}

void Reclaimer::AddUnits(const Job& job, Candidates& candidates) {
  const absl::Duration lost = LostWork(job, now_);
  GiveBack rest{
      .job = job.id,
      .tenant = job.spec.tenant,
      .allocations = {      },
      .whole = true,
      .rank = { job.spec.priority, lost, now_ - job.attempt.created_at, job.id}
  };
  absl::InlinedVector<const Allocation*, 8> members;
  int64_t held = 0;
  for (AllocationId id : job.allocations) {
    const Allocation& allocation = cluster_.GetAllocation(id);
    if (allocation.state == AllocationState::kReleased) {
      continue;
    }
    held += static_cast<int64_t>(allocation.devices.size());
    if (allocation.state != AllocationState::kReleasing) {
      members.push_back(&allocation);
    }
  }
  size_t kept = members.size();
  if (job.spec.gang.is_elastic() && job.state == JobState::kRunning) {
    for (; kept > static_cast<size_t>(job.spec.gang.least_nodes()); --kept) {
      const Allocation& member = *members[kept - 1];
      candidates.units.push_back({.job = job.id,
                                  .tenant = job.spec.tenant,
                                  .allocations = {member.id},
                                  .devices = static_cast<int64_t>(member.devices.size()),
                                  .lost_device_seconds = 0,
                                  .whole = false,
                                  .rank = rest.rank,
                                  .after = rest.after});
      rest.after = candidates.units.size() - 1;
      candidates.shrinks[job.spec.tenant].push_back(candidates.units.size() - 1);
      candidates.devices += candidates.units.back().devices;
    }
  }
  rest.allocations.reserve(kept);
  for (size_t i = 0; i < kept; ++i) {
    rest.allocations.push_back(members[i]->id);
    rest.devices += static_cast<int64_t>(members[i]->devices.size());
  }
  candidates.devices += rest.devices;
  rest.lost_device_seconds = absl::ToInt64Seconds(lost) * held;
  candidates.units.push_back(std::move(rest));
  candidates.wholes[job.spec.tenant].push_back(candidates.units.size() - 1);
}

const Reclaimer::Candidates& Reclaimer::FindCandidates(const ReclaimRequest& request) {
  Askers askers{request.scope, request.key.tenant, request.key.priority, request.from_project,
                request.back_by};
  if (request.scope == ReclaimScope::kBorrowers) {
    askers = {request.scope, TenantId(), 0, ProjectId(), request.back_by};
  }
  // Every owner may ask the same borrowers, as soon as they may be asked at all.
  const bool same =
      request.scope != ReclaimScope::kBorrowers || policy_.reclaim_min_run == absl::ZeroDuration();
  const auto [known, added] = candidates_.try_emplace(askers);
  if (added || !same) {
    known->second = ListCandidates(request);
  }
  asked_ = &known->second;
  return known->second;
}

void Reclaimer::ForgetCandidates() {
  candidates_.clear();
  asked_ = nullptr;
}

Reclaimer::Candidates Reclaimer::ListCandidates(const ReclaimRequest& request) {
  Candidates candidates;
  const auto add = [&](const std::set<JobId>& jobs) {
    for (JobId id : jobs) {
      const Job& job = cluster_.GetJob(id);
      if (MayBeAsked(job, request)) {
        AddUnits(job, candidates);
        ++candidates.gangs;
      }
    }
  };
  if (request.scope == ReclaimScope::kLowerPriority) {
    for (const auto& [of, holders] :
         cluster_.HoldersByPriority(request.key.tenant, device_class_)) {
      if (of >= request.key.priority) {
        break;
      }
      add(holders.owned);
      add(holders.borrowed);
    }
  } else {
    for (const auto& [tenant, record] : cluster_.quota().tenants()) {
      add(cluster_.Labelled(tenant, device_class_, Funding::kBorrowed));
    }
  }
  for (auto* by_tenant : {&candidates.shrinks, &candidates.wholes}) {
    for (auto& [tenant, units] : *by_tenant) {
      // Members of one gang from the last rank.
      std::sort(units.begin(), units.end(), [&](size_t a, size_t b) {
        return std::tie(candidates.units[a].rank, a) < std::tie(candidates.units[b].rank, b);
      });
    }
  }
  return candidates;
}

Reclaimer::Excess Reclaimer::ExcessOf(TenantId tenant) const {
  const QuotaKey key{tenant, ProjectId(), device_class_};
  const QuotaLimits limits = cluster_.quota().Limits(key);
  const auto given = given_.find(tenant);
  const int64_t used =
      cluster_.quota().Use(key).used() - (given == given_.end() ? 0 : given->second);
  return {std::max<int64_t>(used - limits.entitlement, 0),
          std::max<int64_t>(limits.weight.value_or(limits.entitlement), 1)};
}

// One row a gang: what it gives back, or would have.
std::vector<ReclaimCandidate> Reclaimer::Rows(const Units& asked, const Units& chosen) const {
  const std::set<size_t> taken(chosen.begin(), chosen.end());
  std::vector<ReclaimCandidate> rows;
  std::map<JobId, size_t> row_of;
  for (size_t index : asked) {
    const GiveBack& unit = Unit(index);
    const Job& job = cluster_.GetJob(unit.job);
    const bool is_taken = taken.contains(index);
    if (!is_taken && rows.size() >= Reclaim::kCandidatesMax) {
      continue;
    }
    const auto [row, added] = row_of.emplace(unit.job, rows.size());
    if (added) {
      const Excess excess = ExcessOf(unit.tenant);
      rows.push_back({.job = unit.job,
                      .attempt = job.attempt.number,
                      .tenant = unit.tenant,
                      .tenant_excess = excess.excess,
                      .tenant_weight = excess.weight,
                      .priority = job.spec.priority,
                      .lost_work = LostWork(job, now_),
                      .started_at = job.attempt.started_at,
                      .notice = job.spec.grace});
    }
    ReclaimCandidate& candidate = rows[row->second];
    if (is_taken && !candidate.chosen) {
      candidate.chosen = true;
      candidate.devices = 0;
      candidate.members = 0;
    }
    if (is_taken == candidate.chosen) {
      candidate.devices += unit.devices;
      candidate.members += static_cast<int>(unit.allocations.size());
      candidate.shrink = !unit.whole;
    }
  }
  return rows;
}

Reclaim Reclaimer::Certify(const ReclaimRequest& request, const Units& asked,
                           const Units& chosen) const {
  const QuotaKey key{request.key.tenant, ProjectId(), device_class_};
  Reclaim certificate;
  certificate.at = now_;
  certificate.due = now_;
  certificate.claim = request.job;
  certificate.tenant = request.key.tenant;
  certificate.device_class = device_class_;
  certificate.within_tenant = request.scope == ReclaimScope::kLowerPriority;
  certificate.devices_per_node = request.key.gang.devices_per_node;
  certificate.entitlement = cluster_.quota().Limits(key).entitlement;
  certificate.used = cluster_.quota().Use(key).used();
  certificate.free_devices = base_->FreeCount(device_class_);
  certificate.candidates = Rows(asked, chosen);
  for (size_t index : chosen) {
    const GiveBack& unit = Unit(index);
    certificate.lost_device_seconds += unit.lost_device_seconds;
    certificate.due = std::max(certificate.due,
                               now_ + cluster_.GetJob(unit.job).spec.grace + policy_.kill_timeout);
  }
  return certificate;
}

}  // namespace berth
