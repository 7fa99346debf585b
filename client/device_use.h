#ifndef BERTH_CLIENT_DEVICE_USE_H_
#define BERTH_CLIENT_DEVICE_USE_H_

// What devices are busy with, in words. What is not known is "-", never 0. Pure.

#include <cstdint>
#include <optional>
#include <string>

#include "proto/client_api.pb.h"

namespace berth {

// In percent, over the devices of which it is known; none: of none.
std::optional<int> MeanUtilization(const v1::Allocation& allocation);
std::optional<int> MeanUtilization(const v1::Job& job);

// "84 %"
std::string PercentText(std::optional<int> percent);
// "410 W", "2.9 kW"
std::string PowerText(std::optional<int64_t> watts);
// "ok", "suspect", "quarantined"
std::string DeviceHealthWord(v1::DeviceHealth health);

}  // namespace berth

#endif  // BERTH_CLIENT_DEVICE_USE_H_
