#ifndef BERTH_SIM_PLOT_H_
#define BERTH_SIM_PLOT_H_

// Utilisation and queue over time, as one SVG that a browser shows without anything else.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "sim/policies/replay_policy.h"

namespace berth::sim {

// `usage` by time; every point holds until the next. Long runs are averaged per pixel column.
std::string UsagePlot(absl::string_view title, const std::vector<UsagePoint>& usage,
                      int64_t capacity);

}  // namespace berth::sim

#endif  // BERTH_SIM_PLOT_H_
