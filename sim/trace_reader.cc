#include "sim/trace_reader.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "common/status_macros.h"

namespace berth::sim {
namespace {

constexpr int64_t kDevicesPerJobMax = 10'000'000;
constexpr int64_t kDevicesPerNodeMax = 1024;
constexpr int64_t kAmountMax = int64_t{1} << 40;
constexpr int64_t kWholeDevice = 1000;

// A name that no row before had.
absl::StatusOr<std::string> UniqueName(const CsvReader& csv, int column,
                                       absl::flat_hash_set<std::string>& seen) {
  std::string name(csv.Field(column));
  if (name.empty()) {
    return csv.Error("the first field, which names the row, is empty");
  }
  if (!seen.insert(name).second) {
    return csv.Error(absl::StrCat("\"", name, "\" is there twice"));
  }
  return name;
}

// A column that may be left out, or empty in a row.
absl::StatusOr<int64_t> Amount(const CsvReader& csv, int column) {
  return csv.Field(column).empty() ? absl::StatusOr<int64_t>(0) : csv.Integer(column, kAmountMax);
}

struct JobColumns {
  int id, submit, run, devices, request, user, vc;
};

absl::StatusOr<TraceJob> ReadJob(const CsvReader& csv, const JobColumns& columns) {
  TraceJob job;
  ASSIGN_OR_RETURN(job.submit_us, csv.Microseconds(columns.submit));
  ASSIGN_OR_RETURN(job.run_us, csv.Microseconds(columns.run));
  ASSIGN_OR_RETURN(job.devices, csv.Integer(columns.devices, kDevicesPerJobMax));
  job.request_us = job.run_us;
  if (!csv.Field(columns.request).empty()) {
    ASSIGN_OR_RETURN(job.request_us, csv.Microseconds(columns.request));
  }
  job.user = std::string(csv.Field(columns.user));
  job.vc = std::string(csv.Field(columns.vc));
  return job;
}

absl::StatusOr<TracePod> ReadPod(const CsvReader& csv, int cpu, int memory, int count, int milli) {
  TracePod pod;
  ASSIGN_OR_RETURN(pod.cpu_milli, csv.Integer(cpu, kAmountMax));
  ASSIGN_OR_RETURN(pod.memory_mib, Amount(csv, memory));
  int64_t value = 0;
  ASSIGN_OR_RETURN(value, csv.Integer(count, kDevicesPerNodeMax));
  pod.devices = static_cast<int>(value);
  ASSIGN_OR_RETURN(value, csv.Integer(milli, kWholeDevice));
  pod.device_milli = static_cast<int>(value);
  if (pod.devices > 0 && pod.device_milli == 0) {
    return csv.Error(absl::StrCat("asks for ", pod.devices, " devices of 0 milli each"));
  }
  if (pod.devices == 0) {
    pod.device_milli = 0;
  } else if (pod.devices > 1) {
    pod.device_milli = kWholeDevice;
  }
  return pod;
}

}  // namespace

absl::StatusOr<std::vector<TraceJob>> ReadJobs(CsvReader csv) {
  JobColumns columns{};
  ASSIGN_OR_RETURN(columns.id, csv.Column("job_id"));
  ASSIGN_OR_RETURN(columns.submit, csv.Column("submit_s"));
  ASSIGN_OR_RETURN(columns.run, csv.Column("run_s"));
  ASSIGN_OR_RETURN(columns.devices, csv.Column("gpus"));
  columns.request = csv.OptionalColumn("req_s");
  columns.user = csv.OptionalColumn("user");
  columns.vc = csv.OptionalColumn("vc");
  std::vector<TraceJob> jobs;
  absl::flat_hash_set<std::string> seen;
  while (true) {
    bool more = false;
    ASSIGN_OR_RETURN(more, csv.Next());
    if (!more) {
      break;
    }
    std::string id;
    ASSIGN_OR_RETURN(id, UniqueName(csv, columns.id, seen));
    TraceJob job;
    ASSIGN_OR_RETURN(job, ReadJob(csv, columns));
    job.id = std::move(id);
    if (!jobs.empty() && job.submit_us < jobs.back().submit_us) {
      return csv.Error(absl::StrCat("job ", job.id, " was submitted before job ", jobs.back().id,
                                    " of the row above; sort the file by submit_s"));
    }
    jobs.push_back(std::move(job));
  }
  if (jobs.empty()) {
    return csv.Error("there is no job after the header");
  }
  return jobs;
}

absl::StatusOr<std::vector<TraceNode>> ReadNodes(CsvReader csv, NodeColumns needed) {
  int name = 0;
  int devices = 0;
  ASSIGN_OR_RETURN(name, csv.Column("sn"));
  ASSIGN_OR_RETURN(devices, csv.Column("gpu"));
  int cpu = csv.OptionalColumn("cpu_milli");
  if (needed == NodeColumns::kWithHosts) {
    ASSIGN_OR_RETURN(cpu, csv.Column("cpu_milli"));
  }
  const int memory = csv.OptionalColumn("memory_mib");
  const int model = csv.OptionalColumn("model");
  std::vector<TraceNode> nodes;
  absl::flat_hash_set<std::string> seen;
  while (true) {
    bool more = false;
    ASSIGN_OR_RETURN(more, csv.Next());
    if (!more) {
      break;
    }
    TraceNode node;
    ASSIGN_OR_RETURN(node.name, UniqueName(csv, name, seen));
    ASSIGN_OR_RETURN(node.cpu_milli, Amount(csv, cpu));
    ASSIGN_OR_RETURN(node.memory_mib, Amount(csv, memory));
    int64_t count = 0;
    ASSIGN_OR_RETURN(count, csv.Integer(devices, kDevicesPerNodeMax));
    node.devices = static_cast<int>(count);
    node.model = std::string(csv.Field(model));
    nodes.push_back(std::move(node));
  }
  if (nodes.empty()) {
    return csv.Error("there is no node after the header");
  }
  return nodes;
}

absl::StatusOr<std::vector<TracePod>> ReadPods(CsvReader csv) {
  int name = 0;
  int cpu = 0;
  int count = 0;
  int milli = 0;
  ASSIGN_OR_RETURN(name, csv.Column("name"));
  ASSIGN_OR_RETURN(cpu, csv.Column("cpu_milli"));
  ASSIGN_OR_RETURN(count, csv.Column("num_gpu"));
  ASSIGN_OR_RETURN(milli, csv.Column("gpu_milli"));
  const int memory = csv.OptionalColumn("memory_mib");
  const int models = csv.OptionalColumn("gpu_spec");
  std::vector<TracePod> pods;
  while (true) {
    bool more = false;
    ASSIGN_OR_RETURN(more, csv.Next());
    if (!more) {
      break;
    }
    TracePod pod;
    ASSIGN_OR_RETURN(pod, ReadPod(csv, cpu, memory, count, milli));
    pod.name = std::string(csv.Field(name));
    pod.models = std::string(csv.Field(models));
    pods.push_back(std::move(pod));
  }
  if (pods.empty()) {
    return csv.Error("there is no pod after the header");
  }
  return pods;
}

}  // namespace berth::sim
