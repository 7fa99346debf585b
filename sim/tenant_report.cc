#include "sim/tenant_report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "nlohmann/json.hpp"
#include "sim/units.h"

namespace berth::sim {
namespace {

// The p-th percentile is sorted[int(p n)], as in report.h.
Recalls Summarize(std::vector<int64_t> waits) {
  Recalls recalls;
  recalls.count = static_cast<int64_t>(waits.size());
  if (waits.empty()) {
    return recalls;
  }
  std::sort(waits.begin(), waits.end());
  recalls.p50_s = static_cast<double>(waits[waits.size() / 2]) / kSecond;
  recalls.p95_s = static_cast<double>(waits[waits.size() * 95 / 100]) / kSecond;
  recalls.max_s = static_cast<double>(waits.back()) / kSecond;
  return recalls;
}

// What a replay's report looks at.
struct Part {
  std::vector<TraceJob> jobs;
  std::vector<JobTimes> times;

  void Add(const SimJob& job, const JobTimes& time) {
    TraceJob trace;
    trace.submit_us = job.submit_us;
    trace.run_us = job.run_us;
    trace.devices = job.gang.devices();
    jobs.push_back(std::move(trace));
    times.push_back(time);
  }
};

double Ratio(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

nlohmann::ordered_json Json(const Recalls& recalls) {
  return {
      {"count", recalls.count},
      {"p50_s", recalls.p50_s},
      {"p95_s", recalls.p95_s},
      {"max_s", recalls.max_s}
  };
}

nlohmann::ordered_json Json(const TenantReport& tenant) {
  return {
      {"name",         tenant.name           },
      {"entitlement",  tenant.entitlement    },
      {"used_devices", tenant.used_devices   },
      {"jobs",         tenant.jobs.jobs      },
      {"skipped",      tenant.jobs.skipped   },
      {"avg_wait_s",   tenant.jobs.avg_wait_s},
      {"p50_wait_s",   tenant.jobs.p50_wait_s},
      {"p99_wait_s",   tenant.jobs.p99_wait_s},
      {"avg_bsld",     tenant.jobs.avg_bsld  },
      {"recalls",      Json(tenant.recalls)  },
  };
}

}  // namespace

CenterReport MakeCenterReport(const SimCenter& center, const std::vector<SimJob>& jobs,
                              const Simulator& simulator) {
  Part all;
  std::vector<Part> parts(center.tenants.size());
  CenterReport report;
  for (size_t i = 0; i < jobs.size(); ++i) {
    const SimOutcome& outcome = simulator.outcomes()[i];
    all.Add(jobs[i], outcome.times);
    parts[static_cast<size_t>(jobs[i].tenant)].Add(jobs[i], outcome.times);
    report.requeues += std::max(outcome.attempts - 1, 0);
  }
  std::vector<int64_t> waits;
  std::vector<std::vector<int64_t>> tenant_waits(center.tenants.size());
  for (const SimRecall& recall : simulator.recalls()) {
    waits.push_back(recall.wait_us);
    tenant_waits[static_cast<size_t>(recall.tenant)].push_back(recall.wait_us);
  }
  report.jobs = MakeReport(all.jobs, all.times, simulator.capacity());
  report.recalls = Summarize(std::move(waits));
  report.rounds = simulator.rounds();
  report.decision_hash = simulator.decision_hash();
  const SimTotals& totals = simulator.totals();
  const int64_t available_ms = simulator.capacity() * totals.span_ms;
  report.busy_share = Ratio(totals.busy_device_ms, available_ms);
  report.fragmented_share =
      Ratio(totals.fragmented_device_ms, available_ms - totals.busy_device_ms);
  for (size_t tenant = 0; tenant < parts.size(); ++tenant) {
    TenantReport& part = report.tenants.emplace_back();
    part.name = center.tenants[tenant].name;
    for (const auto& [device_class, limits] : center.tenants[tenant].quotas) {
      part.entitlement += limits.entitlement;
    }
    part.jobs = MakeReport(parts[tenant].jobs, parts[tenant].times, 1);
    part.used_devices =
        part.jobs.utilization * part.jobs.makespan_s / std::max(report.jobs.makespan_s, 1.0);
    part.recalls = Summarize(std::move(tenant_waits[tenant]));
  }
  return report;
}

std::string CenterReportText(const CenterReport& report) {
  std::string text = ReportText(report.jobs);
  absl::StrAppendFormat(&text, "in use        %12.2f %%   until the last submission\n",
                        report.busy_share * 100);
  absl::StrAppendFormat(&text, "fragmented    %12.2f %%   of idle devices are beside busy ones\n",
                        report.fragmented_share * 100);
  absl::StrAppendFormat(&text, "requeues      %12d\n", report.requeues);
  absl::StrAppendFormat(&text, "recalls       %12d   %.1f s p50, %.1f s p95, %.1f s at most\n",
                        report.recalls.count, report.recalls.p50_s, report.recalls.p95_s,
                        report.recalls.max_s);
  absl::StrAppendFormat(&text, "rounds        %12d\n\n", report.rounds);
  absl::StrAppendFormat(&text, "%-14s %6s %9s %8s %10s %10s %9s %8s %8s %8s %8s\n", "tenant",
                        "owns", "uses", "jobs", "wait", "wait p99", "slowdown", "recalls", "p50",
                        "p95", "max");
  for (const TenantReport& tenant : report.tenants) {
    absl::StrAppendFormat(
        &text, "%-14s %6d %9.1f %8d %8.1f s %8.1f s %9.2f %8d %6.1f s %6.1f s %6.1f s\n",
        tenant.name, tenant.entitlement, tenant.used_devices, tenant.jobs.jobs,
        tenant.jobs.avg_wait_s, tenant.jobs.p99_wait_s, tenant.jobs.avg_bsld, tenant.recalls.count,
        tenant.recalls.p50_s, tenant.recalls.p95_s, tenant.recalls.max_s);
  }
  absl::StrAppendFormat(&text, "\ndecision hash %016x\n", report.decision_hash);
  return text;
}

std::string CenterReportJson(const CenterReport& report) {
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(ReportJson(report.jobs));
  json["busy_share"] = report.busy_share;
  json["fragmented_share"] = report.fragmented_share;
  json["requeues"] = report.requeues;
  json["recalls"] = Json(report.recalls);
  json["rounds"] = report.rounds;
  json["decision_hash"] = absl::StrFormat("%016x", report.decision_hash);
  json["tenants"] = nlohmann::ordered_json::array();
  for (const TenantReport& tenant : report.tenants) {
    json["tenants"].push_back(Json(tenant));
  }
  return json.dump(2) + "\n";
}

}  // namespace berth::sim
