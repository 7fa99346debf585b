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
  // A task of array 1.
  static Job TaskOf(uint64_t id, int index, JobState state) {
    Job task;
    task.id = JobId(id);
    task.array = JobId(1);
    task.array_index = index;
    task.state = state;
    return task;
  }
  void Commit(std::vector<Allocation> rows, std::vector<Job> jobs = {}) {
    Changes changes;
    changes.allocations = std::move(rows);
    changes.jobs = std::move(jobs);
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

TEST_F(ObserverTest, ASuspendedTenantGetsNothing) {
  Allocation row = RowOf(5, 3, 1);
  row.tenant = TenantId(2);
  observer_.OnSuspended(TenantId(2));
  observer_.OnResumes(TenantId(2));
  Commit({row});
  EXPECT_EQ(observer_.detail(), "");
  row.id = AllocationId(6);
  observer_.OnSuspended(TenantId(2));
  Commit({row});
  EXPECT_EQ(observer_.invariant(), "suspension");
}

TEST_F(ObserverTest, ACancelledTaskGetsNothing) {
  Commit({}, {TaskOf(3, 7, JobState::kQueued), TaskOf(4, 8, JobState::kQueued)});
  observer_.OnTasksCancelled(JobId(1), {
                                           {.first = 8, .count = 1}
  });
  Commit({RowOf(5, 3, 1)});
  EXPECT_EQ(observer_.detail(), "");
  Commit({RowOf(6, 4, 1)});
  EXPECT_EQ(observer_.invariant(), "I11");
}

TEST_F(ObserverTest, NoTaskBeginsAfterTooManyHaveFailed) {
  Job array;
  array.id = JobId(1);
  array.spec.array = {.count = 3, .fails_max = 1};
  Commit({}, {array, TaskOf(3, 0, JobState::kQueued)});
  Commit({}, {TaskOf(3, 0, JobState::kFailed)});
  EXPECT_EQ(observer_.detail(), "");
  Commit({}, {TaskOf(4, 1, JobState::kQueued)});
  EXPECT_EQ(observer_.invariant(), "failures");
}

}  // namespace
}  // namespace berth::sim
