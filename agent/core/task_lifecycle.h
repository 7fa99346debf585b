#ifndef BERTH_AGENT_CORE_TASK_LIFECYCLE_H_
#define BERTH_AGENT_CORE_TASK_LIFECYCLE_H_

// The states of a task on its node and the table of their transitions (protocol.md, "Agent's
// member").

#include "proto/agent_api.pb.h"

namespace berth {

bool CanMove(v1::TaskState from, v1::TaskState to);
// The only place that assigns a task's state. Requires: CanMove(state, to).
void Move(v1::TaskState& state, v1::TaskState to);
// Nothing of it runs any more.
bool HasEnded(v1::TaskState state);

}  // namespace berth

#endif  // BERTH_AGENT_CORE_TASK_LIFECYCLE_H_
