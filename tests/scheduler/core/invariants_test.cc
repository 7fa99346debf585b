// Each detector of invariants is seen to fire on a fault planted in a sound cluster.

#include "scheduler/core/invariants.h"

#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {

class ClusterDamage {
 public:
  explicit ClusterDamage(Cluster& cluster) : cluster_(cluster) {}
  Job& JobOf(JobId id) { return cluster_.jobs_.at(id); }
  Allocation& Member(JobId id, size_t rank) {
    return cluster_.allocations_.at(JobOf(id).allocations.at(rank));
  }
  PendingGroup& GroupOf(JobId id) { return cluster_.groups_.at(JobOf(id).group); }
  int64_t& PendingCount(TenantId id) { return cluster_.pending_count_[id]; }
  void ForgetQueues() { cluster_.queues_.clear(); }
  std::set<JobId>& Dependents(JobId parent) { return cluster_.dependents_[parent]; }
  Node& NodeOf(NodeId id) { return cluster_.nodes_.at(id); }
  std::map<BookingId, Booking>& bookings() { return cluster_.bookings_; }
  EndingJob& EndOf(const Job& job) {
    return cluster_.ends_.at(job.attempt.device_class).at({job.ends_by, job.id});
  }
  ReturningMembers& ReturningOf(const Job& job) {
    return cluster_.returning_[job.attempt.device_class];
  }
  ActiveTimes& active_times() { return cluster_.active_times_; }
  std::map<int, PriorityHolders>& HoldersLike(const Job& job) {
    return cluster_.priorities_.at({job.spec.tenant, job.attempt.device_class});
  }
  std::set<JobId>& broken_nominations() { return cluster_.nominations_.broken_; }
  std::map<JobId, Reclaim>& open_reclaims() { return cluster_.nominations_.reclaims_; }
  WaitingClaims& waiting_claims() { return cluster_.nominations_.waiting_; }
  void KeepHost(NodeId id) { cluster_.free_index_.SetNominated(id, {}, {1000, 0}, true); }

 private:
  Cluster& cluster_;
};

namespace {

class InvariantsTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    center_.AddTenant("beta");
    for (const char* name : {"n1", "n2", "n3"}) {
      node_ = center_.AddNode(name);
    }
    gang_ = center_.Submit({.nodes = 2, .devices = 8, .min_nodes = 1});
    center_.Round();
    center_.RunJob(gang_);
    array_ = center_.Submit({
        .devices = 4, .array = {.count = 4, .concurrent_max = 1}
    });
    task_ = center_.StartTasks(array_).at(0);
    waits_ = center_.Submit({.after = {{DependencyKind::kOk, gang_}}});
    ready_ = center_.Submit({.devices = 8, .priority = 3});
    AddBooking booking{.nodes = {"n3"},
                       .from = center_.now() + absl::Hours(1),
                       .to = center_.now() + absl::Hours(2)};
    booking_ = center_.Must(booking).booking;
    ASSERT_TRUE(CheckInvariants(center_.cluster()).ok()) << CheckInvariants(center_.cluster());
  }
  // Plants a fault in a copy; what the check says must name the invariant.
  template <typename Fault>
  void ExpectFound(const std::string& invariant, Fault fault) {
    Cluster copy = center_.cluster();
    ClusterDamage damage(copy);
    fault(damage);
    const absl::Status status = CheckInvariants(copy);
    EXPECT_FALSE(status.ok()) << invariant;
    EXPECT_NE(status.message().find(invariant), absl::string_view::npos) << status;
  }

  TestCenter center_;
  NodeId node_;
  JobId gang_;
  JobId array_;
  JobId task_;
  JobId waits_;
  JobId ready_;
  BookingId booking_;
};

TEST_F(InvariantsTest, QueuesAndGroups) {
  ExpectFound("groups", [&](ClusterDamage& damage) {
    damage.GroupOf(ready_).ready.erase(ready_);
    damage.GroupOf(ready_).waiting.insert(ready_);
  });
  ExpectFound("groups", [&](ClusterDamage& damage) { ++damage.GroupOf(array_).tasks; });
  ExpectFound("groups",
              [&](ClusterDamage& damage) { damage.JobOf(waits_).spec.dependencies.clear(); });
  ExpectFound("queues", [&](ClusterDamage& damage) { damage.ForgetQueues(); });
  ExpectFound("queues", [&](ClusterDamage& damage) { ++damage.GroupOf(ready_).blocker.asked; });
  ExpectFound("pending counts", [&](ClusterDamage& damage) {
    --damage.PendingCount(damage.JobOf(ready_).spec.tenant);
  });
}

TEST_F(InvariantsTest, WhatEndsWhen) {
  ExpectFound("ends", [&](ClusterDamage& damage) { --damage.EndOf(damage.JobOf(gang_)).members; });
  ExpectFound("ends", [&](ClusterDamage& damage) { ++damage.EndOf(damage.JobOf(gang_)).devices; });
  ExpectFound("ends", [&](ClusterDamage& damage) {
    damage.EndOf(damage.JobOf(gang_)).grace += absl::Seconds(1);
  });
  ExpectFound("ends",
              [&](ClusterDamage& damage) { damage.JobOf(gang_).ends_by += absl::Seconds(1); });
  ExpectFound("ends",
              [&](ClusterDamage& damage) { ++damage.ReturningOf(damage.JobOf(gang_)).devices; });
  ExpectFound("active times", [&](ClusterDamage& damage) { damage.active_times() = {}; });
}

TEST_F(InvariantsTest, Holders) {
  ExpectFound("holders", [&](ClusterDamage& damage) {
    ++damage.HoldersLike(damage.JobOf(gang_)).begin()->second.devices;
  });
  ExpectFound("holders",
              [&](ClusterDamage& damage) { damage.HoldersLike(damage.JobOf(gang_)).clear(); });
}

TEST_F(InvariantsTest, Nominations) {
  ExpectFound("nominations", [&](ClusterDamage& damage) { damage.open_reclaims()[ready_]; });
  ExpectFound("nominations",
              [&](ClusterDamage& damage) { damage.broken_nominations().insert(ready_); });
  ExpectFound("nominations", [&](ClusterDamage& damage) { damage.waiting_claims().Add(ready_); });
  ExpectFound("nominations", [&](ClusterDamage& damage) { damage.KeepHost(node_); });
  ExpectFound("nominations",
              [&](ClusterDamage& damage) { damage.waiting_claims().List(ready_, {}); });
}

TEST_F(InvariantsTest, Arrays) {
  ExpectFound("arrays", [&](ClusterDamage& damage) { ++damage.JobOf(array_).tasks.failed; });
  ExpectFound("arrays", [&](ClusterDamage& damage) { ++damage.JobOf(array_).tasks.live; });
  ExpectFound("arrays", [&](ClusterDamage& damage) { damage.JobOf(task_).array_index = 3; });
  ExpectFound("arrays", [&](ClusterDamage& damage) { damage.JobOf(task_).array = gang_; });
  for (const int index : {0, 1, 99}) {  // a task that is a job, the next one, no task
    ExpectFound("arrays", [&](ClusterDamage& damage) {
      SetCancelled(damage.JobOf(array_).spec.array, {
                                                        IndexRange{index, 1, 1}
      });
    });
  }
}

TEST_F(InvariantsTest, Dependencies) {
  ExpectFound("dependencies", [&](ClusterDamage& damage) {
    damage.JobOf(waits_).spec.dependencies[0].job = JobId(999);
  });
  ExpectFound("dependencies",
              [&](ClusterDamage& damage) { damage.Dependents(gang_).erase(waits_); });
  ExpectFound("dependencies",
              [&](ClusterDamage& damage) { damage.Dependents(gang_).insert(ready_); });
  ExpectFound("dependencies", [&](ClusterDamage& damage) {
    // It has started already.
    damage.JobOf(waits_).spec.dependencies[0].kind = DependencyKind::kStarted;
  });
}

TEST_F(InvariantsTest, Shrinking) {
  ExpectFound("shrinking", [&](ClusterDamage& damage) {
    damage.Member(gang_, 0).state = AllocationState::kReleasing;
  });
  ExpectFound("shrinking", [&](ClusterDamage& damage) {
    damage.JobOf(gang_).spec.gang.min_nodes = 2;
    damage.Member(gang_, 1).state = AllocationState::kReleasing;
  });
}

TEST_F(InvariantsTest, Stopping) {
  ExpectFound("stopping",
              [&](ClusterDamage& damage) { damage.JobOf(gang_).state = JobState::kStopping; });
}

TEST_F(InvariantsTest, Bookings) {
  ExpectFound("bookings", [&](ClusterDamage& damage) {
    std::swap(damage.bookings().at(booking_).from, damage.bookings().at(booking_).to);
  });
  ExpectFound("bookings", [&](ClusterDamage& damage) {
    damage.bookings().at(booking_).nodes = {node_, node_};
  });
  ExpectFound("bookings",
              [&](ClusterDamage& damage) { damage.bookings().at(booking_).tenant = TenantId(2); });
  ExpectFound("free index",
              [&](ClusterDamage& damage) { damage.NodeOf(NodeId(3)).booked_out = true; });
}

}  // namespace
}  // namespace berth
