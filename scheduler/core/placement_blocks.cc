// The part of FreeView that keeps owed blocks whole (quota.md, T1).

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include "scheduler/core/block_rule.h"
#include "scheduler/core/placement.h"

namespace berth {
namespace {

std::vector<BlockNode> ListNodes(const FreeView& view, ClassId device_class) {
  std::vector<BlockNode> nodes;
  for (const NodeSet& some : view.cluster().free_index().OfClass(device_class).known.by_count()) {
    some.ForEach(nullptr, [&](NodeId node) {
      BlockNode entry{node, {}};
      for (const OwnedUse& use : view.Load(node).owned) {
        entry.holders.push_back(use.tenant);
      }
      nodes.push_back(std::move(entry));
      return true;
    });
  }
  std::sort(nodes.begin(), nodes.end(),
            [](const BlockNode& a, const BlockNode& b) { return a.node < b.node; });
  return nodes;
}

std::vector<BlockClaim> ListClaims(const Cluster& cluster, ClassId device_class) {
  std::vector<BlockClaim> claims;
  for (const auto& [key, limits] : cluster.quota().limits()) {
    if (key.device_class == device_class && !key.project && limits.block_count > 0) {
      claims.push_back({key.tenant, limits.block_level, limits.block_count});
    }
  }
  return claims;
}

TopologyLevel LevelOf(const BlockClaim& claim) {
  return claim.level < TopologyLevel::kRack ? TopologyLevel::kNone : claim.level;
}

std::set<TopologyLevel> LevelsOf(const std::vector<BlockClaim>& claims) {
  std::set<TopologyLevel> levels;
  for (const BlockClaim& claim : claims) {
    levels.insert(LevelOf(claim));
  }
  return levels;
}

}  // namespace

const std::vector<BlockClaim>& FreeView::BlockClaims(ClassId device_class) const {
  const auto known = cache_->claims.find(device_class);
  return known != cache_->claims.end()
             ? known->second
             : cache_->claims.emplace(device_class, ListClaims(*cluster_, device_class))
                   .first->second;
}

bool FreeView::MayBreakBlocks(const PlaceRequest& request) const {
  return request.funding == Funding::kOwned && !BlockClaims(request.device_class).empty();
}

std::array<NodeSet, 2> FreeView::BrokenBlocks(const PlaceRequest& request) const {
  enum State : char { kWhole, kBroken, kOwn };
  std::array<NodeSet, 2> stages;
  const auto& known = index_->OfClass(request.device_class).known.by_count();
  for (const BlockClaim& claim : BlockClaims(request.device_class)) {
    const bool single = claim.level < TopologyLevel::kRack;
    static const std::vector<NodeSet> kNone;
    const auto& domains = single ? kNone : index_->topology().Domains(claim.level);
    std::vector<State> states(domains.size(), kWhole);
    const auto note = [&](NodeId node) {
      State state = Load(node).owned.empty() ? kWhole : kBroken;
      for (const OwnedUse& use : Load(node).owned) {
        state = use.tenant == request.tenant ? kOwn : state;
      }
      const int domain = single ? -1 : index_->topology().DomainOf(claim.level, node);
      if (domain >= 0) {
        State& all = states[static_cast<size_t>(domain)];
        all = std::max(all, state);
      } else if (state != kWhole) {
        stages[1].insert(node);
        if (state == kOwn) {
          stages[0].insert(node);
        }
      }
      return true;
    };
    for (const NodeSet& nodes : known) {
      nodes.ForEach(nullptr, note);
    }
    for (size_t domain = 0; domain < states.size(); ++domain) {
      if (states[domain] != kWhole) {
        stages[1].Unite(domains[domain]);
      }
      if (states[domain] == kOwn) {
        stages[0].Unite(domains[domain]);
      }
    }
  }
  return stages;
}

void FreeView::NoteHolders(const PlaceRequest& request, NodeId node, BlockHolders& holders) const {
  for (const OwnedUse& use : Load(node).owned) {
    if (use.tenant == request.tenant) {
      holders.own = true;
    } else {
      holders.mixed = holders.mixed || (holders.other && holders.other != use.tenant);
      holders.other = use.tenant;
    }
  }
}

bool FreeView::IsSpent(const PlaceRequest& request, TopologyLevel level,
                       const BlockHolders& holders) const {
  const std::vector<BlockClaim>& claims = BlockClaims(request.device_class);
  return holders.own || holders.mixed ||
         (holders.other && std::none_of(claims.begin(), claims.end(), [&](const auto& claim) {
            return LevelOf(claim) == level && claim.tenant == holders.other;
          }));
}

NodeSet FreeView::SpentBlocks(const PlaceRequest& request) const {
  NodeSet known;
  for (const NodeSet& some : index_->OfClass(request.device_class).known.by_count()) {
    known.Unite(some);
  }
  NodeSet spent = known;
  for (const TopologyLevel level : LevelsOf(BlockClaims(request.device_class))) {
    if (level != TopologyLevel::kNone) {
      for (const NodeSet& block : index_->topology().Domains(level)) {
        BlockHolders holders;
        block.ForEach(&known, [&](NodeId node) {
          NoteHolders(request, node, holders);
          return true;
        });
        if (!IsSpent(request, level, holders)) {
          spent.Subtract(block);
        }
      }
      continue;
    }
    known.ForEach(nullptr, [&](NodeId node) {
      BlockHolders holders;
      NoteHolders(request, node, holders);
      if (!IsSpent(request, level, holders)) {
        spent.erase(node);
      }
      return true;
    });
  }
  return spent;
}

std::vector<FreeView::BlockHolders> FreeView::KindOf(const PlaceRequest& request,
                                                     NodeId node) const {
  std::vector<BlockHolders> kind;
  for (const TopologyLevel level : LevelsOf(BlockClaims(request.device_class))) {
    BlockHolders& holders = kind.emplace_back();
    const int domain =
        level == TopologyLevel::kNone ? -1 : index_->topology().DomainOf(level, node);
    if (domain < 0) {
      NoteHolders(request, node, holders);
      continue;
    }
    index_->topology().Domains(level)[static_cast<size_t>(domain)].ForEach(
        nullptr, [&](NodeId neighbour) {
          NoteHolders(request, neighbour, holders);
          return true;
        });
  }
  return kind;
}

NodeSet FreeView::SafeNodes(const PlaceRequest& request, const NodeSet* filter) const {
  FreeView after = *this;
  NodeSet safe = SpentBlocks(request);
  std::set<std::vector<BlockHolders>> needed;  // what one node cannot be taken from, no other can
  int added = 0;
  for (NodeId node : Candidates(request, filter, false, std::numeric_limits<int>::max())) {
    if (added == request.nodes) {
      break;
    }
    if (safe.contains(node)) {
      continue;
    }
    const std::vector<BlockHolders> kind = after.KindOf(request, node);
    if (needed.contains(kind)) {
      continue;
    }
    const Placement member =
        MakePlacement(node, PickDevices(node, request.device_class, request.gang.devices_per_node),
                      kWholeDeviceMilli);
    if (CheckBlocks(after, request, {member}).has_value()) {
      needed.insert(kind);
      continue;
    }
    after.Take(request, {member});
    safe = after.SpentBlocks(request);
    ++added;
  }
  return safe;
}

bool FreeView::LeavesBlocksAsTheyAre(const PlaceRequest& request,
                                     const std::vector<Placement>& members) const {
  const auto held = [&](const BlockClaim& claim, NodeId node) {
    TenantId other;
    bool shared = false;
    const auto note = [&](NodeId neighbour) {
      for (const OwnedUse& use : Load(neighbour).owned) {
        shared = shared || use.tenant == request.tenant || (other && other != use.tenant);
        other = use.tenant;
      }
      return !shared;
    };
    const int domain =
        claim.level < TopologyLevel::kRack ? -1 : index_->topology().DomainOf(claim.level, node);
    if (domain < 0) {
      note(node);
    } else {
      index_->topology().Domains(claim.level)[static_cast<size_t>(domain)].ForEach(nullptr, note);
    }
    return shared;
  };
  for (const BlockClaim& claim : BlockClaims(request.device_class)) {
    for (const Placement& member : members) {
      if (!held(claim, member.node)) {
        return false;
      }
    }
  }
  return true;
}

std::vector<Placement> FreeView::FindSparing(const PlaceRequest& request) const {
  const NodeSet* filter = Filter(request, true);
  PlaceRequest whole = request;
  whole.fixed = true;
  const auto find = [&](NodeSet stage, const PlaceRequest& wish) {
    if (filter != nullptr) {
      stage.Intersect(*filter);
    }
    std::vector<Placement> members = FindPlaces(wish, &stage);
    const bool sparing = !members.empty() && !CheckBlocks(*this, request, members).has_value();
    return sparing ? members : std::vector<Placement>();
  };
  const auto [own, broken] = BrokenBlocks(request);
  // A broken block may still be owed: to him who holds it.
  for (const NodeSet& stage : {own, broken, SpentBlocks(request)}) {
    if (std::vector<Placement> members = find(stage, whole); !members.empty()) {
      return members;
    }
  }
  std::vector<Placement> members = FindPlaces(request, filter);
  if (members.empty() || !CheckBlocks(*this, request, members).has_value()) {
    return members;
  }
  std::vector<Placement> safe = find(SafeNodes(request, filter), request);
  return safe.empty() ? members : safe;
}

bool FitsWithBlocks(const FreeView& view, const PlaceRequest& request) {
  if (!view.CanPlace(request)) {
    return false;
  }
  if (!view.MayBreakBlocks(request)) {
    return true;
  }
  Blocker ignored;
  const auto members = view.Place(request, ignored);
  return members.has_value() && !CheckBlocks(view, request, *members).has_value();
}

std::optional<Blocker> CheckBlocks(const FreeView& view, const PlaceRequest& request,
                                   const std::vector<Placement>& members) {
  if (!view.MayBreakBlocks(request) || view.LeavesBlocksAsTheyAre(request, members)) {
    return std::nullopt;
  }
  const std::vector<BlockClaim>& claims = view.BlockClaims(request.device_class);
  const Topology& topology = view.cluster().free_index().topology();
  FreeView after = view;
  after.Take(request, members);
  const std::vector<int> before =
      CountRecoverableBlocks(topology, claims, ListNodes(view, request.device_class));
  const std::vector<int> left =
      CountRecoverableBlocks(topology, claims, ListNodes(after, request.device_class));
  if (left >= before) {
    return std::nullopt;
  }
  Blocker blocker{.code = ReasonCode::kBlocksOwed, .device_class = request.device_class};
  blocker.have = std::accumulate(left.begin(), left.end(), int64_t{0});
  for (const BlockClaim& claim : claims) {
    blocker.bound += claim.count;
  }
  return blocker;
}

}  // namespace berth
