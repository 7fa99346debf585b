#ifndef BERTH_AGENT_SHIM_TASK_LIMITS_H_
#define BERTH_AGENT_SHIM_TASK_LIMITS_H_

// When a task is to be stopped without anybody's word: at its time limit, and when nobody has used
// it for as long as its idle limit. Owned by the TaskShim; one thread. Plain C++ without libraries.

#include <cstdint>

#include "agent/shim/shim_protocol.h"

namespace berth {

class TaskLimits {
 public:
  // `now_ns`, here and below: CLOCK_BOOTTIME.
  void OnStart(const TaskFile& task, int64_t now_ns);
  // It runs, or is used: its idle limit begins anew.
  void OnUse(const TaskFile& task, int64_t now_ns);

  struct Reason {
    int64_t code = 0;  // a berth.v1.StopReason
    const char* message = "";
  };
  // Why it is to be stopped now; 0: it is not.
  Reason FindDue(int64_t now_ns) const;
  // The next time for that; 0: never.
  int64_t next_stop_ns() const;
  // Where the time limit leaves no grace any more; 0: never.
  int64_t kill_ns() const { return kill_ns_; }

 private:
  int64_t stop_ns_ = 0;  // 0: never
  int64_t kill_ns_ = 0;
  int64_t idle_ns_ = 0;
};

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_TASK_LIMITS_H_
