#ifndef BERTH_AGENT_SHIM_SHIM_PROTOCOL_H_
#define BERTH_AGENT_SHIM_SHIM_PROTOCOL_H_

// What agent and shim tell each other. The agent starts the shim with one end of a socket pair as
// its standard input and sends a plan, together with the descriptors of the listening socket and of
// the held locks. A later agent connects to the listening socket in the task's folder instead. The
// shim answers with its status, at once and on every change.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/shim/wire.h"

namespace berth::shim {

// Names in the task's folder, which is the shim's working directory.
inline constexpr char kSocketName[] = "shim.sock";
inline constexpr char kExitRecordName[] = "exit";
inline constexpr char kStopFileName[] = "stop";
inline constexpr char kScratchName[] = "scratch";

// The user that the task's processes run as.
struct Account {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> groups;
};

struct TaskPlan {
  uint64_t allocation_id = 0;
  std::vector<std::string> argv;  // not empty
  std::string working_directory;  // absolute
  int processes = 1;
  int first_rank = 0;  // names the log files
  int stop_signal = 0;
  int64_t time_limit_ms = 0;  // 0: none; the grace is part of it
  int64_t grace_ms = 0;
  int64_t lease_grace_ms = 0;     // when the lease ends the task
  int64_t lease_deadline_ns = 0;  // CLOCK_BOOTTIME; 0: none
  bool pid_namespace = false;
  std::optional<Account> account;  // absent: the shim's own
};

struct StartOrder {
  std::vector<std::string> environment;                    // NAME=VALUE
  std::vector<std::vector<std::string>> rank_environment;  // one per process
};

// Why a task is stopped: the numbers of berth.v1.StopReason, of which the shim gives these itself.
inline constexpr int kStopNone = 0;
inline constexpr int kStopTimeLimit = 2;
inline constexpr int kStopGang = 4;
inline constexpr int kStopLease = 5;

struct StopOrder {
  int reason = kStopNone;
  int64_t grace_ms = 0;
  std::string message;
};

// How the task ended. Written by the shim before anyone is told; deleted by the agent after the
// scheduler acknowledged the report.
struct ExitRecord {
  uint64_t allocation_id = 0;
  bool started = false;        // the command was executed
  bool launch_failed = false;  // nothing of it ran, through no fault of the command
  int64_t started_at_us = 0;
  int64_t ended_at_us = 0;
  int exit_code = 0;  // of the process that failed first
  int signal = 0;
  int stop_reason = kStopNone;
  bool exec_failed = false;
  bool out_of_memory = false;
  int failed_rank = -1;  // inside this task
  std::string message;
};

enum class ShimState : uint8_t {
  kHolding = 1,  // holds the locks, waits for a StartOrder
  kRunning = 2,
  kStopping = 3,
  kEnded = 4,
};

struct ShimStatus {
  uint64_t allocation_id = 0;
  ShimState state = ShimState::kHolding;
  bool started = false;
  ExitRecord exit;  // kEnded
};

std::string Encode(const TaskPlan& plan);
std::string Encode(const StartOrder& order);
std::string Encode(const StopOrder& order);
std::string Encode(const ExitRecord& record);
std::string Encode(const ShimStatus& status);
std::string EncodeLease(int64_t deadline_ns);

// Empty: malformed.
std::optional<TaskPlan> DecodePlan(std::string_view bytes);
std::optional<StartOrder> DecodeStart(std::string_view bytes);
std::optional<StopOrder> DecodeStop(std::string_view bytes);
std::optional<ExitRecord> DecodeExitRecord(std::string_view bytes);
std::optional<ShimStatus> DecodeStatus(std::string_view bytes);
std::optional<int64_t> DecodeLease(std::string_view bytes);

// "rank-00007.log"
std::string LogFileName(int rank);

}  // namespace berth::shim

#endif  // BERTH_AGENT_SHIM_SHIM_PROTOCOL_H_
