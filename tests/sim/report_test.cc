#include "sim/report.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "nlohmann/json.hpp"
#include "sim/plot.h"
#include "sim/units.h"
#include "tests/sim/policies/trace_builders.h"

namespace berth::sim {
namespace {

TEST(Report, MetricsAreThoseOfTheTables) {
  const std::vector<TraceJob> jobs = {
      MakeTraceJob(Job("a", 100, 20, 2)),
      MakeTraceJob(Job("b", 100, 5, 1)),
      MakeTraceJob(Job("c", 110, 40, 1)),
      MakeTraceJob(Job("big", 110, 40, 9)),
  };
  const std::vector<JobTimes> times = {
      {100 * kSecond, 120 * kSecond},
      {120 * kSecond, 125 * kSecond},
      {120 * kSecond, 160 * kSecond},
      {kNever,        kNever       },
  };
  const ReplayReport report = MakeReport(jobs, times, 2);
  EXPECT_EQ(report.jobs, 3);
  EXPECT_EQ(report.skipped, 1);
  EXPECT_DOUBLE_EQ(report.avg_wait_s, (0 + 20 + 10) / 3.0);
  EXPECT_DOUBLE_EQ(report.p50_wait_s, 10) << "sorted[int(0.5 x 3)]";
  EXPECT_DOUBLE_EQ(report.p99_wait_s, 20) << "sorted[int(0.99 x 3)]";
  EXPECT_DOUBLE_EQ(report.avg_jct_s, (20 + 25 + 50) / 3.0);
  EXPECT_DOUBLE_EQ(report.p99_jct_s, 50);
  EXPECT_DOUBLE_EQ(report.avg_bsld, (1 + 25 / 10.0 + 50 / 40.0) / 3);
  EXPECT_DOUBLE_EQ(report.makespan_s, 60);
  EXPECT_DOUBLE_EQ(report.utilization, (20 * 2 + 5 + 40) / (2 * 60.0));
}

TEST(Report, NothingRan) {
  const ReplayReport report = MakeReport({MakeTraceJob(Job("big", 0, 1, 9))}, {JobTimes()}, 2);
  EXPECT_EQ(report.jobs, 0);
  EXPECT_EQ(report.utilization, 0);
}

TEST(Report, JsonHasTheAgreedNames) {
  const auto json = nlohmann::json::parse(ReportJson(ReplayReport{.jobs = 7, .avg_bsld = 1.5}));
  for (const char* name : {"jobs", "avg_wait_s", "p50_wait_s", "p99_wait_s", "avg_jct_s",
                           "p99_jct_s", "avg_bsld", "makespan_s", "utilization", "wall_seconds"}) {
    EXPECT_TRUE(json.contains(name)) << name;
  }
  EXPECT_EQ(json["jobs"], 7);
  EXPECT_EQ(json["avg_bsld"], 1.5);
}

TEST(Report, ScheduleIsInSecondsAndLeavesOutWhatDidNotRun) {
  const std::vector<TraceJob> jobs = {MakeTraceJob(Job("a", 0, 1, 1)),
                                      MakeTraceJob(Job("b", 0, 1, 9))};
  const std::vector<JobTimes> times = {
      {250000, 3000000},
      {kNever, kNever }
  };
  EXPECT_EQ(ScheduleCsv(jobs, times), "job_id,start_s,end_s\na,0.25,3\n");
}

TEST(Plot, IsAnSvgWithBothCurves) {
  const std::string svg = UsagePlot("easy on <a&b>",
                                    {
                                        {0,              4, 0},
                                        {3600 * kSecond, 2, 9},
                                        {7200 * kSecond, 0, 0}
  },
                                    4);
  EXPECT_EQ(svg.find("<svg "), 0u);
  EXPECT_NE(svg.find("easy on &lt;a&amp;b&gt;"), std::string::npos);
  EXPECT_NE(svg.find("devices busy"), std::string::npos);
  EXPECT_NE(svg.find(">9<"), std::string::npos) << "the longest queue is the top of its axis";
  EXPECT_NE(svg.find(">2 h<"), std::string::npos);
  EXPECT_NE(UsagePlot("empty", {}, 4).find("</svg>"), std::string::npos);
}

}  // namespace
}  // namespace berth::sim
