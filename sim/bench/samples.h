#ifndef BERTH_SIM_BENCH_SAMPLES_H_
#define BERTH_SIM_BENCH_SAMPLES_H_

// Durations of one kind of operation, and their percentiles.

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace berth {

class Samples {
 public:
  void Add(absl::Duration duration) { durations_.push_back(duration); }
  size_t count() const { return durations_.size(); }
  // The smallest value that at least `fraction` of the samples do not exceed. Requires: samples.
  absl::Duration Percentile(double fraction) {
    std::sort(durations_.begin(), durations_.end());
    const auto last = static_cast<double>(durations_.size() - 1);
    return durations_[static_cast<size_t>(fraction * last)];
  }
  absl::Duration Sum() const {
    return std::accumulate(durations_.begin(), durations_.end(), absl::ZeroDuration());
  }
  std::string Summary() {
    return absl::StrFormat(
        "p50 %.3f ms, p99 %.3f ms, max %.3f ms", absl::ToDoubleMilliseconds(Percentile(0.5)),
        absl::ToDoubleMilliseconds(Percentile(0.99)), absl::ToDoubleMilliseconds(Percentile(1)));
  }

 private:
  std::vector<absl::Duration> durations_;
};

}  // namespace berth

#endif  // BERTH_SIM_BENCH_SAMPLES_H_
