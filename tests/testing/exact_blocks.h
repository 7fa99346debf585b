#ifndef BERTH_TESTS_TESTING_EXACT_BLOCKS_H_
#define BERTH_TESTS_TESTING_EXACT_BLOCKS_H_

// Rule T1 by brute force, for small trees: every block is tried for every unit of every claim.

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "scheduler/core/block_rule.h"

namespace berth {

class ExactMatching {
 public:
  ExactMatching(const Topology& topology, const std::vector<BlockClaim>& claims,
                const std::vector<BlockNode>& nodes)
      : topology_(topology), claims_(claims), nodes_(nodes) {
    for (const BlockClaim& claim : claims) {
      units_.insert(units_.end(), static_cast<size_t>(claim.count), claim);
    }
  }

  // The most blocks by level, the widest first.
  using Counts = std::map<TopologyLevel, int, std::greater<>>;

  Counts Run(size_t unit = 0) {
    if (unit == units_.size()) {
      Counts none;
      for (const BlockClaim& claim : claims_) {
        none[claim.level] = 0;
      }
      return none;
    }
    Counts best = Run(unit + 1);
    std::set<int> domains;
    for (size_t at = 0; at < nodes_.size(); ++at) {
      domains.insert(DomainOf(units_[unit].level, at));
    }
    for (int domain : domains) {
      const std::vector<size_t> block = NodesOf(units_[unit].level, domain);
      if (!Recoverable(units_[unit].tenant, block)) {
        continue;
      }
      used_.insert(block.begin(), block.end());
      Counts found = Run(unit + 1);
      ++found[units_[unit].level];
      best = std::max(best, found);
      for (size_t node : block) {
        used_.erase(node);
      }
    }
    return best;
  }

 private:
  int DomainOf(TopologyLevel level, size_t at) const {
    return level < TopologyLevel::kRack ? static_cast<int>(at)
                                        : topology_.DomainOf(level, nodes_[at].node);
  }
  std::vector<size_t> NodesOf(TopologyLevel level, int domain) const {
    std::vector<size_t> nodes;
    for (size_t at = 0; at < nodes_.size(); ++at) {
      if (DomainOf(level, at) == domain) {
        nodes.push_back(at);
      }
    }
    return nodes;
  }
  bool Recoverable(TenantId tenant, const std::vector<size_t>& block) const {
    return std::all_of(block.begin(), block.end(), [&](size_t at) {
      const auto& holders = nodes_[at].holders;
      return !used_.contains(at) && std::all_of(holders.begin(), holders.end(),
                                                [tenant](TenantId id) { return id == tenant; });
    });
  }

  const Topology& topology_;
  const std::vector<BlockClaim>& claims_;
  const std::vector<BlockNode>& nodes_;
  std::vector<BlockClaim> units_;
  std::set<size_t> used_;
};

}  // namespace berth

#endif  // BERTH_TESTS_TESTING_EXACT_BLOCKS_H_
