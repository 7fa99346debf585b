#ifndef BERTH_SCHEDULER_CORE_NODE_LOSS_H_
#define BERTH_SCHEDULER_CORE_NODE_LOSS_H_

// Nodes that are silent, lost, dead or not to be trusted: what is released on which evidence
// (protocol.md, "Lease", rules b to e), and what is held.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "scheduler/core/allocation.h"
#include "scheduler/core/step.h"

namespace berth {

// Silent nodes become suspect, then lost: their allocations are released, as no lease is left. When
// more than Policy::mass_loss_percent of the nodes, and at least two, fell silent within
// Policy::mass_loss_window, it is rather the network or the scheduler that is broken: they are held
// (Node::loss_held) until fewer are silent or the operator ends the hold.
void CheckSilence(const Step& step);

// Releases everything on the node and ends its attempts as node faults.
void ReleaseAll(const Step& step, NodeId id, ReleaseEvidence evidence, absl::string_view message);

// The node is lost now. Requires: it has been silent for Policy::lost_after.
void LoseNode(const Step& step, NodeId id);

// The node is dead on this evidence, whatever its lease says.
void BuryNode(const Step& step, NodeId id, ReleaseEvidence evidence, absl::string_view message);

// Nothing new is placed there until an operator has looked; what runs goes on, what is being
// stopped keeps its devices. The first reason stays. Nodes that are lost or never joined stay so.
void QuarantineNode(const Step& step, NodeId id, absl::string_view why);

// Why a node whose inventory was `before` and is `after` contradicts itself; empty: it does not. A
// device that was divided, or put together again, is still there.
std::string InventoryMismatch(const NodeFacts& before, const NodeFacts& after);

// Which device a task of the node has that its agent, which knows of the task, does not tell of;
// empty: none. Whatever took its place is nobody else's yet.
std::string MissingUnderTask(const Cluster& cluster, NodeId id);

// Silent, with something on them, and not together with many.
std::vector<NodeId> NodesThatMayBeDead(const Cluster& cluster, const Policy& policy,
                                       absl::Time now);

// A message of its agent came within Policy::suspect_after, and its stream is open.
bool IsHeardOf(const Step& step, const Node& node);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_NODE_LOSS_H_
