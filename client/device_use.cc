#include "client/device_use.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace berth {
namespace {

constexpr int64_t kWattsPerKilowatt = 1000;

// Of several percentages, as they come.
struct Mean {
  int64_t sum = 0;
  int64_t count = 0;

  void Add(const v1::Allocation& allocation) {
    for (const v1::DeviceSample& sample : allocation.samples()) {
      sum += sample.utilization_percent();
      count += sample.has_utilization_percent() ? 1 : 0;
    }
  }
  std::optional<int> Value() const {
    return count == 0 ? std::nullopt
                      : std::optional<int>(static_cast<int>((sum + count / 2) / count));
  }
};

}  // namespace

std::optional<int> MeanUtilization(const v1::Allocation& allocation) {
  Mean mean;
  mean.Add(allocation);
  return mean.Value();
}

std::optional<int> MeanUtilization(const v1::Job& job) {
  Mean mean;
  for (const v1::Allocation& allocation : job.allocations()) {
    mean.Add(allocation);
  }
  return mean.Value();
}

std::string PercentText(std::optional<int> percent) {
  return percent.has_value() ? absl::StrCat(*percent, " %") : "-";
}

std::string PowerText(std::optional<int64_t> watts) {
  if (!watts.has_value()) {
    return "-";
  }
  return *watts < kWattsPerKilowatt
             ? absl::StrCat(*watts, " W")
             : absl::StrFormat("%.1f kW", static_cast<double>(*watts) / kWattsPerKilowatt);
}

std::string DeviceHealthWord(v1::DeviceHealth health) {
  switch (health) {
    case v1::DEVICE_HEALTH_OK:
      return "ok";
    case v1::DEVICE_HEALTH_SUSPECT:
      return "suspect";
    case v1::DEVICE_HEALTH_QUARANTINED:
      return "quarantined";
    default:  // a newer scheduler's
      return "-";
  }
}

}  // namespace berth
