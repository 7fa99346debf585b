#ifndef BERTH_SIM_BENCH_HEARTBEAT_WATCH_H_
#define BERTH_SIM_BENCH_HEARTBEAT_WATCH_H_

// How late the heartbeats of a node reach the scheduler, as the scheduler tells it. One thread.

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "sim/bench/bench_client.h"

namespace berth {

class HeartbeatWatch {
 public:
  // `interval` is that of the center's configuration.
  HeartbeatWatch(const BenchClient& client, absl::Duration interval)
      : client_(client), interval_(interval) {}

  // To be called several times in each interval: a heartbeat that is missed here looks late.
  absl::Status Look();
  // The longest time between two of them beyond the interval.
  absl::Duration latest() const { return latest_; }
  int seen() const { return seen_; }

 private:
  const BenchClient& client_;
  const absl::Duration interval_;
  int64_t last_us_ = 0;
  absl::Duration latest_ = absl::ZeroDuration();
  int seen_ = 0;
};

}  // namespace berth

#endif  // BERTH_SIM_BENCH_HEARTBEAT_WATCH_H_
