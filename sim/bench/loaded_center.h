#ifndef BERTH_SIM_BENCH_LOADED_CENTER_H_
#define BERTH_SIM_BENCH_LOADED_CENTER_H_

// A center in virtual time with agents that do at once what they are told and jobs that run until
// they are ended by hand. One thread.

#include <cstdint>

#include "absl/time/time.h"

#include "scheduler/core/node_command.h"
#include "sim/virtual_center.h"
#include "sim/workload.h"

namespace berth {

class LoadedCenter {
 public:
  // The jobs come from `workload`, which must outlive this.
  explicit LoadedCenter(const sim::Workload& workload);

  const Engine& engine() const { return center_.engine(); }
  absl::Time now() const { return now_; }
  // Groups with jobs that may be planned.
  int64_t ready_groups() const;
  int64_t pending() const;

  // Submits the next jobs of the workload, a tenth of a second apart, until so many are pending.
  // What runs ends at its time limit meanwhile. Drops what the store would write.
  void SubmitUntilPending(int64_t count);
  // One round; what agents and store do with it comes after, in Settle.
  void Round() { center_.engine().RunRound(now_); }
  Changes TakeChanges() { return center_.engine().TakeChanges(); }
  // The agents obey and report, changes are dropped, a millisecond passes.
  void Settle();
  // Every member of the job reports that it exited with 0. Requires: it runs.
  void EndJob(JobId job);

 private:
  void EndOverdue();
  void Obey(const NodeCommand& command, const AssignTask& assign);
  void Obey(const NodeCommand& command, const StartTask& start);
  void Obey(const NodeCommand& command, const KillTask& kill);
  template <typename Other>
  void Obey(const NodeCommand& /*command*/, const Other& /*acknowledgement*/) {}
  void Report(NodeId node, AllocationId id, ReportKind kind, StopReason reason = StopReason::kNone);

  const sim::Workload& workload_;
  absl::Time now_ = absl::FromUnixSeconds(1'750'000'000);
  sim::VirtualCenter center_;
  size_t next_ = 0;
};

}  // namespace berth

#endif  // BERTH_SIM_BENCH_LOADED_CENTER_H_
