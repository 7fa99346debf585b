#ifndef BERTH_SIM_CENTER_H_
#define BERTH_SIM_CENTER_H_

// A computing center and its jobs, as the simulator is given them. Plain values.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "scheduler/core/job.h"
#include "scheduler/core/node.h"
#include "scheduler/core/quota_tree.h"

namespace berth::sim {

struct SimNode {
  std::string name;
  int devices = 0;
  std::string device_class;
  HostResources capacity;
  TopologyPath topology;
};

struct SimTenant {
  std::string name;
  std::map<std::string, QuotaLimits> quotas;  // by device class
};

struct SimCenter {
  std::vector<SimNode> nodes;
  std::vector<SimTenant> tenants;
};

struct SimJob {
  int64_t submit_us = 0;
  int64_t run_us = 0;  // with all the nodes it asks; an elastic gang with fewer takes longer
  int tenant = 0;      // number in SimCenter::tenants
  GangShape gang;      // without classes
  std::vector<std::string> device_classes;
  absl::Duration time_limit;
  absl::Duration grace;  // zero: the center's default
  // From the stop signal to its end. It saves what it has done: the next attempt goes on from
  // there.
  int64_t stop_us = 0;
  int priority = 0;
  bool preemptible = true;
  bool may_borrow = true;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_CENTER_H_
