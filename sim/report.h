#ifndef BERTH_SIM_REPORT_H_
#define BERTH_SIM_REPORT_H_

// What came of a replay: the metrics that published tables use, as text, JSON and CSV.
//
// wait = first start - submit; JCT = end - submit; bounded slowdown = max(1, JCT / max(run, 10 s));
// the p-th percentile is sorted[int(p n)]; utilisation = sum(run x devices) / (capacity x
// makespan); makespan = last end - first submit.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "sim/policies/replay_policy.h"
#include "sim/trace_reader.h"

namespace berth::sim {

struct ReplayReport {
  int64_t jobs = 0;     // that ran to their end
  int64_t skipped = 0;  // that the pool could never hold
  double avg_wait_s = 0;
  double p50_wait_s = 0;
  double p99_wait_s = 0;
  double avg_jct_s = 0;
  double p99_jct_s = 0;
  double avg_bsld = 0;
  double makespan_s = 0;
  double utilization = 0;
  double wall_seconds = 0;  // of the simulation itself
};

// Requires: as many times as jobs.
ReplayReport MakeReport(const std::vector<TraceJob>& jobs, const std::vector<JobTimes>& times,
                        int64_t capacity);

std::string ReportText(const ReplayReport& report);
std::string ReportJson(const ReplayReport& report);
// job_id,start_s,end_s in the order of the trace; of the jobs that ran.
std::string ScheduleCsv(const std::vector<TraceJob>& jobs, const std::vector<JobTimes>& times);
// "327952", "0.25": seconds without trailing zeros.
std::string FormatSeconds(int64_t microseconds);

absl::Status WriteFile(absl::string_view path, absl::string_view text);

}  // namespace berth::sim

#endif  // BERTH_SIM_REPORT_H_
