// What an agent tells of devices that are others than before: divided, put together, gone.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "scheduler/core/invariants.h"
#include "scheduler/core/node_loss.h"
#include "tests/testing/test_center.h"

namespace berth {
namespace {

ReportedDevice DeviceOf(int index, const std::string& uuid, const std::string& device_class,
                        const std::string& part_of = "") {
  Device device;
  device.index = index;
  device.uuid = uuid;
  device.part_of = part_of;
  return {device, device_class};
}

class InventoryChangeTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    node_ = center_.AddNode("n1", 2);
    center_.Must(DrainNode{"n1", ""});
    center_.TellDevices(node_, {DeviceOf(0, "A", "gpu"), DeviceOf(1, "B", "gpu")});
    center_.Must(UndrainNode{"n1"});
    for (const char* device_class : {"gpu", "half"}) {
      center_.SetQuota("acme", {.entitlement = 8, .limit = 8}, device_class);
    }
    EXPECT_EQ(state(), NodeState::kReady);
  }
  void TearDown() override {
    const absl::Status sound = CheckInvariants(center_.cluster());
    EXPECT_TRUE(sound.ok()) << sound;
  }
  NodeState state() const { return center_.cluster().GetNode(node_).state; }
  void DivideFirst() {
    center_.TellDevices(node_, {DeviceOf(1, "B", "gpu"), DeviceOf(100, "A0", "half", "A"),
                                DeviceOf(101, "A1", "half", "A")});
  }
  JobId Submit(int devices, const std::string& device_class) {
    const JobId job = center_.Submit({.devices = devices, .classes = {device_class}});
    center_.Round();
    return job;
  }
  AllocationId MemberOf(JobId job) { return center_.GetJob(job).allocations.at(0); }

  TestCenter center_;
  NodeId node_;
};

TEST_F(InventoryChangeTest, ADividedDeviceIsOfferedByItsPartsOnly) {
  DivideFirst();
  EXPECT_EQ(state(), NodeState::kReady);
  EXPECT_EQ(center_.state(Submit(2, "half")), JobState::kStarting);
  EXPECT_EQ(center_.state(Submit(1, "gpu")), JobState::kStarting);
  EXPECT_EQ(center_.state(Submit(1, "gpu")), JobState::kQueued);
}

TEST_F(InventoryChangeTest, PartsMayBeOthersAndTheWholeComeBack) {
  DivideFirst();
  center_.TellDevices(node_, {DeviceOf(1, "B", "gpu"), DeviceOf(100, "A2", "half", "A")});
  EXPECT_EQ(state(), NodeState::kReady);
  center_.TellDevices(node_, {DeviceOf(0, "A", "gpu"), DeviceOf(1, "B", "gpu")});
  EXPECT_EQ(state(), NodeState::kReady);
  EXPECT_EQ(center_.state(Submit(2, "gpu")), JobState::kStarting);
}

TEST_F(InventoryChangeTest, ADeviceThatIsGoneIsAQuarantineUnlessTheNodeIsDrained) {
  center_.Must(DrainNode{"n1", "repair"});
  center_.TellDevices(node_, {DeviceOf(0, "A", "gpu")});
  EXPECT_EQ(state(), NodeState::kDrained);
  center_.Must(UndrainNode{"n1"});
  center_.TellDevices(node_, {DeviceOf(1, "A", "gpu")});
  EXPECT_EQ(state(), NodeState::kQuarantined);
}

TEST_F(InventoryChangeTest, ADrainedNodeThatSaysHelloMayBeAnotherToo) {
  center_.Must(DrainNode{"n1", "repair"});
  center_.TellDevices(node_, {DeviceOf(0, "C", "gpu")});
  center_.Hello(node_);
  EXPECT_EQ(state(), NodeState::kDrained);
}

TEST_F(InventoryChangeTest, WhatRunsOnADrainingNodeKeepsItsDeviceFromVanishingUnseen) {
  const JobId job = Submit(1, "gpu");
  center_.RunJob(job);
  center_.Must(DrainNode{"n1", "repair"});
  center_.TellDevices(node_, {});
  EXPECT_EQ(state(), NodeState::kQuarantined);
  center_.ExitJob(job);
}

// An agent that was away meanwhile does not know better.
TEST_F(InventoryChangeTest, PartsAreNotGivenOutBesideATaskThatHasTheWhole) {
  const JobId job = Submit(2, "gpu");
  center_.RunJob(job);
  const std::vector<RunningTask> tasks = {
      {.allocation = MemberOf(job), .job = job, .state = TaskState::kRunning}
  };
  center_.SetDevices(node_, {DeviceOf(1, "B", "gpu"), DeviceOf(100, "A0", "half", "A")});
  center_.Hello(node_, tasks, 1);
  EXPECT_EQ(state(), NodeState::kQuarantined);
  EXPECT_EQ(center_.cluster().GetNode(node_).state_detail,
            absl::StrCat("device 0 (A) is gone or divided, and job ", job.value(), " has it"));
  EXPECT_EQ(center_.state(Submit(1, "half")), JobState::kQueued);
  EXPECT_EQ(center_.state(job), JobState::kRunning);
  center_.ExitJob(job);
}

TEST_F(InventoryChangeTest, PartsAreGivenOutOnceTheTaskThatHadTheWholeHasEnded) {
  const JobId job = Submit(2, "gpu");
  center_.RunJob(job);
  center_.Hello(node_,
                {
                    {.allocation = MemberOf(job), .job = job, .state = TaskState::kRunning}
  },
                1);
  center_.ExitJob(job);
  DivideFirst();
  EXPECT_EQ(state(), NodeState::kReady);
  EXPECT_EQ(center_.state(Submit(2, "half")), JobState::kStarting);
}

TEST_F(InventoryChangeTest, AStartForADeviceThatWasDividedMeanwhileIsNobodysFailure) {
  const JobId job =
      center_.Submit({.devices = 1, .classes = {"gpu"}, .requeue = {.on_node_fault = false}});
  center_.Round();
  ASSERT_EQ(center_.state(job), JobState::kStarting);
  DivideFirst();
  TaskReport report;
  report.report_seq = 1;
  report.kind = ReportKind::kRefused;
  report.refusal = Refusal::kDevice;
  report.allocation = MemberOf(job);
  report.job = job;
  report.message = "device 0 (A) is not on the node any more";
  center_.engine().Apply(AgentEvent(AgentReport{node_, center_.session(node_), report}),
                         center_.now());
  center_.Commit();
  EXPECT_EQ(center_.state(job), JobState::kQueued);
  EXPECT_EQ(center_.GetJob(job).requeues, 0);
  EXPECT_TRUE(center_.GetJob(job).suspect_nodes.empty());
  center_.Advance(Policy().requeue_delay + absl::Seconds(1));
  center_.Round();
  EXPECT_EQ(center_.state(job), JobState::kStarting);
  EXPECT_EQ(center_.cluster().GetAllocation(MemberOf(job)).devices.at(0).uuid, "B");
}

}  // namespace
}  // namespace berth
