#include "sim/bench/heartbeat_watch.h"

#include <algorithm>

#include "common/status_macros.h"

namespace berth {

absl::Status HeartbeatWatch::Look() {
  ASSIGN_OR_RETURN(const v1::Node node, client_.GetNode());
  const int64_t heard_us = node.last_heartbeat_us();
  if (heard_us == last_us_) {
    return absl::OkStatus();
  }
  if (last_us_ != 0) {
    latest_ = std::max(latest_, absl::Microseconds(heard_us - last_us_) - interval_);
    ++seen_;
  }
  last_us_ = heard_us;
  return absl::OkStatus();
}

}  // namespace berth
