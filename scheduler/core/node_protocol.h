#ifndef BERTH_SCHEDULER_CORE_NODE_PROTOCOL_H_
#define BERTH_SCHEDULER_CORE_NODE_PROTOCOL_H_

// The scheduler's side of the agent protocol (protocol.md, "Messages"): level-triggered. Every
// hello and heartbeat is compared with the live rows; the same rules handle start, cancel, restart,
// lost messages and partitions.

#include "scheduler/core/event.h"
#include "scheduler/core/step.h"

namespace berth {

// Whether a later life of the node's agent has said hello already: an earlier one's hello may
// arrive late, on a stream of its own, and says nothing that counts.
bool IsOutdated(const Cluster& cluster, const AgentHello& hello);
// Outdated ones change nothing.
void HandleHello(const Step& step, const AgentHello& hello);
// Of an older session: ignored, as are all below.
void HandleHeartbeat(const Step& step, const AgentHeartbeat& heartbeat);
void HandleReport(const Step& step, const AgentReport& report);
void HandleFacts(const Step& step, const AgentFacts& facts);
void HandleGone(const Step& step, const AgentGone& gone);

// Silence, back-offs, prepare timeouts, overstayed limits, and suspicions that leave no place.
void HandleTick(const Step& step);

// After a restart of the scheduler: no node has been heard of yet, and every lease starts afresh.
void BeginGrace(const Step& step);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_NODE_PROTOCOL_H_
