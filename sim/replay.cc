#include "sim/replay.h"

#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "common/status_macros.h"
#include "sim/plot.h"
#include "sim/report.h"
#include "sim/trace_reader.h"

namespace berth::sim {
namespace {

constexpr int64_t kDevicesMax = 100'000'000;
constexpr int64_t kNodesMax = 1'000'000;
constexpr int kNamedSkips = 5;

absl::StatusOr<DevicePool> ParseCluster(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, 'x');
  int64_t nodes = 0;
  int64_t devices = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &nodes) ||
      !absl::SimpleAtoi(parts[1], &devices) || nodes < 1 || devices < 1 || nodes > kNodesMax ||
      devices > kDevicesMax / nodes) {
    return absl::InvalidArgumentError(
        absl::StrCat("--cluster is \"", text, "\"; it must be NODESxDEVICES, for example 8x8"));
  }
  return DevicePool(std::vector<int64_t>(static_cast<size_t>(nodes), devices));
}

absl::StatusOr<DevicePool> ReadPool(const std::string& path) {
  absl::StatusOr<CsvReader> csv = CsvReader::Open(path);
  RETURN_IF_ERROR(csv.status());
  std::vector<TraceNode> nodes;
  ASSIGN_OR_RETURN(nodes, ReadNodes(*std::move(csv), NodeColumns::kDevicesOnly));
  std::vector<int64_t> sizes;
  int64_t sum = 0;
  for (const TraceNode& node : nodes) {
    sizes.push_back(node.devices);
    sum += node.devices;
  }
  if (sum == 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": no node has a device"));
  }
  return DevicePool(std::move(sizes));
}

// Jobs that are larger than the pool never run; the log's others do.
void SaySkipped(const std::vector<TraceJob>& jobs, const std::vector<JobTimes>& times,
                int64_t capacity) {
  std::string names;
  int64_t count = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (times[i].end_us != kNever) {
      continue;
    }
    if (++count <= kNamedSkips) {
      absl::StrAppend(&names, names.empty() ? "" : ", ", jobs[i].id, " (", jobs[i].devices, ")");
    }
  }
  if (count > 0) {
    std::fprintf(stderr,
                 "berth-sim: %lld jobs do not fit the pool of %lld devices and are skipped: %s%s\n",
                 static_cast<long long>(count), static_cast<long long>(capacity), names.c_str(),
                 count > kNamedSkips ? ", ..." : "");
  }
}

}  // namespace

absl::StatusOr<DevicePool> MakePool(const ReplayOptions& options) {
  const int given = (options.devices.has_value() ? 1 : 0) + (options.cluster.empty() ? 0 : 1) +
                    (options.nodes.empty() ? 0 : 1);
  if (given != 1) {
    return absl::InvalidArgumentError(
        "give the pool by one of --devices N, --cluster NxM and --nodes FILE");
  }
  if (!options.cluster.empty()) {
    return ParseCluster(options.cluster);
  }
  if (!options.nodes.empty()) {
    return ReadPool(options.nodes);
  }
  const int64_t devices = *options.devices;
  if (devices < 1 || devices > kDevicesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("--devices is ", devices, "; it must be from 1 to ", kDevicesMax));
  }
  return DevicePool({devices});
}

absl::StatusOr<Estimate> FindEstimate(absl::string_view name) {
  if (name == "request") {
    return Estimate::kRequest;
  }
  if (name == "run") {
    return Estimate::kRun;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--estimate is \"", name, "\"; it must be request or run"));
}

absl::Status RunReplay(const ReplayOptions& options) {
  absl::StatusOr<ReplayPolicy> policy = FindReplayPolicy(options.policy);
  RETURN_IF_ERROR(policy.status());
  absl::StatusOr<Estimate> estimate = FindEstimate(options.estimate);
  RETURN_IF_ERROR(estimate.status());
  absl::StatusOr<DevicePool> pool = MakePool(options);
  RETURN_IF_ERROR(pool.status());
  absl::StatusOr<CsvReader> csv = CsvReader::Open(options.jobs);
  RETURN_IF_ERROR(csv.status());
  std::vector<TraceJob> jobs;
  ASSIGN_OR_RETURN(jobs, ReadJobs(*std::move(csv)));

  const absl::Time begin = absl::Now();
  const Replay replay = policy->run({jobs, *pool, *estimate});
  ReplayReport report = MakeReport(jobs, replay.times, pool->capacity());
  report.wall_seconds = absl::ToDoubleSeconds(absl::Now() - begin);

  SaySkipped(jobs, replay.times, pool->capacity());
  if (!options.schedule.empty()) {
    RETURN_IF_ERROR(WriteFile(options.schedule, ScheduleCsv(jobs, replay.times)));
  }
  if (!options.report.empty()) {
    RETURN_IF_ERROR(WriteFile(options.report, ReportJson(report)));
  }
  if (!options.plot.empty()) {
    const std::string title = absl::StrCat(options.policy, " on ", options.jobs);
    RETURN_IF_ERROR(WriteFile(options.plot, UsagePlot(title, replay.usage, pool->capacity())));
  }
  std::fputs(ReportText(report).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace berth::sim
