#ifndef BERTH_SIM_FAULTS_SCHEDULER_HOST_H_
#define BERTH_SIM_FAULTS_SCHEDULER_HOST_H_

// The scheduler's process as the control loop runs it: sessions, turns of drain, apply, plan,
// commit and speak, over the real engine; and its crashes. Owned by the World; one thread.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

#include "proto/agent_api.pb.h"
#include "scheduler/core/engine.h"
#include "scheduler/core/fencing.h"
#include "sim/faults/coverage.h"
#include "sim/faults/network.h"
#include "sim/faults/observer.h"
#include "sim/faults/scheduler_disk.h"
#include "sim/faults/sim_clock.h"
#include "sim/faults/timeline.h"

namespace berth::sim {

// What a user or an operator asks.
struct UserRequest {
  Actor actor;
  UserEvent event;
  std::string key;      // of a submission
  std::string payload;  // of a submission
  // Called on the scheduler's side once the change is durable.
  std::function<void(const absl::StatusOr<Outcome>&)> reply;
};

enum class CrashPoint { kBeforeCommit, kAfterCommit };

class SchedulerHost {
 public:
  struct Parts {
    Timeline& timeline;
    Observer& observer;
    Network& network;
    SchedulerDisk& disk;
    Coverage& coverage;
  };
  SchedulerHost(const Parts& parts, Policy policy);
  SchedulerHost(const SchedulerHost&) = delete;
  SchedulerHost& operator=(const SchedulerHost&) = delete;

  // A new process.
  void Start();
  // Its service manager starts it again after `away_us`.
  void Crash(int64_t away_us);
  // In the next turn that writes something.
  void CrashAt(CrashPoint point, int64_t away_us) {
    crash_at_ = point;
    away_us_ = away_us;
  }
  void ClearCrash() { crash_at_.reset(); }
  // Runs the center's fence command; `ended` is told why it failed, if it did.
  using FenceRun = std::function<void(int node, std::function<void(const std::string&)> ended)>;
  void SetFenceCommand(FenceRun run) { fence_run_ = std::move(run); }
  // What the present life has done so far.
  void AddCoverage();
  bool is_up() const { return engine_.has_value(); }

  void OnMessage(StreamId stream, int node, const v1::AgentMessage& message);
  void OnStreamEnded(StreamId stream);
  // Lost without a word when the process is down.
  void Ask(UserRequest request);
  // Before the first fault: applied and durable at once. Requires: it is up, and the request is
  // possible.
  Outcome Must(const Actor& actor, const UserEvent& event);
  // Submissions are refused while the disk has no room.
  void SetDiskFull(bool is_full) { disk_full_ = is_full; }
  // The operator ends the recovery, when that is not too early.
  void Resume();
  // The process does nothing until then.
  void Pause(int64_t until_us) { paused_until_us_ = until_us; }
  // The machine's wall clock steps; seen by the next life of the process.
  void StepWallClock(absl::Duration step) { wall_step_ += step; }

  // Requires for these: it is up.
  const Cluster& cluster() const { return engine_->cluster(); }
  bool recovery() const { return disk_.recovery(); }

 private:
  struct Session {
    SessionId id;
    StreamId stream = 0;
  };
  struct Hello {
    AgentHello hello;
    StreamId stream;
  };
  struct ResumeRequest {};
  using Item = std::variant<UserRequest, AgentEvent, Hello, ResumeRequest>;
  struct Turn {
    absl::Time now;
    std::vector<SubmissionRecord> submissions;
    std::vector<std::function<void()>> replies;
    Changes changes;
    bool ends_recovery = false;
  };

  absl::Time Now() const;
  void Put(Item item);
  void WakeAt(int64_t at_us);
  void RunTurn();
  void Apply(UserRequest& request, Turn& turn);
  void Apply(const AgentEvent& event, Turn& turn);
  void Apply(Hello& hello, Turn& turn);
  void Apply(const ResumeRequest& request, Turn& turn);
  absl::StatusOr<Outcome> TryChange(UserRequest& request, Turn& turn);
  void CloseIfLost(const AgentHeartbeat& heartbeat, absl::Time now);
  // Returns: whether the process is still there.
  bool Commit(Turn& turn);
  void Speak(Turn& turn);
  static void Reply(Turn& turn);
  void FenceSilentNodes(absl::Time now);
  void SendCommand(NodeCommand command, const Turn& turn);
  void Complete(AssignTask& assign, const Turn& turn);
  void AcceptHello(StreamId stream, int node, const v1::Hello& hello);

  Timeline& timeline_;
  Observer& observer_;
  Network& network_;
  SchedulerDisk& disk_;
  Coverage& coverage_;
  const Policy policy_;

  // Of the machine.
  absl::Duration wall_step_;
  int64_t paused_until_us_ = 0;
  bool disk_full_ = false;
  std::optional<CrashPoint> crash_at_;
  int64_t away_us_ = 0;  // after that
  FenceRun fence_run_;

  // Of the process; gone with a crash.
  std::optional<Engine> engine_;
  uint64_t life_ = 0;
  uint64_t epoch_ = 0;
  SimClock clock_;
  absl::Time wall_at_start_;
  std::map<NodeId, Session> sessions_;
  std::map<StreamId, std::pair<NodeId, SessionId>> streams_;
  uint64_t last_session_ = 0;
  Fencing fencing_;
  std::vector<Item> inbox_;
  int64_t wakes_at_us_ = 0;  // the turn that is to come
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_SCHEDULER_HOST_H_
