#ifndef BERTH_SIM_TRACE_READER_H_
#define BERTH_SIM_TRACE_READER_H_

// Jobs, nodes and pods from neutral CSV. Times are whole microseconds: what is decided on them is
// exact.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "sim/csv.h"

namespace berth::sim {

struct TraceJob {
  std::string id;
  int64_t submit_us = 0;
  int64_t run_us = 0;
  int64_t request_us = 0;  // the user's estimate; run_us where the log has none
  int64_t devices = 0;
  std::string user;
  std::string vc;  // the virtual cluster: a tenant
};

struct TraceNode {
  std::string name;
  int64_t cpu_milli = 0;
  int64_t memory_mib = 0;
  int devices = 0;
  std::string model;
};

struct TracePod {
  std::string name;
  int64_t cpu_milli = 0;
  int64_t memory_mib = 0;
  int devices = 0;       // 0: a pod without devices
  int device_milli = 0;  // of each; 1000 is a whole device
  std::string models;    // "A|B" names the allowed ones; empty: any
};

// In the order of the file, which must be that of the submissions.
// Columns: job_id, submit_s, run_s, gpus, and, where there are any, req_s, user, vc.
absl::StatusOr<std::vector<TraceJob>> ReadJobs(CsvReader csv);
// Columns: sn, gpu, and, where there are any, memory_mib, model. cpu_milli must be there for
// kWithHosts: pods need it, jobs do not.
enum class NodeColumns { kDevicesOnly, kWithHosts };
absl::StatusOr<std::vector<TraceNode>> ReadNodes(CsvReader csv, NodeColumns needed);
// Columns: name, cpu_milli, num_gpu, gpu_milli, and, where there are any, memory_mib, gpu_spec.
absl::StatusOr<std::vector<TracePod>> ReadPods(CsvReader csv);

}  // namespace berth::sim

#endif  // BERTH_SIM_TRACE_READER_H_
