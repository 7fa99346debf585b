// The part of Cluster that keeps devices for claims, with the certificates of why.

#include <algorithm>
#include <utility>

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

bool OnlyWaits(const Cluster& cluster, const Start& claim) {
  const FreeIndex& nodes = cluster.free_index();
  return !cluster.AwaitsOwnTenant(claim.job) && cluster.MayStart(claim) &&
         std::any_of(claim.members.begin(), claim.members.end(), [&nodes](const auto& member) {
           const DeviceMask asked = MaskOf(nodes.Site(member.node), member.devices);
           return (nodes.Load(member.node).busy & asked) != 0;
         });
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
         !broken_nominations().contains(claim.job) &&
         IsStillFit(groups_.at(job->group).key.gang, claim);
}

bool Cluster::AwaitsOwnTenant(JobId claim) const {
  const Reclaim& reclaim = open_reclaims().at(claim);
  return std::any_of(
      reclaim.candidates.begin(), reclaim.candidates.end(), [&](const ReclaimCandidate& candidate) {
        const Job* asked = FindJob(candidate.job);
        return candidate.chosen && candidate.tenant == reclaim.tenant && asked != nullptr &&
               !asked->allocations.empty() && asked->attempt.number == candidate.attempt;
      });
}

void Cluster::ListWaitingClaims() {
  for (const JobId id : std::set<JobId>(waiting_claims().stirred())) {
    const Start& claim = nominations().at(id);
    if (OnlyWaits(*this, claim)) {
      const JobSpec& spec = jobs_.at(id).spec;
      nominations_.List(
          id, {
                  .due = open_reclaims().at(id).due,
                  .key = {spec.tenant, spec.project, claim.device_class},
                  .use = QuotaUse::Of(DevicesOf(claim.members), claim.funding, spec.preemptible)
      });
    }
  }
}

void Cluster::CheckNomination(const Start& claim) {
  nominations_.SetBroken(claim.job, !AreUsable(claim.members));
}

void Cluster::Nominate(const Start& claim, Reclaim certificate) {
  last_reclaim_ = ReclaimId(last_reclaim_.value() + 1);
  certificate.id = last_reclaim_;
  new_nouns_.reclaims.push_back(certificate);
  nominations_.Add(claim, std::move(certificate), free_index_);
  CheckNomination(claim);
  for (const Placement& member : claim.members) {
    StirNode(member.node);
  }
  StirFor(jobs_.at(claim.job).spec.gang);
}

void Cluster::DropNomination(JobId id, absl::Time settled_at) {
  const auto claim = nominations().find(id);
  if (claim == nominations().end()) {
    return;
  }
  for (const Placement& member : claim->second.members) {
    StirNode(member.node);
  }
  stirred_.Stir(claim->second.device_class);
  Reclaim reclaim = nominations_.Remove(id, free_index_);
  reclaim.settled_at = settled_at;
  new_nouns_.reclaims.push_back(std::move(reclaim));
}

void Cluster::GiveUpReclaims(std::vector<Reclaim> open) {
  for (Reclaim& reclaim : open) {
    reclaim.settled_at = absl::InfiniteFuture();
    new_nouns_.reclaims.push_back(std::move(reclaim));
  }
}

}  // namespace berth
