// The part of plan_checks.h that judges certificates: their numbers, and that no victim is one too
// many.

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_format.h"

#include "tests/simulation/plan_checks.h"

namespace berth {
namespace {

constexpr size_t kSubsetsOf = 12;  // candidates that all subsets are tried of

using Cost = std::pair<int64_t, size_t>;  // lost device-seconds, gangs

bool IsElastic(const PlanView& view, const Reclaim& certificate) {
  return std::any_of(
      certificate.candidates.begin(), certificate.candidates.end(), [&](const auto& candidate) {
        return candidate.shrink || view.cluster.GetJob(candidate.job).spec.gang.is_elastic();
      });
}

// By rank, those that are not being given back already.
std::vector<AllocationId> MembersOf(const PlanView& view, const Job& job) {
  std::vector<AllocationId> members;
  for (AllocationId id : job.allocations) {
    const AllocationState state = view.cluster.GetAllocation(id).state;
    if (state != AllocationState::kReleased && state != AllocationState::kReleasing) {
      members.push_back(id);
    }
  }
  return members;
}

// What the claim may count on without asking anybody.
void GiveWhatComes(const PlanView& view, const Recall& recall, CenterBooks& books) {
  for (const auto& [id, job] : view.cluster.jobs()) {
    if (job.allocations.empty() || job.attempt.device_class != recall.claim.device_class) {
      continue;
    }
    const bool ends_soon =
        job.state == JobState::kRunning && job.attempt.started_at + job.spec.time_limit <=
                                               view.now + job.spec.grace + view.policy.kill_timeout;
    if (job.state == JobState::kStopping || ends_soon) {
      books.Give(job);
      continue;
    }
    for (AllocationId member : job.allocations) {
      if (view.cluster.GetAllocation(member).state == AllocationState::kReleasing) {
        books.Give(view.cluster.GetAllocation(member));
      }
    }
  }
}

// The members that a victim gives back: all, or those of the highest ranks.
void GiveVictim(const PlanView& view, const ReclaimCandidate& victim, CenterBooks& books) {
  const std::vector<AllocationId> members = MembersOf(view, view.cluster.GetJob(victim.job));
  const auto given =
      victim.shrink ? static_cast<size_t>(std::max(victim.members, 0)) : members.size();
  for (size_t rank = members.size() - std::min(given, members.size()); rank < members.size();
       ++rank) {
    books.Give(view.cluster.GetAllocation(members[rank]));
  }
}

// The books as the claim found them, as far as a plan tells: every start is taken, every other
// claim has its devices, and what earlier claims freed is free, as is what lapsed ones kept.
CenterBooks BooksFor(const PlanView& view, size_t which) {
  CenterBooks books(view.cluster);
  for (JobId claim : view.plan.lapsed) {
    books.Lapse(claim);
  }
  GiveWhatComes(view, view.plan.recalls[which], books);
  for (const Start& start : view.plan.starts) {
    books.Start(view.cluster.GetJob(start.job), start);
  }
  books.KeepHosts(HostsClaimed(view));
  for (size_t i = 0; i < view.plan.recalls.size(); ++i) {
    if (i == which) {
      continue;
    }
    const Recall& other = view.plan.recalls[i];
    for (const ReclaimCandidate& candidate : other.certificate.candidates) {
      if (i < which && candidate.chosen) {
        GiveVictim(view, candidate, books);
      }
    }
    books.Nominate(view.cluster.GetJob(other.claim.job), other.claim);
  }
  return books;
}

bool Suffices(const PlanView& view, const CenterBooks& books, const Recall& recall,
              const std::vector<const ReclaimCandidate*>& victims) {
  CenterBooks after = books;
  for (const ReclaimCandidate* victim : victims) {
    GiveVictim(view, *victim, after);
  }
  const Job& claim = view.cluster.GetJob(recall.claim.job);
  return after.Fits(claim.spec.gang, recall.claim.device_class, claim.spec.gang.least_nodes(),
                    ClosedTo(view.cluster, claim, view.now));
}

Cost CostOf(const PlanView& view, const std::vector<const ReclaimCandidate*>& victims) {
  int64_t lost = 0;
  for (const ReclaimCandidate* victim : victims) {
    const Job& job = view.cluster.GetJob(victim->job);
    lost += victim->shrink ? 0 : LostSeconds(job, view.now) * view.cluster.HeldDevices(job);
  }
  return {lost, victims.size()};
}

std::vector<const ReclaimCandidate*> Subset(const std::vector<const ReclaimCandidate*>& all,
                                            uint32_t bits) {
  std::vector<const ReclaimCandidate*> chosen;
  for (size_t i = 0; i < all.size(); ++i) {
    if (((bits >> i) & 1U) != 0) {
      chosen.push_back(all[i]);
    }
  }
  return chosen;
}

// No elastic gang gives back one member more than the claim needs, nor ends where it could shrink.
void CheckMembers(const PlanView& view, const CenterBooks& books, const Recall& recall,
                  const std::vector<const ReclaimCandidate*>& victims, Findings& findings) {
  for (size_t i = 0; i < victims.size(); ++i) {
    const Job& job = view.cluster.GetJob(victims[i]->job);
    if (!job.spec.gang.is_elastic() || job.state != JobState::kRunning) {
      continue;
    }
    ReclaimCandidate less = *victims[i];
    less.members =
        less.shrink ? less.members - 1
                    : static_cast<int>(MembersOf(view, job).size()) - job.spec.gang.least_nodes();
    less.shrink = true;
    std::vector<const ReclaimCandidate*> others = victims;
    others[i] = &less;
    findings.Saw(victims[i]->shrink ? "shrinks" : "elastic gangs ended");
    findings.Expect("no member too many", !Suffices(view, books, recall, others),
                    absl::StrFormat("job %d gives back more than job %d needs", job.id.value(),
                                    recall.claim.job.value()));
  }
}

void CheckSubsets(const PlanView& view, size_t which, Findings& findings) {
  const Recall& recall = view.plan.recalls[which];
  std::vector<const ReclaimCandidate*> victims;
  std::vector<const ReclaimCandidate*> asked;
  for (const ReclaimCandidate& candidate : recall.certificate.candidates) {
    asked.push_back(&candidate);
    if (candidate.chosen) {
      victims.push_back(&candidate);
    }
  }
  const GangShape& claim = view.cluster.GetJob(recall.claim.job).spec.gang;
  if (victims.empty() || victims.size() > kSubsetsOf || claim.device_share_milli > 0) {
    return;
  }
  const CenterBooks books = BooksFor(view, which);
  findings.Saw("victims", static_cast<int64_t>(victims.size()));
  const uint32_t all = (1U << victims.size()) - 1;
  for (uint32_t bits = 0; bits < all; ++bits) {
    findings.Expect("no removable victim", !Suffices(view, books, recall, Subset(victims, bits)),
                    absl::StrFormat("job %d could do with fewer victims than %d",
                                    recall.claim.job.value(), victims.size()));
  }
  CheckMembers(view, books, recall, victims, findings);
  if (asked.size() > kSubsetsOf || IsElastic(view, recall.certificate)) {
    return;
  }
  Cost best = CostOf(view, victims);
  for (uint32_t bits = 0; bits < (1U << asked.size()); ++bits) {
    const std::vector<const ReclaimCandidate*> subset = Subset(asked, bits);
    if (CostOf(view, subset) < best) {
      findings.Expect("R4 optimum", !Suffices(view, books, recall, subset),
                      absl::StrFormat("job %d could cost less", recall.claim.job.value()));
    }
  }
}

bool SameNumbers(const PlanView& view, const ReclaimCandidate& row) {
  const Job& job = view.cluster.GetJob(row.job);
  const absl::Time since = std::max(job.attempt.started_at, job.attempt.checkpoint_at);
  const absl::Duration lost = since == absl::InfinitePast()
                                  ? absl::ZeroDuration()
                                  : std::max(view.now - since, absl::ZeroDuration());
  const auto members = static_cast<int64_t>(MembersOf(view, job).size());
  const bool whole = row.shrink || row.devices == members * job.spec.gang.devices_per_node;
  return row.attempt == job.attempt.number && row.tenant == job.spec.tenant &&
         row.priority == job.spec.priority && row.lost_work == lost &&
         row.started_at == job.attempt.started_at && row.notice == job.spec.grace && whole;
}

// Each row is asked when none that is asked later comes before it by R3.
bool IsR3Order(const PlanView& view, const Reclaim& certificate) {
  std::map<TenantId, int64_t> excess;
  for (const ReclaimCandidate& row : certificate.candidates) {
    excess.emplace(row.tenant, row.tenant_excess);
  }
  const auto rank = [&](const ReclaimCandidate& row) {
    const Job& job = view.cluster.GetJob(row.job);
    return std::tuple(row.priority, row.lost_work, view.now - job.attempt.created_at, row.job);
  };
  const auto& rows = certificate.candidates;
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = i + 1; j < rows.size(); ++j) {
      const auto x = static_cast<__int128>(excess[rows[i].tenant]) * rows[j].tenant_weight;
      const auto y = static_cast<__int128>(excess[rows[j].tenant]) * rows[i].tenant_weight;
      const bool own_i = rows[i].tenant == certificate.tenant;
      const bool own_j = rows[j].tenant == certificate.tenant;
      if (rows[i].tenant == rows[j].tenant ? rank(rows[j]) < rank(rows[i])
          : own_i == own_j                 ? x < y
                                           : own_j) {
        return false;
      }
    }
    excess[rows[i].tenant] = std::max<int64_t>(excess[rows[i].tenant] - rows[i].devices, 0);
  }
  return true;
}

}  // namespace

void CheckCertificates(const PlanView& view, Findings& findings) {
  const CenterBooks books(view.cluster);
  std::map<ClassId, std::map<TenantId, int64_t>> given_back;
  for (const Recall& recall : view.plan.recalls) {
    const Reclaim& certificate = recall.certificate;
    std::map<TenantId, int64_t>& given = given_back[certificate.device_class];
    const QuotaLimits limits =
        view.cluster.quota().Limits({certificate.tenant, ProjectId(), certificate.device_class});
    const Job& claim = view.cluster.GetJob(recall.claim.job);
    absl::Time due = view.now;
    int64_t lost = 0;
    bool rows = true;
    for (const ReclaimCandidate& row : certificate.candidates) {
      const QuotaLimits own =
          view.cluster.quota().Limits({row.tenant, ProjectId(), certificate.device_class});
      const int64_t used =
          books.UseOf(row.tenant, certificate.device_class).used() - given[row.tenant];
      rows = rows && SameNumbers(view, row) &&
             row.tenant_excess == std::max<int64_t>(used - own.entitlement, 0) &&
             row.tenant_weight == std::max<int64_t>(own.weight.value_or(own.entitlement), 1);
      if (row.chosen) {
        const Job& victim = view.cluster.GetJob(row.job);
        due = std::max(due, view.now + row.notice + view.policy.kill_timeout);
        lost += row.shrink ? 0 : LostSeconds(victim, view.now) * view.cluster.HeldDevices(victim);
      }
    }
    findings.Expect("certificate rows", rows, "a row does not tell what the cluster knows");
    findings.Expect(
        "certificate numbers",
        certificate.at == view.now && certificate.tenant == claim.spec.tenant &&
            certificate.entitlement == limits.entitlement &&
            certificate.used == books.UseOf(certificate.tenant, certificate.device_class).used() &&
            certificate.due == due && certificate.lost_device_seconds == lost &&
            certificate.nodes == static_cast<int>(recall.claim.members.size()) &&
            certificate.candidate_count >= static_cast<int64_t>(certificate.candidates.size()),
        absl::StrFormat("of the claim of job %d", claim.id.value()));
    if (certificate.candidates.size() > 1 && !IsElastic(view, certificate)) {
      findings.Expect("R3 order", IsR3Order(view, certificate), "asked in another order");
    }
    for (const ReclaimCandidate& row : certificate.candidates) {
      given[row.tenant] += row.chosen ? row.devices : 0;
    }
  }
}

void CheckMinimal(const PlanView& view, Findings& findings) {
  for (size_t i = 0; i < view.plan.recalls.size(); ++i) {
    // A swap inside a tenant frees devices for the quota's sake, too; where blocks are owed, rule
    // T1 says which places do.
    const Reclaim& certificate = view.plan.recalls[i].certificate;
    if (!certificate.within_tenant && !OwesBlocks(view.cluster, certificate.device_class)) {
      CheckSubsets(view, i, findings);
    }
  }
}

}  // namespace berth
