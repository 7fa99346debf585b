#ifndef BERTH_AGENT_TASK_NOTICE_H_
#define BERTH_AGENT_TASK_NOTICE_H_

// What a task told of itself, as the scheduler is told.

#include <cstdint>

#include "agent/shim/shim_protocol.h"
#include "proto/agent_api.pb.h"

namespace berth {

// Ages in nanoseconds: of the notice, and of its last checkpoint if it tells of one.
v1::TaskNotice ToTaskNotice(const ShimNotice& notice, int64_t age_ns, int64_t checkpoint_age_ns);

}  // namespace berth

#endif  // BERTH_AGENT_TASK_NOTICE_H_
