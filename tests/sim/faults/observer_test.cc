#include "sim/faults/observer.h"

#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace berth::sim {
namespace {

class ObserverTest : public testing::Test {
 protected:
  static Allocation RowOf(uint64_t id, uint64_t job, uint64_t node) {
    Allocation allocation;
    allocation.id = AllocationId(id);
    allocation.job = JobId(job);
    allocation.node = NodeId(node);
    return allocation;
  }
  void Commit(std::vector<Allocation> rows) {
    Changes changes;
    changes.allocations = std::move(rows);
    observer_.OnCommit({changes, {}});
  }
  void Start(uint64_t allocation, uint64_t job, int node) {
    v1::Assignment assignment;
    assignment.set_allocation_id(allocation);
    assignment.set_job_id(job);
    observer_.OnPrepared(allocation);
    observer_.OnStarted(node, assignment);
  }

  Timeline timeline_{1};
  Observer observer_{timeline_};
};

// What runs on the nodes does not become two attempts because the scheduler forgot one.
TEST_F(ObserverTest, AGangStaysOneWhenARestoreForgetsItWhileItStarts) {
  observer_.OnBackup();
  Commit({RowOf(5, 3, 1), RowOf(6, 3, 2)});
  Start(6, 3, 1);
  observer_.OnRestore();
  Start(5, 3, 0);
  EXPECT_EQ(observer_.detail(), "");
}

TEST_F(ObserverTest, TwoForgottenAttemptsOfOneJobAreTwo) {
  observer_.OnBackup();
  Commit({RowOf(5, 3, 1)});
  Commit({RowOf(6, 3, 2)});
  Start(6, 3, 1);
  observer_.OnRestore();
  Start(5, 3, 0);
  EXPECT_EQ(observer_.invariant(), "I2c");
}

TEST_F(ObserverTest, AForgottenAttemptAndANewOneAreTwo) {
  observer_.OnBackup();
  Commit({RowOf(5, 3, 1)});
  Start(5, 3, 0);
  observer_.OnRestore();
  Commit({RowOf(9, 3, 2)});
  Start(9, 3, 1);
  EXPECT_EQ(observer_.invariant(), "I2c");
}

}  // namespace
}  // namespace berth::sim
