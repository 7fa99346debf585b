// The part of plan_checks.h that judges rule T1.

#include <map>
#include <set>

#include "absl/strings/str_format.h"

#include "tests/simulation/plan_checks.h"
#include "tests/testing/exact_blocks.h"

namespace berth {
namespace {

constexpr int kUnitsMax = 5;  // blocks that are searched for exactly

std::vector<BlockClaim> ClaimsOf(const Cluster& cluster, ClassId device_class) {
  std::vector<BlockClaim> claims;
  for (const auto& [key, limits] : cluster.quota().limits()) {
    if (key.device_class == device_class && !key.project && limits.block_count > 0) {
      claims.push_back({key.tenant, limits.block_level, limits.block_count});
    }
  }
  return claims;
}

// Every node with devices of the class, and who holds owned ones there.
std::vector<BlockNode> NodesOf(const CenterBooks& books, ClassId device_class) {
  std::vector<BlockNode> nodes;
  for (const auto& [id, devices] : books.devices()) {
    std::set<TenantId> owners;
    bool known = false;
    for (const auto& [index, device] : devices) {
      known = known || device.device_class == device_class;
      if (device.owner) {
        owners.insert(device.owner);
      }
    }
    if (known) {
      nodes.push_back({
          id, {owners.begin(), owners.end()}
      });
    }
  }
  return nodes;
}

ExactMatching::Counts Recoverable(const PlanView& view, const CenterBooks& books,
                                  const std::vector<BlockClaim>& claims, ClassId device_class) {
  const std::vector<BlockNode> nodes = NodesOf(books, device_class);
  return ExactMatching(view.cluster.free_index().topology(), claims, nodes).Run();
}

}  // namespace

void CheckOwedBlocks(const PlanView& view, Findings& findings) {
  std::map<ClassId, std::vector<BlockClaim>> claims;
  CenterBooks books(view.cluster);
  for (const Start& start : view.plan.starts) {
    const auto known =
        claims.try_emplace(start.device_class, ClaimsOf(view.cluster, start.device_class)).first;
    int units = 0;
    for (const BlockClaim& claim : known->second) {
      units += claim.count;
    }
    const Job& job = view.cluster.GetJob(start.job);
    if (start.funding != Funding::kOwned || units == 0 || units > kUnitsMax) {
      books.Start(job, start);
      continue;
    }
    const auto before = Recoverable(view, books, known->second, start.device_class);
    books.Start(job, start);
    findings.Expect("T1 owed blocks",
                    Recoverable(view, books, known->second, start.device_class) >= before,
                    absl::StrFormat("job %d breaks a block that is owed", job.id.value()));
  }
}

}  // namespace berth
