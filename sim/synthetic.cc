#include "sim/synthetic.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "common/status_macros.h"
#include "sim/plot.h"
#include "sim/simulator.h"
#include "sim/tenant_report.h"

namespace berth::sim {
namespace {

absl::Status CheckRange(absl::string_view option, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("--%s is %d; it must be from %d to %d", option, value, least, most));
}

absl::Status CheckOptions(const WorkloadOptions& options) {
  RETURN_IF_ERROR(CheckRange("jobs", options.jobs, 1, 10'000'000));
  RETURN_IF_ERROR(CheckRange("nodes", options.nodes, 4, 100'000));
  RETURN_IF_ERROR(CheckRange("devices-per-node", options.devices_per_node, 1, 64));
  RETURN_IF_ERROR(CheckRange("tenants", options.tenants, 1, 1000));
  return CheckRange("load", options.load_percent, 1, 1000);
}

std::string JobsCsv(const Workload& workload) {
  std::string csv = "job_id,submit_s,run_s,gpus,req_s,user,vc,nodes,class,priority\n";
  int64_t number = 0;
  for (const SimJob& job : workload.jobs) {
    absl::StrAppend(&csv, ++number, ",", FormatSeconds(job.submit_us), ",",
                    FormatSeconds(job.run_us), ",", job.gang.devices(), ",",
                    FormatSeconds(absl::ToInt64Microseconds(job.time_limit)), ",user,",
                    workload.center.tenants[static_cast<size_t>(job.tenant)].name, ",",
                    job.gang.nodes, ",", job.device_classes.front(), ",", job.priority, "\n");
  }
  return csv;
}

std::string NodesCsv(const SimCenter& center) {
  std::string csv = "sn,cpu_milli,memory_mib,gpu,model\n";
  for (const SimNode& node : center.nodes) {
    absl::StrAppend(&csv, node.name, ",", node.capacity.cpu_milli, ",", node.capacity.memory_mib,
                    ",", node.devices, ",", node.device_class, "\n");
  }
  return csv;
}

std::string TenantsCsv(const SimCenter& center) {
  std::string csv = "vc,class,entitlement,limit,non_lendable,weight\n";
  const auto text = [](const std::optional<int64_t>& value) {
    return value.has_value() ? absl::StrCat(*value) : std::string();
  };
  for (const SimTenant& tenant : center.tenants) {
    for (const auto& [device_class, limits] : tenant.quotas) {
      absl::StrAppend(&csv, tenant.name, ",", device_class, ",", limits.entitlement, ",",
                      text(limits.limit), ",", limits.non_lendable, ",", text(limits.weight), "\n");
    }
  }
  return csv;
}

std::string Schedule(const Workload& workload, const Simulator& simulator) {
  std::string csv = "job_id,start_s,end_s\n";
  for (size_t i = 0; i < workload.jobs.size(); ++i) {
    const JobTimes& times = simulator.outcomes()[i].times;
    if (times.end_us != kNever) {
      absl::StrAppend(&csv, i + 1, ",", FormatSeconds(times.start_us), ",",
                      FormatSeconds(times.end_us), "\n");
    }
  }
  return csv;
}

}  // namespace

absl::Status GenerateWorkload(const GenerateOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options.workload));
  const Workload workload = MakeWorkload(options.workload);
  RETURN_IF_ERROR(WriteFile(options.jobs, JobsCsv(workload)));
  if (!options.nodes.empty()) {
    RETURN_IF_ERROR(WriteFile(options.nodes, NodesCsv(workload.center)));
  }
  if (!options.tenants.empty()) {
    RETURN_IF_ERROR(WriteFile(options.tenants, TenantsCsv(workload.center)));
  }
  return absl::OkStatus();
}

absl::Status RunSynthetic(const SyntheticOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options.workload));
  const auto interval_us = static_cast<int64_t>(std::llround(options.round_interval_s * 1e6));
  RETURN_IF_ERROR(CheckRange("round-interval (in microseconds)", interval_us, 0, 3'600'000'000));
  const Workload workload = MakeWorkload(options.workload);
  const absl::Time begin = absl::Now();
  Simulator simulator(workload.center, workload.jobs,
                      {.round_interval_us = interval_us, .keep_usage = !options.plot.empty()});
  simulator.Run();
  CenterReport report = MakeCenterReport(workload.center, workload.jobs, simulator);
  report.jobs.wall_seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  if (!simulator.first_refusal().ok()) {
    std::fprintf(stderr, "berth-sim: %d jobs were refused or never over; the first refusal: %s\n",
                 static_cast<int>(report.jobs.skipped),
                 std::string(simulator.first_refusal().message()).c_str());
  }
  if (!options.schedule.empty()) {
    RETURN_IF_ERROR(WriteFile(options.schedule, Schedule(workload, simulator)));
  }
  if (!options.report.empty()) {
    RETURN_IF_ERROR(WriteFile(options.report, CenterReportJson(report)));
  }
  if (!options.plot.empty()) {
    const std::string title =
        absl::StrFormat("%d jobs of seed %d on %d nodes", options.workload.jobs,
                        options.workload.seed, options.workload.nodes);
    RETURN_IF_ERROR(
        WriteFile(options.plot, UsagePlot(title, simulator.usage(), simulator.capacity())));
  }
  std::fputs(CenterReportText(report).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace berth::sim
