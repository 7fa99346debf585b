// Nodes promised away, and quotas that change at a date.

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/testing/test_center.h"

namespace berth {
namespace {

class BookingTest : public testing::Test {
 protected:
  void SetUp() override {
    center_.AddTenant("acme");
    center_.AddTenant("beta");
    for (const char* name : {"n1", "n2"}) {
      nodes_.push_back(center_.AddNode(name));
    }
  }
  berth::AddBooking Maintenance(absl::Duration from, absl::Duration to) {
    return {.nodes = {"n1"},
            .from = center_.now() + from,
            .to = center_.now() + to,
            .reason = "new fans"};
  }
  berth::AddBooking Reservation(absl::Duration from, absl::Duration to) {
    return {.kind = BookingKind::kReservation,
            .tenant = "beta",
            .nodes = {"n1"},
            .from = center_.now() + from,
            .to = center_.now() + to};
  }
  JobId RunningOn(const std::string& node, TestJob job) {
    const JobId id = center_.Submit(job);
    center_.Round();
    EXPECT_EQ(
        center_.cluster()
            .GetNode(center_.cluster().GetAllocation(center_.GetJob(id).allocations.at(0)).node)
            .name,
        node);
    center_.RunJob(id);
    center_.TakeCommands();
    return id;
  }
  void Stay(absl::Duration time) {
    for (absl::Duration gone; gone < time; gone += absl::Seconds(20)) {
      center_.Advance(std::min(absl::Seconds(20), time - gone));
    }
  }
  int64_t Usable() { return center_.cluster().UsableDevices(*center_.cluster().FindClass("sim")); }
  void ExpectInvariants() {
    const absl::Status status = CheckInvariants(center_.cluster());
    EXPECT_TRUE(status.ok()) << status;
  }

  TestCenter center_{TestCenter::PatientPolicy()};
  std::vector<NodeId> nodes_;
};

TEST_F(BookingTest, MaintenanceClosesItsNodesAndOpensThemAgain) {
  const BookingId id = center_.Must(Maintenance(absl::Minutes(5), absl::Minutes(10))).booking;
  EXPECT_EQ(Usable(), 16);
  EXPECT_LE(center_.engine().NextTick(), center_.now() + absl::Minutes(5));
  Stay(absl::Minutes(5));
  EXPECT_EQ(Usable(), 8);
  ExpectInvariants();
  const JobId job = center_.Submit({.nodes = 2});
  center_.Round();
  EXPECT_EQ(center_.state(job), JobState::kQueued);
  Stay(absl::Minutes(5));
  EXPECT_EQ(Usable(), 16);
  EXPECT_TRUE(center_.engine().PlanDue());
  const Changes changes = center_.Commit();
  ASSERT_EQ(changes.bookings.size(), 1U);
  EXPECT_TRUE(changes.bookings[0].ended);
  EXPECT_TRUE(center_.cluster().bookings().empty());
  EXPECT_FALSE(center_.Try(EndBooking{id}).ok());
  ExpectInvariants();
}

TEST_F(BookingTest, ItsEndOpensThemToo) {
  const BookingId id = center_.Must(Maintenance(absl::ZeroDuration(), absl::Hours(1))).booking;
  EXPECT_EQ(Usable(), 8);
  center_.Must(EndBooking{id});
  EXPECT_EQ(Usable(), 16);
  ExpectInvariants();
}

TEST_F(BookingTest, JobsThatWouldStillRunAreStoppedInTime) {
  const JobId stays =
      RunningOn("n1", {.devices = 4, .time_limit = absl::Minutes(8), .grace = absl::Minutes(1)});
  const JobId longer =
      RunningOn("n1", {.devices = 4, .time_limit = absl::Hours(3), .grace = absl::Minutes(2)});
  const Outcome outcome = center_.Must(Maintenance(absl::Minutes(10), absl::Hours(1)));
  EXPECT_EQ(outcome.jobs, std::vector<JobId>{longer});
  Stay(absl::Minutes(7));
  EXPECT_EQ(center_.state(longer), JobState::kRunning);
  center_.TakeCommands();
  Stay(absl::Minutes(1));
  EXPECT_EQ(center_.state(longer), JobState::kStopping);
  EXPECT_EQ(center_.GetJob(stays).attempt.end.reason, EndReason::kTimeLimit);
  const auto kills = TestCenter::Of<KillTask>(center_.TakeCommands());
  const AllocationId member = center_.GetJob(longer).allocations[0];
  const auto kill = std::find_if(kills.begin(), kills.end(),
                                 [&](const KillTask& task) { return task.allocation == member; });
  ASSERT_NE(kill, kills.end());
  EXPECT_EQ(kill->reason, StopReason::kMaintenance);
  EXPECT_EQ(kill->grace, absl::Minutes(2));
  center_.Report(member, ReportKind::kKilled);
  EXPECT_EQ(center_.state(longer), JobState::kQueued);
  EXPECT_EQ(center_.GetJob(longer).attempt.end.reason, EndReason::kPreempted);
  EXPECT_NE(center_.GetJob(longer).attempt.end.message.find("maintenance 1 (new fans)"),
            std::string::npos);
}

TEST_F(BookingTest, ADryRunTellsTheEffect) {
  center_.SetQuota("acme", {.entitlement = 12});
  center_.SetQuota("beta", {.entitlement = 4});
  const JobId job = RunningOn("n1", {.devices = 4, .grace = absl::Minutes(2)});
  berth::AddBooking request = Maintenance(absl::Minutes(10), absl::Hours(1));
  request.dry_run = true;
  const Outcome outcome = center_.Must(request);
  EXPECT_FALSE(outcome.booking);
  EXPECT_TRUE(center_.cluster().bookings().empty());
  EXPECT_EQ(outcome.jobs, std::vector<JobId>{job});
  ASSERT_EQ(outcome.notes.size(), 4U);
  EXPECT_EQ(outcome.notes[0].substr(0, 33), "closes 8 of 16 sim on 1 node from");
  EXPECT_NE(outcome.notes[1].find("it is asked to stop at"), std::string::npos);
  EXPECT_EQ(outcome.notes[2],
            "tenant \"acme\" owns 12 sim, of which 6 can be had at the same time as the others'");
}

TEST_F(BookingTest, AReservationIsRefusedWhereAnothersJobMayStillRun) {
  RunningOn("n1", {.devices = 4, .time_limit = absl::Hours(1)});
  const auto refused = center_.Try(Reservation(absl::Minutes(30), absl::Hours(2)));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(center_.Try(Reservation(absl::Hours(1), absl::Hours(2))).ok());
  // Of two reservations at the same time only one can be kept.
  EXPECT_EQ(center_.Try(Maintenance(absl::Hours(1), absl::Hours(2))).status().code(),
            absl::StatusCode::kOk);
  berth::AddBooking other = Reservation(absl::Minutes(90), absl::Hours(3));
  other.tenant = "acme";
  EXPECT_EQ(center_.Try(other).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(BookingTest, TheNodesThatBecomeFreeFirstAreChosen) {
  RunningOn("n1", {.devices = 4, .time_limit = absl::Hours(1)});
  berth::AddBooking request = Reservation(absl::Minutes(30), absl::Hours(2));
  request.nodes.clear();
  request.node_count = 1;
  request.device_class = "sim";
  const BookingId id = center_.Must(request).booking;
  EXPECT_EQ(center_.cluster().bookings().at(id).nodes, std::vector<NodeId>{nodes_[1]});
  request.node_count = 2;
  EXPECT_FALSE(center_.Try(request).ok());
}

TEST_F(BookingTest, WhatCannotBeIsRefused) {
  EXPECT_FALSE(center_.Try(Maintenance(absl::Hours(2), absl::Hours(1))).ok());
  EXPECT_FALSE(center_.Try(Maintenance(absl::Hours(-2), absl::Hours(-1))).ok());
  berth::AddBooking unknown = Maintenance(absl::Hours(1), absl::Hours(2));
  unknown.nodes = {"n9"};
  EXPECT_EQ(center_.Try(unknown).status().code(), absl::StatusCode::kNotFound);
  berth::AddBooking nobody = Reservation(absl::Hours(1), absl::Hours(2));
  nobody.tenant.clear();
  EXPECT_FALSE(center_.Try(nobody).ok());
  const Actor member = center_.UserOf("acme");
  EXPECT_EQ(center_.TryAs(member, Maintenance(absl::Hours(1), absl::Hours(2))).status().code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(center_.TryAs(member, EndBooking{BookingId(1)}).status().code(),
            absl::StatusCode::kPermissionDenied);
}

class DatedQuotaTest : public BookingTest {
 protected:
  void SetLater(const std::string& tenant, int64_t entitlement, absl::Duration in) {
    center_.Must(SetQuota{.tenant = tenant,
                          .device_class = "sim",
                          .limits = {.entitlement = entitlement},
                          .effective_at = center_.now() + in});
  }
  int64_t Entitlement(const std::string& tenant) {
    const TenantId id = center_.cluster().quota().FindTenantByName(tenant)->id;
    return center_.cluster()
        .quota()
        .Limits({id, ProjectId(), *center_.cluster().FindClass("sim")})
        .entitlement;
  }
};

TEST_F(DatedQuotaTest, AnEditTakesEffectAtItsTime) {
  SetLater("acme", 10, absl::Minutes(1));
  EXPECT_EQ(Entitlement("acme"), 0);
  EXPECT_EQ(center_.cluster().quota_edits().size(), 1U);
  EXPECT_TRUE(center_.Commit().quota_edits_changed);
  Stay(absl::Minutes(1));
  EXPECT_EQ(Entitlement("acme"), 10);
  EXPECT_TRUE(center_.cluster().quota_edits().empty());
}

TEST_F(DatedQuotaTest, WhatOneGivesUpAnotherGetsAtTheSameTime) {
  center_.SetQuota("beta", {.entitlement = 16});
  SetLater("acme", 10, absl::Minutes(1));  // before beta's, by its key
  SetLater("beta", 6, absl::Minutes(1));
  Stay(absl::Minutes(1));
  EXPECT_EQ(Entitlement("acme"), 10);
  EXPECT_EQ(Entitlement("beta"), 6);
}

TEST_F(DatedQuotaTest, WhatHasBecomeImpossibleIsDroppedAndSaidSo) {
  SetLater("acme", 10, absl::Minutes(1));
  center_.SetQuota("beta", {.entitlement = 16});
  Stay(absl::Minutes(1));
  EXPECT_EQ(Entitlement("acme"), 0);
  const Changes changes = center_.Commit();
  ASSERT_EQ(changes.dropped_quota_edits.size(), 1U);
  EXPECT_EQ(changes.dropped_quota_edits[0].why,
            "entitlements of sim would become 26 of 16 devices");
  EXPECT_TRUE(changes.quota_edits_changed);
  EXPECT_TRUE(changes.quota_edits.empty());
}

TEST_F(DatedQuotaTest, ALaterEditReplacesIt) {
  SetLater("acme", 10, absl::Minutes(1));
  SetLater("acme", 11, absl::Minutes(2));
  Stay(absl::Minutes(1));
  EXPECT_EQ(Entitlement("acme"), 0);
  center_.SetQuota("acme", {.entitlement = 3});
  EXPECT_TRUE(center_.cluster().quota_edits().empty());
  Stay(absl::Minutes(1));
  EXPECT_EQ(Entitlement("acme"), 3);
}

TEST_F(DatedQuotaTest, ATenantsQueueIsSetByOperatorsOnly) {
  center_.Commit();
  center_.Must(SetTenantQueue{"acme", QueuePreset::kFifo, absl::Minutes(30)});
  const Tenant* acme = center_.cluster().quota().FindTenantByName("acme");
  EXPECT_EQ(acme->queue_preset, QueuePreset::kFifo);
  EXPECT_EQ(center_.Commit().tenants.size(), 1U);
  EXPECT_FALSE(center_.TryAs(center_.UserOf("acme"), SetTenantQueue{"acme"}).ok());
  EXPECT_FALSE(center_.Try(SetTenantQueue{"acme", QueuePreset::kEasy, absl::ZeroDuration()}).ok());
}

}  // namespace
}  // namespace berth
