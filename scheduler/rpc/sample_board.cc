#include "scheduler/rpc/sample_board.h"

namespace berth {

void SampleBoard::Put(NodeId node, const v1::Heartbeat& heartbeat) {
  if (heartbeat.samples().empty()) {
    return;
  }
  absl::MutexLock lock(&mu_);
  readings_[node] = {
      .samples = {heartbeat.samples().begin(), heartbeat.samples().end()},
      .at = clock_.SinceBoot() - absl::Milliseconds(heartbeat.samples_age_ms())
  };
}

SampleReading SampleBoard::Find(NodeId node) const {
  absl::MutexLock lock(&mu_);
  const auto found = readings_.find(node);
  if (found == readings_.end()) {
    return {};
  }
  const absl::Duration age = clock_.SinceBoot() - found->second.at;
  return age > age_max_ ? SampleReading() : SampleReading{found->second.samples, age};
}

}  // namespace berth
