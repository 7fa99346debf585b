#include "sim/workload.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "sim/decision_hash.h"

namespace berth::sim {
namespace {

constexpr WorkloadOptions kOptions = {.seed = 7, .jobs = 20'000, .nodes = 64};

std::map<std::string, int64_t> Capacities(const SimCenter& center) {
  std::map<std::string, int64_t> devices;
  for (const SimNode& node : center.nodes) {
    devices[node.device_class] += node.devices;
  }
  return devices;
}

uint64_t HashOf(const Workload& workload) {
  DecisionHash hash;
  for (const SimJob& job : workload.jobs) {
    hash.Add({static_cast<uint64_t>(job.submit_us), static_cast<uint64_t>(job.run_us),
              static_cast<uint64_t>(job.tenant), static_cast<uint64_t>(job.gang.devices()),
              static_cast<uint64_t>(absl::ToInt64Seconds(job.time_limit)),
              static_cast<uint64_t>(job.priority + 100)});
  }
  return hash.value();
}

TEST(Workload, ContractsFitTheCenter) {
  const Workload workload = MakeWorkload(kOptions);
  std::map<std::string, int64_t> owned;
  for (const SimTenant& tenant : workload.center.tenants) {
    for (const auto& [device_class, limits] : tenant.quotas) {
      owned[device_class] += limits.entitlement;
      EXPECT_LE(limits.non_lendable, limits.entitlement);
      EXPECT_GE(limits.limit.value_or(INT64_MAX), limits.entitlement);
    }
  }
  EXPECT_EQ(workload.center.tenants.size(), 50u);
  for (const auto& [device_class, devices] : Capacities(workload.center)) {
    EXPECT_LE(owned[device_class], devices);
    EXPECT_GT(owned[device_class], devices / 2);
  }
}

TEST(Workload, JobsAreInOrderWithinTheirLimitsAndNoneIsTooLarge) {
  const Workload workload = MakeWorkload(kOptions);
  ASSERT_EQ(workload.jobs.size(), 20'000u);
  const std::map<std::string, int64_t> capacities = Capacities(workload.center);
  int64_t last = 0;
  for (const SimJob& job : workload.jobs) {
    EXPECT_GE(job.submit_us, last);
    last = job.submit_us;
    EXPECT_LE(job.run_us, absl::ToInt64Microseconds(job.time_limit));
    EXPECT_GT(job.run_us, 0);
    for (const std::string& device_class : job.device_classes) {
      EXPECT_LE(job.gang.devices(), capacities.at(device_class) / 2);
    }
  }
}

TEST(Workload, IsMixedAndAsMuchWorkAsAsked) {
  const Workload workload = MakeWorkload(kOptions);
  std::set<int64_t> devices;
  std::set<int> tenants;
  int64_t work = 0;
  int64_t elastic = 0;
  int64_t fixed = 0;
  for (const SimJob& job : workload.jobs) {
    devices.insert(job.gang.devices());
    tenants.insert(job.tenant);
    work += job.run_us / 1'000'000 * job.gang.devices();
    elastic += job.gang.is_elastic() ? 1 : 0;
    fixed += job.preemptible ? 0 : 1;
  }
  EXPECT_EQ(devices, (std::set<int64_t>{1, 2, 4, 8, 16, 32, 64}));
  EXPECT_EQ(tenants.size(), 50u);
  EXPECT_GT(elastic, 0);
  EXPECT_GT(fixed, 0);
  const int64_t offered = int64_t{64} * 8 * (workload.jobs.back().submit_us / 1'000'000);
  EXPECT_NEAR(static_cast<double>(work) / static_cast<double>(offered), 0.9, 0.05);
}

TEST(Workload, TheSameSeedGivesTheSameEverywhere) {
  const uint64_t hash = HashOf(MakeWorkload(kOptions));
  EXPECT_EQ(hash, HashOf(MakeWorkload(kOptions)));
  WorkloadOptions other = kOptions;
  other.seed = 8;
  EXPECT_NE(hash, HashOf(MakeWorkload(other)));
}

}  // namespace
}  // namespace berth::sim
