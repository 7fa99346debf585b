#include "sim/berth_replay.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "sim/simulator.h"
#include "sim/units.h"

namespace berth::sim {
namespace {

constexpr char kClass[] = "device";

// Nodes x devices for a count of devices: as few nodes as it takes, equally filled. Nothing when
// the idle nodes could not hold it so. Requires: sizes from large to small.
std::optional<GangShape> ShapeOf(int64_t devices, const std::vector<int64_t>& sizes) {
  for (size_t nodes = 1; nodes <= sizes.size(); ++nodes) {
    const auto count = static_cast<int64_t>(nodes);
    const int64_t per_node = (devices + count - 1) / count;
    if (per_node <= sizes[nodes - 1]) {
      GangShape gang;
      gang.nodes = static_cast<int>(nodes);
      gang.devices_per_node = static_cast<int>(per_node);
      return gang;
    }
  }
  return std::nullopt;
}

SimCenter MakeCenter(const std::vector<int64_t>& sizes) {
  SimCenter center;
  for (size_t i = 0; i < sizes.size(); ++i) {
    center.nodes.push_back({.name = absl::StrCat("n", i),
                            .devices = static_cast<int>(sizes[i]),
                            .device_class = kClass,
                            .capacity = {},
                            .topology = {}});
  }
  return center;
}

}  // namespace

Replay RunBerth(const ReplayInput& input) {
  std::vector<int64_t> sizes = input.pool.sizes();
  SimCenter center = MakeCenter(sizes);
  std::sort(sizes.rbegin(), sizes.rend());
  std::map<std::string, int> tenants;
  std::vector<SimJob> jobs;
  std::vector<size_t> numbers;  // of the jobs in the log
  for (size_t i = 0; i < input.jobs.size(); ++i) {
    const TraceJob& trace = input.jobs[i];
    const std::optional<GangShape> gang = ShapeOf(trace.devices, sizes);
    if (!gang.has_value()) {
      continue;
    }
    const auto tenant = tenants.emplace(trace.vc, static_cast<int>(tenants.size()));
    if (tenant.second) {
      center.tenants.push_back({absl::StrCat("vc", tenant.first->second), {}});
    }
    SimJob job;
    job.submit_us = trace.submit_us;
    job.run_us = trace.run_us;
    job.tenant = tenant.first->second;
    job.gang = *gang;
    job.device_classes = {kClass};
    job.time_limit = absl::Microseconds(std::max({input.EstimateOf(trace), trace.run_us, kSecond}));
    jobs.push_back(std::move(job));
    numbers.push_back(i);
  }
  if (center.tenants.size() == 1) {
    center.tenants[0].quotas[kClass].entitlement = input.pool.capacity();
  }
  Simulator simulator(center, jobs, {.keep_usage = true});
  simulator.Run();
  Replay replay;
  replay.times.resize(input.jobs.size());
  for (size_t i = 0; i < jobs.size(); ++i) {
    replay.times[numbers[i]] = simulator.outcomes()[i].times;
  }
  replay.usage = simulator.usage();
  return replay;
}

}  // namespace berth::sim
