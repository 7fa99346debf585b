// Random histories of a small center: the invariants hold after every event, and a restart from
// what is durable goes on as if nothing had happened.

#include <cstdlib>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "tests/testing/cluster_text.h"
#include "tests/testing/repetitions.h"
#include "tests/testing/test_center.h"

namespace berth {
namespace {

class History {
 public:
  explicit History(uint64_t seed) : random_(seed) {
    for (const char* tenant : {"acme", "beta", "gamma"}) {
      center_.AddTenant(tenant);
    }
    for (int i = 0; i < 4; ++i) {
      nodes_.push_back(center_.AddNode(absl::StrCat("n", i), 4, i == 3 ? "other" : "sim"));
    }
    center_.SetQuota("acme", {.entitlement = 6, .limit = 10});
    center_.SetQuota("beta", {.entitlement = 4, .non_lendable = 2});
  }

  void Step() {
    switch (Pick(14)) {
      case 10:
        HoldOrRelease();
        break;
      case 11:
        ChangeJob();
        break;
      case 12:
        BookOrPlan();
        break;
      case 13:
        if (Pick(4) == 0) {
          Restart();
        }
        break;
      case 0:
      case 1:
      case 2:
        Submit();
        break;
      case 3:
        center_.Round();
        break;
      case 4:
        center_.Advance(absl::Seconds(Pick(90)));
        break;
      case 5:
        Cancel();
        break;
      case 6:
        ChangeQuotaOrDrain();
        break;
      case 7:
        Disturb(nodes_[Pick(4)]);
        break;
      default:
        Answer();
        break;
    }
    center_.TakeCommands();
  }

  // What is durable brings everything back.
  void CheckRestart() {
    center_.Commit();
    Cluster restored;
    restored.Restore(center_.store().Load());
    restored.RefreshBookings(center_.now());
    ASSERT_EQ(ClusterText(center_.cluster()), ClusterText(restored));
  }

  void Check() {
    const absl::Status status = CheckInvariants(center_.cluster());
    ASSERT_TRUE(status.ok()) << status;
  }

  // Everybody is up and every task ends: all jobs must come to an end.
  void Settle() {
    for (NodeId node : nodes_) {
      center_.Must(UndrainNode{center_.cluster().GetNode(node).name});
    }
    const std::map<BookingId, Booking> bookings = center_.cluster().bookings();
    for (const auto& [id, booking] : bookings) {
      center_.Must(EndBooking{id});
    }
    center_.SetQuota("acme", {.entitlement = 12});  // no job was admitted with less than it needs
    for (const auto& [id, job] : std::map<JobId, Job>(center_.cluster().jobs())) {
      center_.Try(ReleaseJob{id}).IgnoreError();
    }
    for (int i = 0; i < 400 && !center_.cluster().jobs().empty(); ++i) {
      for (NodeId node : nodes_) {
        Hello(node, false);
      }
      center_.Advance(absl::Seconds(61));
      for (NodeId node : nodes_) {
        Hello(node, false);
      }
      center_.Round();
      for (int report = 0; report < 20; ++report) {
        Answer();
      }
      center_.TakeCommands();
    }
    for (const auto& [id, job] : center_.cluster().jobs()) {
      ADD_FAILURE() << "job " << id.value() << " is " << Name(job.state) << " in attempt "
                    << job.attempt.number << ": " << center_.cluster().ReasonOf(job).message << "\n"
                    << ClusterText(center_.cluster());
    }
  }

 private:
  int Pick(int bound) { return static_cast<int>(random_() % static_cast<uint64_t>(bound)); }

  void Submit() {
    static constexpr std::array<const char*, 3> kTenants = {"acme", "beta", "gamma"};
    TestJob job;
    job.tenant = kTenants.at(Pick(3));
    job.nodes = 1 + Pick(3);
    job.devices = Pick(5);
    job.priority = Pick(3);
    job.preemptible = Pick(5) != 0;
    job.on_node_loss = static_cast<NodeLossPolicy>(Pick(3));
    job.requeue.on_error = Pick(2) == 0;
    job.classes =
        Pick(3) == 0 ? std::vector<std::string>{} : std::vector<std::string>{"sim", "other"};
    if (Pick(5) == 0) {
      job.array = {.first = Pick(3), .count = 1 + Pick(4), .concurrent_max = Pick(3)};
      job.array.fails_max = job.array.first;
    }
    if (Pick(3) == 0 && !center_.cluster().jobs().empty()) {
      auto parent = center_.cluster().jobs().begin();
      std::advance(parent, Pick(static_cast<int>(center_.cluster().jobs().size())));
      job.after = {
          {static_cast<DependencyKind>(Pick(4)), parent->first}
      };
    }
    if (Pick(6) == 0) {
      job.begin_at = center_.now() + absl::Seconds(Pick(120));
    }
    job.hold = Pick(8) == 0;
    job.min_nodes = Pick(3) == 0 ? 1 : 0;
    center_.TrySubmit(job).IgnoreError();
  }

  // Another live job, if the one thought of is not there.
  JobId AnyJob() {
    const auto& jobs = center_.cluster().jobs();
    if (jobs.empty()) {
      return JobId(1);
    }
    auto job = jobs.begin();
    std::advance(job, Pick(static_cast<int>(jobs.size())));
    return job->first;
  }

  void HoldOrRelease() {
    if (Pick(2) == 0) {
      center_.Try(HoldJob{AnyJob()}).IgnoreError();
    } else {
      center_.Try(ReleaseJob{AnyJob()}).IgnoreError();
    }
  }

  void ChangeJob() {
    const JobId id = AnyJob();
    switch (Pick(5)) {
      case 0:
        center_
            .Try(UpdateJob{.job = id,
                           .time_limit = absl::Minutes(30 + Pick(60)),
                           .priority = Pick(3),
                           .nodes = 1 + Pick(3)})
            .IgnoreError();
        return;
      case 1:
        center_.Try(UpdateJob{.job = id, .time_limit = absl::Minutes(10 + Pick(60))}).IgnoreError();
        return;
      case 2:
        center_.Try(RequeueRunningJob{id, ""}).IgnoreError();
        return;
      case 3:
        center_.Try(NoteCheckpoint{id, center_.now() - absl::Seconds(Pick(30))}).IgnoreError();
        return;
      default:
        Shrink();
    }
  }

  void Shrink() {
    for (JobId id : center_.cluster().active_jobs()) {
      const Job& job = center_.cluster().GetJob(id);
      if (job.state == JobState::kRunning && job.spec.gang.is_elastic()) {
        center_.Change([&](const berth::Step& step) {
          ShrinkJob(step, id, 1 + Pick(2), absl::Minutes(1), "test");
        });
        return;
      }
    }
  }

  void BookOrPlan() {
    const absl::Time from = center_.now() + absl::Seconds(Pick(300));
    switch (Pick(4)) {
      case 0:
        center_
            .Try(AddBooking{.nodes = {center_.cluster().GetNode(nodes_[Pick(4)]).name},
                            .from = from,
                            .to = from + absl::Seconds(1 + Pick(300))})
            .IgnoreError();
        return;
      case 1:
        center_
            .Try(AddBooking{.kind = BookingKind::kReservation,
                            .tenant = "beta",
                            .node_count = 1,
                            .device_class = "sim",
                            .from = from,
                            .to = from + absl::Seconds(1 + Pick(300))})
            .IgnoreError();
        return;
      case 2:
        center_.Try(EndBooking{BookingId(1 + static_cast<uint64_t>(Pick(6)))}).IgnoreError();
        return;
      default: {
        const int entitlement = Pick(9);
        center_.Must(berth::SetQuota{
            .tenant = "acme",
            .device_class = "sim",
            .limits = {.entitlement = entitlement, .limit = entitlement + Pick(6)},
            .allow_oversell = Pick(2) == 0,
            .effective_at = from
        });
      }
    }
  }

  void Restart() {
    CheckRestart();
    center_.Restart();
    for (NodeId node : nodes_) {
      Hello(node, false);
    }
  }

  void Cancel() {
    for (const auto& [id, job] : center_.cluster().jobs()) {
      if (Pick(4) == 0) {
        CancelJob cancel{id, "", Pick(2) == 0};
        if (job.is_array() && Pick(3) > 0) {
          cancel.tasks = {
              IndexRange{job.spec.array.first + Pick(job.spec.array.count), 1, 1}
          };
        }
        center_.Try(cancel).IgnoreError();
        return;
      }
    }
  }

  void ChangeQuotaOrDrain() {
    const std::string node = center_.cluster().GetNode(nodes_[Pick(4)]).name;
    switch (Pick(3)) {
      case 0:
        center_.Must(DrainNode{node, "test"});
        break;
      case 1:
        center_.Must(UndrainNode{node});
        break;
      default: {
        const int entitlement = Pick(9);
        center_.SetQuota("acme", {.entitlement = entitlement, .limit = entitlement + Pick(6)});
      }
    }
  }

  std::vector<RunningTask> TasksOn(NodeId node, int64_t& assign_seq_max) {
    std::vector<RunningTask> tasks;
    for (AllocationId id : center_.cluster().AllocationsOn(node)) {
      const Allocation& allocation = center_.cluster().GetAllocation(id);
      const bool delivered = allocation.state != AllocationState::kReserved;
      if (delivered) {
        assign_seq_max = std::max(assign_seq_max, allocation.assign_seq);
        tasks.push_back({id, allocation.job, allocation.attempt,
                         allocation.state == AllocationState::kRunning ? TaskState::kRunning
                                                                       : TaskState::kPrepared,
                         allocation.assign_seq});
      }
    }
    return tasks;
  }

  void Hello(NodeId node, bool reboot) {
    int64_t assign_seq_max = 0;
    std::vector<RunningTask> tasks = TasksOn(node, assign_seq_max);
    center_.Hello(node, reboot ? std::vector<RunningTask>() : tasks, assign_seq_max, reboot);
  }

  void Disturb(NodeId node) {
    switch (Pick(4)) {
      case 0:
        Hello(node, true);
        break;
      case 1:
        center_.engine().Apply(AgentEvent(AgentGone{node, center_.session(node)}), center_.now());
        break;
      case 2:
        if (Pick(5) == 0) {
          center_.Advance(absl::Minutes(40));
        }
        break;
      default:
        Hello(node, false);
    }
  }

  // One plausible report about one allocation.
  void Answer() {
    const auto& allocations = center_.cluster().allocations();
    if (allocations.empty()) {
      return;
    }
    auto entry = allocations.begin();
    std::advance(entry, Pick(static_cast<int>(allocations.size())));
    const Allocation& allocation = entry->second;
    const AllocationId id = entry->first;
    switch (allocation.state) {
      case AllocationState::kReserved:
      case AllocationState::kReleased:
        return;
      case AllocationState::kSent:
        center_.Report(id, center_.cluster().GetJob(allocation.job).allocations.size() > 1
                               ? (Pick(8) == 0 ? ReportKind::kRefused : ReportKind::kPrepared)
                               : ReportKind::kStarted);
        return;
      case AllocationState::kPrepared:
        if (center_.cluster().GetJob(allocation.job).state == JobState::kStarting) {
          center_.Report(id, ReportKind::kStarted);
        }
        return;
      case AllocationState::kRunning:
        center_.Report(id, Pick(10) == 0 ? ReportKind::kLostShim : ReportKind::kExited,
                       Pick(4) == 0 ? 1 : 0);
        return;
      case AllocationState::kReleasing:
        center_.Report(id, Pick(3) == 0 ? ReportKind::kNeverRan : ReportKind::kKilled);
        return;
    }
  }

  std::mt19937_64 random_;
  TestCenter center_;
  std::vector<NodeId> nodes_;
};

TEST(RandomHistory, InvariantsHoldAfterEveryEventAndAllJobsEnd) {
  const char* asked = std::getenv("BERTH_TEST_SEED");
  const uint64_t first = asked != nullptr ? std::strtoull(asked, nullptr, 10) : 1;
  const uint64_t count = asked != nullptr ? 1 : Repetitions(500);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(absl::StrCat("BERTH_TEST_SEED=", seed));
    History history(seed);
    for (int i = 0; i < 200; ++i) {
      history.Step();
      history.Check();
      if (i % 50 == 49) {
        history.CheckRestart();
      }
      ASSERT_FALSE(testing::Test::HasFatalFailure());
    }
    history.Settle();
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

}  // namespace
}  // namespace berth
