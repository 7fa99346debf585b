#ifndef BERTH_SIM_TENANT_REPORT_H_
#define BERTH_SIM_TENANT_REPORT_H_

// What came of a simulation for each tenant and for the center: as text and as JSON. The metrics
// are those of report.h; a recall is the time from an owned claim's demand until it had the devices
// that others gave back.

#include <cstdint>
#include <string>
#include <vector>

#include "sim/center.h"
#include "sim/report.h"
#include "sim/simulator.h"

namespace berth::sim {

struct Recalls {
  int64_t count = 0;
  double p50_s = 0;
  double p95_s = 0;
  double max_s = 0;
};

struct TenantReport {
  std::string name;
  int64_t entitlement = 0;  // devices of all classes
  double used_devices = 0;  // by its jobs, on average over the makespan
  ReplayReport jobs;        // without utilisation
  Recalls recalls;
};

struct CenterReport {
  ReplayReport jobs;
  Recalls recalls;
  int64_t requeues = 0;
  int64_t rounds = 0;
  // Until the last submission: devices in use of all, and idle ones beside busy ones on their node
  // of all idle ones.
  double busy_share = 0;
  double fragmented_share = 0;
  uint64_t decision_hash = 0;
  std::vector<TenantReport> tenants;  // as in the center
};

// Requires: the simulation of these jobs is over.
CenterReport MakeCenterReport(const SimCenter& center, const std::vector<SimJob>& jobs,
                              const Simulator& simulator);
std::string CenterReportText(const CenterReport& report);
std::string CenterReportJson(const CenterReport& report);

}  // namespace berth::sim

#endif  // BERTH_SIM_TENANT_REPORT_H_
