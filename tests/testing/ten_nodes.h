#ifndef BERTH_TESTS_TESTING_TEN_NODES_H_
#define BERTH_TESTS_TESTING_TEN_NODES_H_

// A center of ten nodes of which some fall silent.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {

class TenNodes : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    for (int i = 1; i <= 10; ++i) {
      nodes_.push_back(center_.AddNode("n" + std::to_string(i)));
    }
  }
  JobId Running(const TestJob& job) {
    const JobId id = center_.Submit(job);
    center_.Round();
    center_.RunJob(id);
    EXPECT_EQ(center_.state(id), JobState::kRunning);
    return id;
  }
  const Allocation& Member(JobId job) {
    return center_.cluster().GetAllocation(center_.GetJob(job).allocations.at(0));
  }
  const Node& NodeAt(NodeId id) { return center_.cluster().GetNode(id); }
  std::string NameOf(NodeId id) { return NodeAt(id).name; }
  void Disconnect(NodeId id) {
    center_.engine().Apply(AgentEvent(AgentGone{id, center_.session(id)}), center_.now());
  }
  void Beat(NodeId id) {
    const Node& node = NodeAt(id);
    std::vector<RunningTask> tasks;
    for (AllocationId live : center_.cluster().AllocationsOn(id)) {
      const Allocation& allocation = center_.cluster().GetAllocation(live);
      tasks.push_back(
          {live, allocation.job, allocation.attempt, TaskState::kRunning, allocation.assign_seq});
    }
    center_.engine().Apply(
        AgentEvent(AgentHeartbeat{id, center_.session(id), 1, node.assign_seq, tasks}),
        center_.now());
  }
  // Time passes while all nodes but the first `silent` ones are heard of.
  void PassTime(absl::Duration duration, int silent) {
    const absl::Time end = center_.now() + duration;
    while (center_.now() < end) {
      for (size_t i = static_cast<size_t>(silent); i < nodes_.size(); ++i) {
        Beat(nodes_[i]);
      }
      center_.Advance(absl::Seconds(10));
    }
  }
  void Quarantine(NodeId node, AllocationId stuck = AllocationId()) {
    TaskReport report;
    report.report_seq = 7;
    report.kind = ReportKind::kQuarantine;
    report.allocation = stuck;
    report.message = "a task cannot be killed";
    center_.engine().Apply(AgentEvent(AgentReport{node, center_.session(node), report}),
                           center_.now());
  }

  TestCenter center_;
  std::vector<NodeId> nodes_;
};

}  // namespace berth

#endif  // BERTH_TESTS_TESTING_TEN_NODES_H_
