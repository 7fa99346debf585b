#ifndef BERTH_SIM_SIMULATOR_H_
#define BERTH_SIM_SIMULATOR_H_

// The real scheduler core under a virtual clock, with agents that do at once what they are told.
// The same center and jobs give the same decisions everywhere. One thread.

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "scheduler/core/engine.h"
#include "sim/center.h"
#include "sim/decision_hash.h"
#include "sim/event_queue.h"
#include "sim/policies/replay_policy.h"
#include "sim/virtual_center.h"

namespace berth::sim {

struct SimulatorOptions {
  // A round is at most so often, as in a busy center. Zero: after every event.
  int64_t round_interval_us = 0;
  // How often time limits and back-offs are looked at.
  int64_t tick_interval_us = 60'000'000;
  bool keep_usage = false;
};

// What became of one job.
struct SimOutcome {
  JobTimes times;
  int attempts = 0;
  JobState state = JobState::kQueued;
};

// An owned claim that had to ask borrowers for devices.
struct SimRecall {
  int tenant = 0;
  int64_t at_us = 0;
  int64_t wait_us = 0;  // until it had its devices
};

// From the first submission to the last.
struct SimTotals {
  int64_t span_ms = 0;
  int64_t busy_device_ms = 0;
  int64_t fragmented_device_ms = 0;  // of idle devices beside busy ones on their node
};

class Simulator {
 public:
  // Jobs by submit time.
  Simulator(const SimCenter& center, const std::vector<SimJob>& jobs,
            const SimulatorOptions& options);

  // Until every job is over, or nothing more can happen.
  void Run();

  const Engine& engine() const { return center_.engine(); }
  const std::vector<SimOutcome>& outcomes() const { return outcomes_; }  // as the jobs
  const std::vector<SimRecall>& recalls() const { return recalls_; }
  const std::vector<UsagePoint>& usage() const { return usage_; }
  const SimTotals& totals() const { return totals_; }
  int64_t capacity() const { return center_.capacity(); }
  int64_t rounds() const { return rounds_; }
  // Over every start and end: time, job, attempt, node, device.
  uint64_t decision_hash() const { return hash_.value(); }
  // Why the first job that the core refused could not be queued; refused jobs keep kNever.
  const absl::Status& first_refusal() const { return first_refusal_; }

 private:
  enum class EventKind { kRunOver, kStopOver };
  struct Event {
    EventKind kind = EventKind::kRunOver;
    JobId job;
    AllocationId allocation;  // kStopOver
    uint64_t forecast = 0;    // kRunOver
  };
  struct Task {
    NodeId node;
    int attempt = 0;
    int devices = 0;
    bool working = false;  // started, and maybe told to stop since
    bool stopping = false;
    StopReason reason = StopReason::kNone;
  };
  // A job that has, or had, an attempt.
  struct Running {
    int64_t left_node_us = 0;  // work, in microseconds of one node
    int64_t since_us = 0;      // when the count below became so
    int members = 0;           // that work: started and not told to stop
    int64_t started_us = 0;    // this attempt
    uint64_t forecasts = 0;    // only the last one of its end counts
    std::map<AllocationId, Task> tasks;
  };

  absl::Time Now() const { return absl::FromUnixMicros(now_us_); }
  Engine& core() { return center_.engine(); }

  bool AdvanceClock();
  void MoveClock(int64_t to_us);
  void Submit(size_t number);
  void Handle(const Event& event);
  void Settle();
  void NoteChanges();
  void ObeyAll();
  void Obey(const NodeCommand& command, const AssignTask& assign);
  void Obey(const NodeCommand& command, const StartTask& start);
  void Obey(const NodeCommand& command, const KillTask& kill);
  template <typename Other>
  void Obey(const NodeCommand& /*command*/, const Other& /*acknowledgement*/) {}
  void Report(AllocationId allocation, const Task& task, JobId job, ReportKind kind);
  void MemberStarted(JobId job, AllocationId allocation);
  // Books what the members did since the last time.
  void BookWork(Running& running) const;
  void ForecastEnd(JobId job, Running& running);
  // Devices of the node begin to be used, or, where negative, end.
  void AddBusy(NodeId node, int devices);
  int FragmentedOn(NodeId node) const;
  void EndTask(JobId job, AllocationId allocation, ReportKind kind);
  size_t NumberOf(JobId job) const { return numbers_[job.value()]; }

  const std::vector<SimJob>& jobs_;
  const SimulatorOptions options_;
  int64_t now_us_;
  VirtualCenter center_;
  std::vector<SimOutcome> outcomes_;
  std::vector<size_t> numbers_ = {0};  // by JobId: number in jobs_
  std::map<JobId, Running> running_;
  EventQueue<Event> events_;
  std::vector<SimRecall> recalls_;
  std::vector<UsagePoint> usage_;
  DecisionHash hash_;
  absl::Status first_refusal_;
  size_t next_submission_ = 0;
  int64_t last_tick_us_;
  int64_t last_change_us_ = 0;
  int64_t next_round_us_;
  std::vector<int> node_sizes_ = {0};  // devices by NodeId
  std::vector<int> node_busy_;         // of them in use
  SimTotals totals_;
  int64_t busy_ = 0;
  int64_t fragmented_ = 0;  // idle devices beside busy ones
  int64_t rounds_ = 0;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_SIMULATOR_H_
