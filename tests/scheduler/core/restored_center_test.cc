// What the core does after a restore: the database is older than what runs on the nodes.

#include <gtest/gtest.h>

#include "scheduler/core/node_protocol.h"
#include "tests/testing/test_center.h"

namespace berth {
namespace {

// What a database would hold of the cluster.
StoredState StateOf(const Cluster& cluster) {
  StoredState state;
  for (const auto& [id, name] : cluster.classes()) {
    state.nouns.classes.push_back({id, name});
  }
  for (const auto& [id, tenant] : cluster.quota().tenants()) {
    state.nouns.tenants.push_back(tenant);
  }
  for (const auto& [id, project] : cluster.quota().projects()) {
    state.nouns.projects.push_back(project);
  }
  for (const auto& [id, user] : cluster.users()) {
    state.nouns.users.push_back(user);
  }
  for (const auto& [id, node] : cluster.nodes()) {
    state.nouns.nodes.push_back(node);
    state.nouns.nodes.back().session = SessionId();
  }
  for (const auto& [id, job] : cluster.jobs()) {
    state.nouns.jobs.push_back(job);
    state.last_job = id;
  }
  for (const auto& [id, allocation] : cluster.allocations()) {
    state.nouns.allocations.push_back(allocation);
    state.last_allocation = id;
  }
  return state;
}

class RestoredCenterTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    n1_ = center_.AddNode("n1");
    n2_ = center_.AddNode("n2");
  }
  JobId Running(const TestJob& job) { return center_.SubmitRunning(job); }
  // The engine as the backup of now makes it: ids up to here are doubtful until they are confirmed.
  void RestoreNow() {
    center_.Commit();
    StoredState state = StateOf(center_.cluster());
    state.restored_allocation = state.last_allocation;
    state.last_allocation = AllocationId(state.last_allocation.value() + 1000);
    Policy policy;
    policy.mass_loss_percent = 100;  // all nodes are silent after a restart
    center_.engine() = Engine(policy, 2);
    center_.engine().Restore(std::move(state), center_.now());
  }
  RunningTask TaskOf(JobId job, size_t rank = 0) {
    const Allocation& allocation =
        center_.cluster().GetAllocation(center_.GetJob(job).allocations.at(rank));
    return {allocation.id, allocation.job, allocation.attempt, TaskState::kRunning,
            allocation.assign_seq};
  }
  NodeId NodeOf(JobId job, size_t rank = 0) {
    return center_.cluster().GetAllocation(center_.GetJob(job).allocations.at(rank)).node;
  }
  void ExpectHeld(JobId job) {
    EXPECT_EQ(center_.state(job), JobState::kHeld);
    const PendingReason reason = center_.cluster().ReasonOf(center_.GetJob(job));
    EXPECT_NE(reason.message.find("restored from a backup"), std::string::npos) << reason.message;
    EXPECT_TRUE(CheckInvariants(center_.cluster()).ok()) << CheckInvariants(center_.cluster());
  }

  TestCenter center_;
  NodeId n1_;
  NodeId n2_;
};

TEST_F(RestoredCenterTest, AdoptsAJobThatItsAgentKnows) {
  const JobId job = Running({.devices = 4});
  const RunningTask task = TaskOf(job);
  const NodeId node = NodeOf(job);
  RestoreNow();
  center_.Hello(node, {task}, task.assign_seq);
  EXPECT_EQ(center_.state(job), JobState::kRunning);
  EXPECT_TRUE(TestCenter::Of<KillTask>(center_.TakeCommands()).empty());
  // Confirmed: from here on its node's fault is a fault like any other.
  center_.Hello(node, {}, task.assign_seq);
  EXPECT_EQ(center_.state(job), JobState::kQueued);
}

// Its report that it started was acknowledged in the life that the backup does not know.
TEST_F(RestoredCenterTest, AJobThatItsAgentRunsIsRunning) {
  const JobId job = center_.Submit({.devices = 4});
  center_.Round();
  const RunningTask task = TaskOf(job);
  const NodeId node = NodeOf(job);
  RestoreNow();
  EXPECT_EQ(center_.state(job), JobState::kStarting);
  center_.Hello(node, {task}, task.assign_seq);
  EXPECT_EQ(center_.state(job), JobState::kRunning);
}

// One member is known as prepared, the other not yet; then all were, and the gang started.
TEST_F(RestoredCenterTest, AGangOfWhichAMemberRunsHasStarted) {
  const JobId job = center_.Submit({.nodes = 2, .devices = 4});
  center_.Round();
  center_.Report(TaskOf(job, 0).allocation, ReportKind::kPrepared);
  const RunningTask first = TaskOf(job, 0);
  RunningTask second = TaskOf(job, 1);
  second.state = TaskState::kPrepared;  // START has not reached it
  RestoreNow();
  center_.Hello(NodeOf(job, 0), {first}, first.assign_seq);
  EXPECT_EQ(center_.state(job), JobState::kStarting);
  EXPECT_TRUE(CheckInvariants(center_.cluster()).ok()) << CheckInvariants(center_.cluster());
  center_.TakeCommands();
  center_.Hello(NodeOf(job, 1), {second}, second.assign_seq);
  const auto starts = TestCenter::Of<StartTask>(center_.TakeCommands());
  ASSERT_EQ(starts.size(), 1U);
  EXPECT_EQ(starts[0].allocation, second.allocation);
  center_.Report(second.allocation, ReportKind::kStarted);
  EXPECT_EQ(center_.state(job), JobState::kRunning);
}

TEST_F(RestoredCenterTest, HoldsAJobThatItsAgentDoesNotKnow) {
  const JobId job = Running({.devices = 4});
  const NodeId node = NodeOf(job);
  const int64_t seq = TaskOf(job).assign_seq;
  RestoreNow();
  center_.Hello(node, {}, seq + 100);
  ExpectHeld(job);
  EXPECT_EQ(center_.cluster().AllocationsOn(node).size(), 0U);
}

// Nor is the assignment sent again: a new agent on the node knows no numbers.
TEST_F(RestoredCenterTest, SendsNothingAgainThatTheBackupKnew) {
  const JobId job = Running({.devices = 4});
  const NodeId node = NodeOf(job);
  RestoreNow();
  center_.Hello(node, {}, 0);
  EXPECT_TRUE(TestCenter::Of<AssignTask>(center_.TakeCommands()).empty());
  ExpectHeld(job);
}

TEST_F(RestoredCenterTest, HoldsAGangOfWhichAMemberIsUnknown) {
  const JobId job = Running({.nodes = 2, .devices = 4});
  const RunningTask first = TaskOf(job, 0);
  const NodeId first_node = NodeOf(job, 0);
  const NodeId second_node = NodeOf(job, 1);
  RestoreNow();
  center_.Hello(first_node, {first}, first.assign_seq);
  center_.Hello(second_node, {}, 100);
  EXPECT_EQ(TestCenter::Of<KillTask>(center_.TakeCommands()).size(), 1U);
  center_.Report(first.allocation, ReportKind::kKilled);
  center_.Commit();
  ExpectHeld(job);
}

TEST_F(RestoredCenterTest, HoldsAJobWhoseNodeStaysSilent) {
  const JobId job = Running({.devices = 4});
  RestoreNow();
  center_.Advance(Policy().suspect_after + absl::Seconds(1));
  center_.engine().Apply(AgentEvent(Tick{}), center_.now());
  center_.Advance(Policy().lost_after);
  center_.engine().Apply(AgentEvent(Tick{}), center_.now());
  center_.Commit();
  ExpectHeld(job);
}

TEST_F(RestoredCenterTest, EndsATaskThatTheBackupDoesNotKnow) {
  RestoreNow();
  center_.TakeCommands();
  center_.Hello(n1_,
                {
                    {AllocationId(77), JobId(5), 0, TaskState::kRunning, 9}
  },
                9);
  const auto kills = TestCenter::Of<KillTask>(center_.TakeCommands());
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(kills[0].allocation, AllocationId(77));
  EXPECT_EQ(kills[0].reason, StopReason::kStale);
}

TEST_F(RestoredCenterTest, AHeldJobRunsWhenAPersonReleasesIt) {
  const JobId job = Running({.devices = 4});
  const NodeId node = NodeOf(job);
  RestoreNow();
  center_.Hello(node, {}, 100);
  ExpectHeld(job);
  center_.Must(ReleaseJob{job});
  center_.Round();
  EXPECT_EQ(center_.state(job), JobState::kStarting);
  EXPECT_EQ(center_.GetJob(job).attempt.number, 1);
}

}  // namespace
}  // namespace berth
