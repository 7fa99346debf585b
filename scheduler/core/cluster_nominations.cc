// The part of Cluster that keeps devices for claims, with the certificates of why.

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "scheduler/core/cluster.h"

namespace berth {
namespace {

// Whether the claim's devices are still what its job asks for.
bool IsStillFit(const GangShape& gang, const Start& claim) {
  const auto members = static_cast<int>(claim.members.size());
  const bool suits = gang.classes.empty() ||
                     std::count(gang.classes.begin(), gang.classes.end(), claim.device_class) > 0;
  return suits && members >= gang.least_nodes() && members <= gang.nodes &&
         DevicesOf(claim.members) == int64_t{members} * gang.devices_per_node;
}

}  // namespace

bool Cluster::AreUsable(const std::vector<Placement>& members) const {
  return std::all_of(members.begin(), members.end(), [this](const Placement& member) {
    const Node* node = FindNode(member.node);
    if (node == nullptr || !node->IsUsable()) {
      return false;
    }
    return std::all_of(member.devices.begin(), member.devices.end(), [node](const DeviceShare& s) {
      return std::any_of(node->facts.devices.begin(), node->facts.devices.end(),
                         [&s](const Device& device) {
                           return device.index == s.index && device.uuid == s.uuid &&
                                  device.health != DeviceHealth::kQuarantined;
                         });
    });
  });
}

bool Cluster::MayStart(const Start& claim) const {
  const Job* job = FindJob(claim.job);
  return job != nullptr && job->group && IsReady(*job) &&
         !quota_.FindTenant(job->spec.tenant)->suspended &&
         !broken_nominations_.contains(claim.job) &&
         IsStillFit(groups_.at(job->group).key.gang, claim);
}

bool Cluster::AwaitsOwnTenant(JobId claim) const {
  const Reclaim& reclaim = open_reclaims_.at(claim);
  return std::any_of(
      reclaim.candidates.begin(), reclaim.candidates.end(), [&](const ReclaimCandidate& candidate) {
        const Job* asked = FindJob(candidate.job);
        return candidate.chosen && candidate.tenant == reclaim.tenant && asked != nullptr &&
               !asked->allocations.empty() && asked->attempt.number == candidate.attempt;
      });
}

bool Cluster::OnlyWaits(const Start& claim) const {
  return !AwaitsOwnTenant(claim.job) && MayStart(claim) &&
         std::any_of(claim.members.begin(), claim.members.end(), [this](const Placement& member) {
           const DeviceMask asked = MaskOf(free_index_.Site(member.node), member.devices);
           return (free_index_.Load(member.node).busy & asked) != 0;
         });
}

void Cluster::ListWaitingClaims() {
  for (const JobId id : std::set<JobId>(waiting_claims_.stirred())) {
    const Start& claim = nominations_.at(id);
    if (OnlyWaits(claim)) {
      const JobSpec& spec = jobs_.at(id).spec;
      waiting_claims_.List(
          id, {
                  .due = open_reclaims_.at(id).due,
                  .key = {spec.tenant, spec.project, claim.device_class},
                  .use = QuotaUse::Of(DevicesOf(claim.members), claim.funding, spec.preemptible)
      });
    }
  }
}

void Cluster::StirClaimsOn(const Allocation& released) {
  const DeviceMask devices = MaskOf(free_index_.Site(released.node), released.devices);
  if ((free_index_.Load(released.node).nominated & devices) == 0) {
    return;
  }
  for (const auto& [id, claim] : nominations_) {
    if (std::any_of(claim.members.begin(), claim.members.end(),
                    [&](const Placement& member) { return member.node == released.node; })) {
      waiting_claims_.Stir(id);
    }
  }
}

void Cluster::CheckNomination(const Start& claim) {
  if (AreUsable(claim.members)) {
    broken_nominations_.erase(claim.job);
  } else {
    broken_nominations_.insert(claim.job);
  }
}

void Cluster::Nominate(const Start& claim, Reclaim certificate) {
  BERTH_CHECK(!nominations_.contains(claim.job));
  last_reclaim_ = ReclaimId(last_reclaim_.value() + 1);
  certificate.id = last_reclaim_;
  new_nouns_.reclaims.push_back(certificate);
  open_reclaims_[claim.job] = std::move(certificate);
  nominations_[claim.job] = claim;
  waiting_claims_.Add(claim.job);
  CheckNomination(claim);
  for (const Placement& member : claim.members) {
    SetNominated(member, claim.host, true);
  }
  StirFor(jobs_.at(claim.job).spec.gang);
}

void Cluster::DropNomination(JobId claim, absl::Time settled_at) {
  const auto found = nominations_.find(claim);
  if (found == nominations_.end()) {
    return;
  }
  for (const Placement& member : found->second.members) {
    SetNominated(member, found->second.host, false);
  }
  stirred_.Stir(found->second.device_class);
  waiting_claims_.Drop(claim);
  nominations_.erase(found);
  broken_nominations_.erase(claim);
  Reclaim& reclaim = open_reclaims_.at(claim);
  reclaim.settled_at = settled_at;
  new_nouns_.reclaims.push_back(std::move(reclaim));
  open_reclaims_.erase(claim);
}

void Cluster::GiveUpReclaims(std::vector<Reclaim> open) {
  for (Reclaim& reclaim : open) {
    reclaim.settled_at = absl::InfiniteFuture();
    new_nouns_.reclaims.push_back(std::move(reclaim));
  }
}

}  // namespace berth
