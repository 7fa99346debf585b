#ifndef BERTH_AGENT_CORE_LIFECYCLE_H_
#define BERTH_AGENT_CORE_LIFECYCLE_H_

// All states of a task on its node, and the one table that says which may follow which.

#include "proto/agent_api.pb.h"

namespace berth::agent {

bool CanFollow(v1::TaskState from, v1::TaskState to);

// Nothing of the task runs any more.
bool HasEnded(v1::TaskState state);

// The state that a report of this kind leaves its task in. Requires: IsLast(kind).
v1::TaskState StateAfter(v1::ReportKind kind);

// Nothing follows this report but its acknowledgement.
bool IsLast(v1::ReportKind kind);

}  // namespace berth::agent

#endif  // BERTH_AGENT_CORE_LIFECYCLE_H_
