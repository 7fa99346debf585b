#ifndef BERTH_SCHEDULER_RPC_SAMPLE_BOARD_H_
#define BERTH_SCHEDULER_RPC_SAMPLE_BOARD_H_

// What devices were busy with when their agents looked last: for who asks, never for a decision,
// and gone with the process. Owned by the Server; any thread.

#include <algorithm>
#include <map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "common/clock.h"
#include "proto/agent_api.pb.h"
#include "scheduler/core/ids.h"

namespace berth {

// Of one node.
struct SampleReading {
  std::vector<v1::DeviceSample> samples;  // by index; none: nothing is known now
  absl::Duration age;
};

class SampleBoard {
 public:
  // Heartbeats that may bring nothing new before what is known counts as not known any more.
  static constexpr int kBeatsMax = 4;
  // Agents look no more often than this, however often they tell.
  static constexpr absl::Duration kLookPause = absl::Seconds(5);

  // Requires: the clock outlives it.
  SampleBoard(const Clock& clock, absl::Duration heartbeat_interval)
      : clock_(clock), age_max_(kBeatsMax * std::max(heartbeat_interval, kLookPause)) {}
  SampleBoard(const SampleBoard&) = delete;
  SampleBoard& operator=(const SampleBoard&) = delete;

  // Keeps what a heartbeat that was checked tells; one that tells nothing changes nothing.
  void Put(NodeId node, const v1::Heartbeat& heartbeat) ABSL_LOCKS_EXCLUDED(mu_);
  SampleReading Find(NodeId node) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Kept {
    std::vector<v1::DeviceSample> samples;
    absl::Duration at;  // since boot, by this machine's clock
  };

  const Clock& clock_;
  const absl::Duration age_max_;
  mutable absl::Mutex mu_;
  std::map<NodeId, Kept> readings_ ABSL_GUARDED_BY(mu_);
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_SAMPLE_BOARD_H_
