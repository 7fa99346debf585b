#include "sim/tenant_report.h"

#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "nlohmann/json.hpp"
#include "sim/units.h"
#include "sim/workload.h"

namespace berth::sim {
namespace {

SimJob TenantJob(int64_t submit_s, int64_t run_s, int tenant, int devices) {
  SimJob job;
  job.submit_us = submit_s * kSecond;
  job.run_us = run_s * kSecond;
  job.tenant = tenant;
  job.gang.devices_per_node = devices;
  job.device_classes = {"gpu"};
  job.time_limit = absl::Hours(1);
  job.stop_us = 5 * kSecond;
  return job;
}

SimCenter TwoTenants() {
  SimCenter center;
  for (const char* name : {"a", "b"}) {
    center.nodes.push_back(
        {.name = name, .devices = 8, .device_class = "gpu", .capacity = {}, .topology = {}});
  }
  for (const char* name : {"owner", "borrower"}) {
    center.tenants.push_back({name, {}});
  }
  center.tenants[0].quotas["gpu"].entitlement = 16;
  return center;
}

TEST(TenantReport, SaysWhatARecallCostAndWhom) {
  // The borrower has both nodes; the owner gets one back when its job has stopped.
  const SimCenter center = TwoTenants();
  const std::vector<SimJob> jobs = {TenantJob(0, 600, 1, 8), TenantJob(0, 600, 1, 8),
                                    TenantJob(100, 50, 0, 8)};
  Simulator simulator(center, jobs, {});
  simulator.Run();
  const CenterReport report = MakeCenterReport(center, jobs, simulator);
  ASSERT_EQ(report.recalls.count, 1);
  EXPECT_DOUBLE_EQ(report.recalls.max_s, 5);
  EXPECT_EQ(report.tenants[0].recalls.count, 1);
  EXPECT_EQ(report.tenants[1].recalls.count, 0);
  EXPECT_EQ(report.requeues, 1);
  EXPECT_EQ(report.tenants[1].jobs.jobs, 2);
  EXPECT_DOUBLE_EQ(report.tenants[0].jobs.avg_wait_s, 5);
  EXPECT_DOUBLE_EQ(report.busy_share, 1);
}

TEST(TenantReport, CountsIdleDevicesBesideBusyOnes) {
  // For 100 s node a has 2 of 8 devices in use, node b none: 14 are idle, 6 of them beside others.
  const SimCenter center = TwoTenants();
  const std::vector<SimJob> jobs = {TenantJob(0, 600, 0, 2), TenantJob(100, 10, 0, 8)};
  Simulator simulator(center, jobs, {});
  simulator.Run();
  const CenterReport report = MakeCenterReport(center, jobs, simulator);
  EXPECT_DOUBLE_EQ(report.busy_share, 2 / 16.0);
  EXPECT_DOUBLE_EQ(report.fragmented_share, 6 / 14.0);
  EXPECT_DOUBLE_EQ(report.tenants[0].used_devices, (2 * 600 + 8 * 10) / 600.0);
}

// The hash is that of every compiler and build: the decisions depend on the seed alone.
TEST(TenantReport, ASyntheticWorkloadRunsToItsEndAndIsDecidedTheSameEverywhere) {
  const Workload workload = MakeWorkload({.seed = 7, .jobs = 500, .nodes = 16, .tenants = 10});
  Simulator first(workload.center, workload.jobs, {});
  first.Run();
  Simulator second(workload.center, workload.jobs, {});
  second.Run();
  EXPECT_EQ(first.decision_hash(), second.decision_hash());
  const CenterReport report = MakeCenterReport(workload.center, workload.jobs, first);
  EXPECT_EQ(report.jobs.jobs + report.jobs.skipped, 500);
  EXPECT_EQ(report.jobs.skipped, 0) << first.first_refusal();
  EXPECT_GT(report.recalls.count, 0);
  EXPECT_EQ(std::accumulate(
                report.tenants.begin(), report.tenants.end(), int64_t{0},
                [](int64_t sum, const TenantReport& tenant) { return sum + tenant.jobs.jobs; }),
            500);
  const auto json = nlohmann::json::parse(CenterReportJson(report));
  EXPECT_EQ(json["tenants"].size(), 10u);
  EXPECT_EQ(json["recalls"]["count"], report.recalls.count);
  const std::string text = CenterReportText(report);
  EXPECT_NE(text.find(std::string(json["decision_hash"])), std::string::npos);
}

}  // namespace
}  // namespace berth::sim
