#include "sim/report.h"

#include <algorithm>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "nlohmann/json.hpp"
#include "sim/units.h"

namespace berth::sim {
namespace {

constexpr int64_t kShortRun = 10 * kSecond;  // of the bounded slowdown

double Seconds(int64_t microseconds) {
  return static_cast<double>(microseconds) / kSecond;
}

// Requires: not empty.
double Percentile(std::vector<int64_t>& values, double fraction) {
  const auto place = static_cast<size_t>(fraction * static_cast<double>(values.size()));
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(place), values.end());
  return Seconds(values[place]);
}

double Mean(const std::vector<int64_t>& values) {
  double sum = 0;
  for (const int64_t value : values) {
    sum += Seconds(value);
  }
  return sum / static_cast<double>(values.size());
}

}  // namespace

ReplayReport MakeReport(const std::vector<TraceJob>& jobs, const std::vector<JobTimes>& times,
                        int64_t capacity) {
  ReplayReport report;
  std::vector<int64_t> waits;
  std::vector<int64_t> completions;
  double slowdowns = 0;
  double work = 0;  // device-seconds
  int64_t last_end = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (times[i].end_us == kNever) {
      ++report.skipped;
      continue;
    }
    waits.push_back(times[i].start_us - jobs[i].submit_us);
    completions.push_back(times[i].end_us - jobs[i].submit_us);
    slowdowns +=
        std::max(1.0, Seconds(completions.back()) / Seconds(std::max(jobs[i].run_us, kShortRun)));
    work += Seconds(jobs[i].run_us) * static_cast<double>(jobs[i].devices);
    last_end = std::max(last_end, times[i].end_us);
  }
  report.jobs = static_cast<int64_t>(waits.size());
  if (waits.empty()) {
    return report;
  }
  report.avg_wait_s = Mean(waits);
  report.p50_wait_s = Percentile(waits, 0.5);
  report.p99_wait_s = Percentile(waits, 0.99);
  report.avg_jct_s = Mean(completions);
  report.p99_jct_s = Percentile(completions, 0.99);
  report.avg_bsld = slowdowns / static_cast<double>(waits.size());
  report.makespan_s = Seconds(last_end - jobs.front().submit_us);
  const double available = static_cast<double>(capacity) * report.makespan_s;
  report.utilization = available > 0 ? work / available : 0;
  return report;
}

std::string ReportText(const ReplayReport& report) {
  std::string text = absl::StrFormat("jobs          %12d\n", report.jobs);
  if (report.skipped > 0) {
    absl::StrAppendFormat(&text, "skipped       %12d   larger than the pool\n", report.skipped);
  }
  absl::StrAppendFormat(&text, "wait          %12.1f s average, %.1f s p50, %.1f s p99\n",
                        report.avg_wait_s, report.p50_wait_s, report.p99_wait_s);
  absl::StrAppendFormat(&text, "JCT           %12.1f s average, %.1f s p99\n", report.avg_jct_s,
                        report.p99_jct_s);
  absl::StrAppendFormat(&text, "slowdown      %12.3f average, bounded at 10 s\n", report.avg_bsld);
  absl::StrAppendFormat(&text, "makespan      %12.1f s\n", report.makespan_s);
  absl::StrAppendFormat(&text, "utilisation   %12.2f %%\n", report.utilization * 100);
  absl::StrAppendFormat(&text, "simulated in  %12.3f s\n", report.wall_seconds);
  return text;
}

std::string ReportJson(const ReplayReport& report) {
  const nlohmann::ordered_json json = {
      {"jobs",         report.jobs        },
      {"skipped",      report.skipped     },
      {"avg_wait_s",   report.avg_wait_s  },
      {"p50_wait_s",   report.p50_wait_s  },
      {"p99_wait_s",   report.p99_wait_s  },
      {"avg_jct_s",    report.avg_jct_s   },
      {"p99_jct_s",    report.p99_jct_s   },
      {"avg_bsld",     report.avg_bsld    },
      {"makespan_s",   report.makespan_s  },
      {"utilization",  report.utilization },
      {"wall_seconds", report.wall_seconds},
  };
  return json.dump(2) + "\n";
}

std::string FormatSeconds(int64_t microseconds) {
  std::string text = absl::StrCat(microseconds / kSecond);
  const int64_t fraction = microseconds % kSecond;
  if (fraction != 0) {
    absl::StrAppendFormat(&text, ".%06d", fraction);
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text;
}

std::string ScheduleCsv(const std::vector<TraceJob>& jobs, const std::vector<JobTimes>& times) {
  std::string csv = "job_id,start_s,end_s\n";
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (times[i].end_us != kNever) {
      absl::StrAppend(&csv, jobs[i].id, ",", FormatSeconds(times[i].start_us), ",",
                      FormatSeconds(times[i].end_us), "\n");
    }
  }
  return csv;
}

absl::Status WriteFile(absl::string_view path, absl::string_view text) {
  std::ofstream file{std::string(path), std::ios::binary};
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": cannot be written; does its folder exist and may you write there?"));
  }
  return absl::OkStatus();
}

}  // namespace berth::sim
