#include "scheduler/core/block_rule.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <tuple>

namespace berth {
namespace {

struct Block {
  std::vector<size_t> nodes;  // positions
  TenantId holder;            // none: nobody's, or several tenants'
  bool mixed = false;
  int untouched = 0;  // blocks of the next level claimed in it that have no holder
};

class Matching {
 public:
  Matching(const Topology& topology, const std::vector<BlockNode>& nodes)
      : topology_(topology), nodes_(nodes), used_(nodes.size(), false) {}

  // `next`: the widest level below that is claimed too.
  int Match(TopologyLevel level, TopologyLevel next, const std::vector<const BlockClaim*>& claims) {
    std::vector<Block> blocks = BlocksOf(level);
    for (Block& block : blocks) {
      block.untouched = CountUntouched(next, block);
    }
    std::stable_sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) {
      return std::tuple(a.untouched, a.nodes.size()) < std::tuple(b.untouched, b.nodes.size());
    });
    int matched = 0;
    int open = 0;
    for (const BlockClaim* claim : claims) {
      const int own = Use(blocks, claim->tenant, claim->count);
      matched += own;
      open += claim->count - own;
    }
    return matched + Use(blocks, TenantId(), open);
  }

 private:
  // -1: in no block of the level.
  int NumberOf(TopologyLevel level, size_t at) const {
    return level == TopologyLevel::kNone ? static_cast<int>(at)
                                         : topology_.DomainOf(level, nodes_[at].node);
  }

  int CountUntouched(TopologyLevel level, const Block& block) const {
    std::map<int, bool> untouched;
    for (size_t at : block.nodes) {
      const int number = NumberOf(level, at);
      const bool here = number >= 0 && nodes_[at].holders.empty();
      const auto [entry, added] = untouched.emplace(number, here);
      entry->second = entry->second && here;
    }
    return static_cast<int>(std::count_if(untouched.begin(), untouched.end(),
                                          [](const auto& entry) { return entry.second; }));
  }

  std::vector<Block> BlocksOf(TopologyLevel level) const {
    std::map<int, Block> blocks;
    std::map<int, bool> spoiled;  // a part is in a wider block
    for (size_t at = 0; at < nodes_.size(); ++at) {
      const int number = NumberOf(level, at);
      if (number < 0) {
        continue;
      }
      Block& block = blocks[number];
      block.nodes.push_back(at);
      spoiled[number] = spoiled[number] || used_[at];
      for (TenantId holder : nodes_[at].holders) {
        block.mixed = block.mixed || (block.holder && block.holder != holder);
        block.holder = holder;
      }
    }
    std::vector<Block> whole;
    for (auto& [number, block] : blocks) {
      if (!spoiled[number] && !block.mixed) {
        whole.push_back(std::move(block));
      }
    }
    return whole;
  }

  // Uses at most `count` of the blocks with this holder.
  int Use(const std::vector<Block>& blocks, TenantId holder, int count) {
    int used = 0;
    for (const Block& block : blocks) {
      if (used < count && block.holder == holder && !used_[block.nodes.front()]) {
        ++used;
        for (size_t node : block.nodes) {
          used_[node] = true;
        }
      }
    }
    return used;
  }

  const Topology& topology_;
  const std::vector<BlockNode>& nodes_;
  std::vector<bool> used_;
};

}  // namespace

std::vector<int> CountRecoverableBlocks(const Topology& topology,
                                        const std::vector<BlockClaim>& claims,
                                        const std::vector<BlockNode>& nodes) {
  std::map<TopologyLevel, std::vector<const BlockClaim*>> by_level;
  for (const BlockClaim& claim : claims) {
    const bool node = claim.level < TopologyLevel::kRack;
    by_level[node ? TopologyLevel::kNone : claim.level].push_back(&claim);
  }
  Matching matching(topology, nodes);
  std::vector<int> matched;
  for (auto level = by_level.rbegin(); level != by_level.rend(); ++level) {
    const auto next = std::next(level);
    matched.push_back(matching.Match(
        level->first, next == by_level.rend() ? TopologyLevel::kNone : next->first, level->second));
  }
  return matched;
}

}  // namespace berth
