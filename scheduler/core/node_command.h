#ifndef BERTH_SCHEDULER_CORE_NODE_COMMAND_H_
#define BERTH_SCHEDULER_CORE_NODE_COMMAND_H_

// What the scheduler tells an agent, as plain values. Given out only after the turn is durable.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

#include "scheduler/core/allocation.h"
#include "scheduler/core/event.h"
#include "scheduler/core/job.h"

namespace berth {

struct AcceptHello {
  uint64_t sched_epoch = 0;
  absl::Duration heartbeat_interval;
  absl::Duration lease;
  absl::Duration kill_timeout;
};

enum class HelloRefusal {
  kVersion,
  kDisabled,
  kIdentity,
  kDuplicateNode,
  kEpochBehind,
  kInventory
};

struct RefuseHello {
  HelloRefusal why = HelloRefusal::kVersion;
  std::string message;
};

struct AckHeartbeat {
  uint64_t heartbeat_seq = 0;
};

struct AckReport {
  int64_t report_seq = 0;
};

// One member's share; the job's payload and its place in an array are added by the loop.
struct AssignTask {
  Allocation allocation;
  std::vector<std::string> device_classes;  // by name, as allocation.devices
  absl::Duration time_limit;
  absl::Duration grace;
  absl::Duration lease;  // zero: the session's
  bool hold_on_node_loss = false;
  std::string tenant;
  std::string project;
  std::string user;
  std::string job_name;
  int node_count = 1;
  bool start_at_once = false;
  std::string payload;   // serialized berth.v1.JobSpec
  JobId array;           // the array that the job is a task of
  int array_index = -1;  // its index in it
};

struct StartTask {
  struct Member {
    int rank = 0;
    std::string node;
    std::string address;
    int devices = 0;
  };
  AllocationId allocation;
  int attempt = 0;
  std::vector<Member> members;
  std::string rendezvous_address;
  int rendezvous_port = 0;
};

struct KillTask {
  AllocationId allocation;
  JobId job;
  int attempt = 0;
  StopReason reason = StopReason::kNone;
  absl::Duration grace;
  std::string message;
};

struct NodeCommand {
  NodeId node;
  SessionId session;
  std::variant<AcceptHello, RefuseHello, AckHeartbeat, AckReport, AssignTask, StartTask, KillTask>
      kind;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_NODE_COMMAND_H_
