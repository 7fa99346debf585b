#include "scheduler/core/nominations.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace berth {

void Nominations::Add(const Start& claim, Reclaim certificate, FreeIndex& nodes) {
  BERTH_CHECK(!claims_.contains(claim.job));
  claims_[claim.job] = claim;
  reclaims_[claim.job] = std::move(certificate);
  waiting_.Add(claim.job);
  for (const Placement& member : claim.members) {
    nodes.SetNominated(member.node, member.devices, claim.host, true);
  }
}

Reclaim Nominations::Remove(JobId id, FreeIndex& nodes) {
  const auto claim = claims_.find(id);
  BERTH_CHECK(claim != claims_.end());
  for (const Placement& member : claim->second.members) {
    nodes.SetNominated(member.node, member.devices, claim->second.host, false);
  }
  claims_.erase(claim);
  broken_.erase(id);
  waiting_.Drop(id);
  return std::move(reclaims_.extract(id).mapped());
}

std::vector<JobId> Nominations::KeepAgain(NodeId node, FreeIndex& nodes) {
  std::vector<JobId> there;
  for (const auto& [id, claim] : claims_) {
    for (const Placement& member : claim.members) {
      if (member.node == node) {
        nodes.SetNominated(node, member.devices, claim.host, true);
        waiting_.Stir(id);
        there.push_back(id);
      }
    }
  }
  return there;
}

void Nominations::SetBroken(JobId claim, bool broken) {
  BERTH_CHECK(claims_.contains(claim));
  if (broken) {
    broken_.insert(claim);
  } else {
    broken_.erase(claim);
  }
}

void Nominations::StirThoseFor(const Allocation& released, const FreeIndex& nodes) {
  const DeviceMask devices = MaskOf(nodes.Site(released.node), released.devices);
  if ((nodes.Load(released.node).nominated & devices) == 0) {
    return;
  }
  for (const auto& [id, claim] : claims_) {
    if (std::any_of(claim.members.begin(), claim.members.end(),
                    [&](const Placement& member) { return member.node == released.node; })) {
      waiting_.Stir(id);
    }
  }
}

}  // namespace berth
