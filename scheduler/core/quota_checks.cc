#include "scheduler/core/quota_checks.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/core/block_rule.h"

namespace berth {
namespace {

constexpr int64_t kDevicesMax = 1000000000;

absl::Status Refuse(absl::string_view code, const std::string& message, const std::string& why,
                    const std::string& fix) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.code = code, .message = message, .why = why, .fix = fix});
}

// Projects together own no more than their tenant.
absl::Status CheckProjects(const Cluster& cluster, const QuotaKey& key, const QuotaLimits& limits) {
  const QuotaKey tenant_key{key.tenant, ProjectId(), key.device_class};
  int64_t sum = cluster.quota().ProjectEntitlementSum(key.tenant, key.device_class);
  int64_t owned = cluster.quota().Limits(tenant_key).entitlement;
  if (key.project) {
    sum += limits.entitlement - cluster.quota().Limits(key).entitlement;
  } else {
    owned = limits.entitlement;
  }
  if (sum <= owned) {
    return absl::OkStatus();
  }
  return Refuse(
      "B2314",
      absl::StrFormat("the projects of \"%s\" would own %d of %s together, the tenant owns %d",
                      cluster.quota().FindTenant(key.tenant)->name, sum,
                      cluster.ClassName(key.device_class), owned),
      "a tenant's projects share what it owns", "lower a project's entitlement first");
}

absl::Status CheckOversell(const Cluster& cluster, const QuotaKey& key, const QuotaLimits& limits) {
  if (key.project) {
    return absl::OkStatus();
  }
  const int64_t sum = cluster.quota().EntitlementSum(key.device_class) -
                      cluster.quota().Limits(key).entitlement + limits.entitlement;
  const int64_t capacity = cluster.KnownDevices(key.device_class);
  if (sum <= capacity || limits.entitlement <= cluster.quota().Limits(key).entitlement) {
    return absl::OkStatus();
  }
  return Refuse("B2315",
                absl::StrFormat("entitlements of %s would become %d of %d devices",
                                cluster.ClassName(key.device_class), sum, capacity),
                "not every tenant could get what it owns at the same time",
                "use a smaller entitlement, or say --allow-oversell");
}

// What a block of the level is called: "2 whole racks".
std::string Blocks(int64_t count, TopologyLevel level) {
  const absl::string_view noun = level < TopologyLevel::kRack ? "node" : Name(level);
  return absl::StrCat(count, " whole ", noun, count == 1 ? "" : "s");
}

// The nodes with devices of the class, nothing given out.
std::vector<BlockNode> EmptyNodes(const Cluster& cluster, ClassId device_class) {
  std::vector<BlockNode> nodes;
  for (const NodeSet& some : cluster.free_index().OfClass(device_class).known.by_count()) {
    some.ForEach(nullptr, [&](NodeId node) {
      nodes.push_back({node, {}});
      return true;
    });
  }
  return nodes;
}

// The devices of the class in each block of the level, the smallest first.
std::vector<int64_t> BlockSizes(const Cluster& cluster, ClassId device_class, TopologyLevel level) {
  const FreeIndex& index = cluster.free_index();
  const bool single = level < TopologyLevel::kRack;
  std::map<int64_t, int64_t> by_block;
  for (const BlockNode& entry : EmptyNodes(cluster, device_class)) {
    const int64_t block = single ? static_cast<int64_t>(entry.node.value())
                                 : index.topology().DomainOf(level, entry.node);
    if (block >= 0) {
      by_block[block] += CountDevices(index.Site(entry.node).Known(device_class));
    }
  }
  std::vector<int64_t> sizes;
  for (const auto& [block, devices] : by_block) {
    sizes.push_back(devices);
  }
  std::sort(sizes.begin(), sizes.end());
  return sizes;
}

// All tenants' blocks can be given at once, these among them.
absl::Status CheckOwedBlocks(const Cluster& cluster, const QuotaKey& key,
                             const QuotaLimits& limits) {
  std::vector<BlockClaim> claims = {
      {key.tenant, limits.block_level, limits.block_count}
  };
  for (const auto& [other, owed] : cluster.quota().limits()) {
    if (other.device_class == key.device_class && !other.project && other.tenant != key.tenant &&
        owed.block_count > 0) {
      claims.push_back({other.tenant, owed.block_level, owed.block_count});
    }
  }
  const auto sum = [](int64_t total, const BlockClaim& claim) { return total + claim.count; };
  const int64_t owed = std::accumulate(claims.begin(), claims.end(), int64_t{0}, sum);
  const std::vector<int> counts = CountRecoverableBlocks(cluster.free_index().topology(), claims,
                                                         EmptyNodes(cluster, key.device_class));
  const int64_t found = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  if (owed <= found) {
    return absl::OkStatus();
  }
  return Refuse("B2319",
                absl::StrFormat("%s of %s cannot be owed: of %d in all the center can give %d",
                                Blocks(limits.block_count, limits.block_level),
                                cluster.ClassName(key.device_class), owed, found),
                absl::StrFormat("others are owed %d, and a node counts for one block only",
                                owed - limits.block_count),
                "use fewer blocks or another level, or, for nodes still to come, --allow-oversell");
}

// The tenant owns as many devices as its blocks have at least.
absl::Status CheckBlockSizes(const Cluster& cluster, const QuotaKey& key,
                             const QuotaLimits& limits) {
  const std::vector<int64_t> sizes = BlockSizes(cluster, key.device_class, limits.block_level);
  const auto count = std::min(sizes.size(), static_cast<size_t>(limits.block_count));
  const int64_t least = std::accumulate(
      sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(count), int64_t{0});
  if (least <= limits.entitlement) {
    return absl::OkStatus();
  }
  return Refuse("B2318",
                absl::StrFormat("%s: %d devices of %s at least, above the entitlement %d",
                                Blocks(limits.block_count, limits.block_level), least,
                                cluster.ClassName(key.device_class), limits.entitlement),
                "blocks are a part of what the tenant owns",
                absl::StrFormat("use --entitlement %d or more, or fewer blocks", least));
}

absl::Status CheckBlocks(const Cluster& cluster, const QuotaKey& key, const QuotaLimits& limits,
                         bool allow_oversell) {
  if (limits.block_count == 0) {
    return absl::OkStatus();
  }
  if (key.project) {
    return Refuse("B2317", "a project cannot be owed whole blocks",
                  "only a tenant is: its projects share them", "leave --blocks out");
  }
  const QuotaLimits before = cluster.quota().Limits(key);
  const bool more =
      limits.block_level != before.block_level || limits.block_count > before.block_count;
  if (more || limits.entitlement < before.entitlement) {
    RETURN_IF_ERROR(CheckBlockSizes(cluster, key, limits));
  }
  return more && !allow_oversell ? CheckOwedBlocks(cluster, key, limits) : absl::OkStatus();
}

}  // namespace

absl::Status CheckQuotaNumbers(const QuotaLimits& limits) {
  const int64_t limit = limits.limit.value_or(kDevicesMax);
  const int64_t weight = limits.weight.value_or(0);
  if (std::min({limits.entitlement, limit, limits.non_lendable, weight}) < 0 ||
      std::max({limits.entitlement, limit, weight}) > kDevicesMax) {
    return Refuse("B2311", "quota numbers are whole devices, 0 to 1,000,000,000", "", "");
  }
  if (limits.entitlement > limit) {
    return Refuse(
        "B2312", absl::StrFormat("entitlement %d is above the limit %d", limits.entitlement, limit),
        "a tenant may always use what it owns",
        absl::StrFormat("use --limit %d or more", limits.entitlement));
  }
  if (limits.non_lendable > limits.entitlement) {
    return Refuse("B2313",
                  absl::StrFormat("the non-lendable part %d is above the entitlement %d",
                                  limits.non_lendable, limits.entitlement),
                  "only what is owned can be kept back", "");
  }
  return absl::OkStatus();
}

absl::Status CheckQuotaSums(const Cluster& cluster, const QuotaKey& key, const QuotaLimits& limits,
                            bool allow_oversell) {
  RETURN_IF_ERROR(CheckProjects(cluster, key, limits));
  RETURN_IF_ERROR(CheckBlocks(cluster, key, limits, allow_oversell));
  return allow_oversell ? absl::OkStatus() : CheckOversell(cluster, key, limits);
}

}  // namespace berth
