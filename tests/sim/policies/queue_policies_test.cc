#include "sim/policies/queue_policies.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/policies/trace_builders.h"

namespace berth::sim {
namespace {

// First come, first served: nobody passes the first in line.
TEST(Fifo, TheFirstInLineHoldsUpTheOthers) {
  const Starts starts =
      StartsOf("fifo", 2, {Job("a", 0, 10, 1), Job("b", 1, 10, 2), Job("c", 2, 1, 1)});
  EXPECT_EQ(starts, (Starts{0, 10, 20}));
}

TEST(Sjf, TheShortestEstimateIsFirstAndHoldsUpTheOthers) {
  // At 10 both of b and c wait: c is shorter, and d, which would fit beside c, is longer than b.
  const Starts starts = StartsOf(
      "sjf", 2, {Job("a", 0, 10, 2), Job("b", 1, 8, 2), Job("c", 2, 3, 1), Job("d", 3, 9, 1)});
  EXPECT_EQ(starts, (Starts{0, 13, 10, 21}));
}

TEST(Sjf, EqualEstimatesKeepTheOrderOfSubmission) {
  const Starts starts =
      StartsOf("sjf", 1, {Job("a", 0, 10, 1), Job("b", 1, 5, 1), Job("c", 2, 5, 1)});
  EXPECT_EQ(starts, (Starts{0, 10, 15}));
}

TEST(Easy, AJobThatEndsByTheReservationMayPass) {
  // b is promised 10. c ends at 10 exactly, d would end one second later.
  EXPECT_EQ(StartsOf("easy", 2, {Job("a", 0, 10, 1), Job("b", 1, 5, 2), Job("c", 2, 8, 1)}),
            (Starts{0, 10, 2}));
  EXPECT_EQ(StartsOf("easy", 2, {Job("a", 0, 10, 1), Job("b", 1, 5, 2), Job("d", 2, 9, 1)}),
            (Starts{0, 10, 15}));
}

TEST(Easy, AJobThatUsesOnlyWhatIsSpareAtTheReservationMayPass) {
  // At 10 the 4 devices are free, b takes 3 of them: one is spare. c takes it, nothing is left for
  // d although one more device is free now.
  const Starts starts = StartsOf(
      "easy", 4, {Job("a", 0, 10, 2), Job("b", 1, 5, 3), Job("c", 2, 99, 1), Job("d", 3, 99, 1)});
  EXPECT_EQ(starts, (Starts{0, 10, 2, 15}));
}

TEST(Easy, TheReservationIsAtTheEarliestTimeAtWhichEnoughIsFree) {
  // The ends at 10 and 20 free two devices, b needs three: 30 is its time, so c may last until 30.
  const Starts starts = StartsOf("easy", 4,
                                 {Job("r1", 0, 10, 1), Job("r2", 0, 20, 1), Job("r3", 0, 30, 1),
                                  Job("b", 1, 5, 4), Job("c", 2, 28, 1)});
  EXPECT_EQ(starts, (Starts{0, 0, 0, 30, 2}));
}

// The next two also hold if ends were looked at first: then b would start at 10.
TEST(Easy, WhatIsEstimatedToEndNowIsFreeForASubmissionAndSubmissionsGoBeforeEnds) {
  // At 10, r2 is estimated to end and ends; r1 ends too, ten seconds before its estimate. The
  // submission of d is looked at with the device of r2 free and that of r1 not.
  const Starts starts = StartsOf(
      "easy", 2,
      {Job("r1", 0, 10, 1, 20), Job("r2", 0, 10, 1, 10), Job("b", 5, 9, 2), Job("d", 10, 5, 1)});
  EXPECT_EQ(starts, (Starts{0, 0, 15, 10}));
}

TEST(Easy, EndsAreLookedAtOneByOne) {
  // Both run-away estimates end at 10. After the first end only d fits, and it does not delay b,
  // which is promised 20.
  const Starts starts = StartsOf(
      "easy", 2,
      {Job("r1", 0, 10, 1, 20), Job("r2", 0, 10, 1, 20), Job("b", 5, 9, 2), Job("d", 6, 5, 1)});
  EXPECT_EQ(starts, (Starts{0, 0, 15, 10}));
}

TEST(Easy, AJobThatOverstaysItsEstimateIsExpectedToEndAtAnyMoment) {
  // At 13 r1 should have ended at 10: b may start at any moment, so c may not pass.
  const Starts starts =
      StartsOf("easy", 2, {Job("r1", 0, 20, 1, 10), Job("b", 12, 4, 2), Job("c", 13, 5, 1)});
  EXPECT_EQ(starts, (Starts{0, 20, 24}));
}

TEST(Easy, TheEstimateIsTheRequestOrTheTruth) {
  // c asks for 20 s and runs for 5: with the request it may not pass, with the truth it may.
  const std::vector<TestJob> jobs = {Job("a", 0, 10, 1), Job("b", 1, 5, 2), Job("c", 2, 5, 1, 20)};
  EXPECT_EQ(StartsOf("easy", 2, jobs), (Starts{0, 10, 15}));
  EXPECT_EQ(StartsOf("easy", 2, jobs, Estimate::kRun), (Starts{0, 10, 2}));
}

TEST(EasySjbf, TheShortestEstimateMayPassFirst) {
  // At 10 one device becomes free: s was submitted after l and is shorter.
  const Starts starts = StartsOf("easy-sjbf", 2,
                                 {Job("r1", 0, 100, 1), Job("r2", 0, 10, 1), Job("b", 1, 5, 2),
                                  Job("l", 2, 50, 1), Job("s", 3, 20, 1)});
  EXPECT_EQ(starts, (Starts{0, 0, 100, 30, 10}));
}

TEST(EasySjbf, EqualEstimatesKeepTheOrderOfSubmission) {
  const Starts starts = StartsOf("easy-sjbf", 2,
                                 {Job("r1", 0, 100, 1), Job("r2", 0, 10, 1), Job("b", 1, 5, 2),
                                  Job("l", 2, 20, 1), Job("s", 3, 20, 1)});
  EXPECT_EQ(starts, (Starts{0, 0, 100, 10, 30}));
}

TEST(EasySjbf, TheQueueItselfIsFirstComeFirstServed) {
  const Starts starts =
      StartsOf("easy-sjbf", 1, {Job("r", 0, 10, 1), Job("l", 1, 50, 1), Job("s", 2, 5, 1)});
  EXPECT_EQ(starts, (Starts{0, 10, 60}));
}

TEST(EasySjbf, SubmissionsAreLookedAtOneByOne) {
  // l and s arrive together; l is looked at before s is known.
  const Starts starts =
      StartsOf("easy-sjbf", 2,
               {Job("r", 0, 100, 1), Job("b", 1, 5, 2), Job("l", 5, 50, 1), Job("s", 5, 10, 1)});
  EXPECT_EQ(starts, (Starts{0, 100, 5, 55}));
}

TEST(QueuePolicies, AJobLargerThanThePoolIsSkippedAndHoldsUpNobody) {
  for (const std::string policy : {"fifo", "sjf", "easy", "easy-sjbf", "srtf", "srsf"}) {
    EXPECT_EQ(StartsOf(policy, 2, {Job("a", 0, 10, 3), Job("b", 1, 5, 2)}), (Starts{-1, 1}))
        << policy;
  }
}

TEST(QueuePolicies, JobsOfNoLengthOrNoDevicesPass) {
  for (const std::string policy : {"fifo", "sjf", "easy", "easy-sjbf", "srtf", "srsf"}) {
    EXPECT_EQ(StartsOf(policy, 1, {Job("a", 5, 0, 1), Job("b", 5, 3, 1), Job("c", 5, 7, 0)}),
              (Starts{5, 5, 5}))
        << policy;
  }
}

TEST(QueuePolicies, FractionsOfASecondCount) {
  TraceJob first = MakeTraceJob(Job("a", 0, 1, 1));
  TraceJob second = MakeTraceJob(Job("b", 0, 1, 1));
  first.run_us = 1500000;
  const std::vector<TraceJob> jobs = {first, second};
  const DevicePool pool({1});
  EXPECT_EQ(RunEasy({jobs, pool, Estimate::kRun}).times[1].start_us, 1500000);
}

// On nodes, a job must not take what the first in line is promised, node by node.
TEST(Easy, OnNodesSpareIsCountedPerNode) {
  const DevicePool pool({4, 4});
  // b needs a whole node and is promised node 1 at 10. c fits node 0, where r1 leaves two devices
  // free for long; d would fit only on node 1 and lasts too long.
  const Starts starts = StartsOf("easy", pool,
                                 {Job("r1", 0, 100, 2), Job("r2", 0, 10, 4), Job("b", 1, 5, 4),
                                  Job("c", 2, 99, 2), Job("d", 3, 99, 2)});
  EXPECT_EQ(starts, (Starts{0, 0, 10, 2, 15}));
}

// What became of a job is the same whether it was looked at alone or with the whole queue: the
// state of usage adds up at every time.
TEST(QueuePolicies, UsageIsThatOfTheTimes) {
  const std::vector<TraceJob> jobs = RandomJobs(7, 400, 8);
  const DevicePool pool({16});
  for (const ReplayPolicy& policy : ReplayPolicies()) {
    const Replay replay = policy.run({jobs, pool, Estimate::kRequest});
    if (std::string(policy.name)[0] == 's' && std::string(policy.name) != "sjf") {
      continue;  // preemptive: between first start and end a job may stand still
    }
    for (const UsagePoint& point : replay.usage) {
      int64_t busy = 0;
      int64_t waiting = 0;
      for (size_t i = 0; i < jobs.size(); ++i) {
        const JobTimes& times = replay.times[i];
        busy += times.start_us <= point.at_us && point.at_us < times.end_us ? jobs[i].devices : 0;
        waiting += jobs[i].submit_us <= point.at_us && point.at_us < times.start_us ? 1 : 0;
      }
      ASSERT_EQ(point.devices_busy, busy) << policy.name << " at " << point.at_us;
      ASSERT_EQ(point.jobs_waiting, waiting) << policy.name << " at " << point.at_us;
      ASSERT_LE(busy, 16);
    }
  }
}

}  // namespace
}  // namespace berth::sim
