#ifndef BERTH_SCHEDULER_CORE_BLOCK_RULE_H_
#define BERTH_SCHEDULER_CORE_BLOCK_RULE_H_

// Rule T1 of quota.md: who is owed whole blocks must still find them. A block is recoverable for a
// tenant while nobody else holds owned devices in it: what is borrowed there can be recalled.

#include <vector>

#include "scheduler/core/ids.h"
#include "scheduler/core/job.h"
#include "scheduler/core/topology.h"

namespace berth {

// So many blocks of a level; kNone and kRing: whole nodes. A tenant has one claim per class.
struct BlockClaim {
  TenantId tenant;
  TopologyLevel level = TopologyLevel::kNone;
  int count = 0;
};

// A node with devices of the class, and who holds owned devices there.
struct BlockNode {
  NodeId node;
  std::vector<TenantId> holders;
};

// How many of the claimed blocks can be found at once, no node in two of them: one number for each
// level that is claimed, the widest first. Wider blocks come first: no number can grow unless one
// before it shrinks.
//
// Levels nest, and a tenant claims blocks of one level only. So the widest level is matched first,
// and in it every tenant takes the blocks that nobody else can have, those with the fewest blocks
// of the next level that others could use, before one that all could have: each choice leaves the
// most to the rest. Exact while the blocks of a level have the same size and at most two levels are
// claimed; else a narrower level may count too few, never too many.
std::vector<int> CountRecoverableBlocks(const Topology& topology,
                                        const std::vector<BlockClaim>& claims,
                                        const std::vector<BlockNode>& nodes);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_BLOCK_RULE_H_
