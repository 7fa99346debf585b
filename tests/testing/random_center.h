#ifndef BERTH_TESTS_TESTING_RANDOM_CENTER_H_
#define BERTH_TESTS_TESTING_RANDOM_CENTER_H_

// A small cluster full of running, waiting and held jobs of every kind, from a seed. Nothing that
// the next round would change is left. A value: a copy is a fork.

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "scheduler/core/admission.h"
#include "scheduler/core/cluster.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/policy.h"

namespace berth {

class RandomCenter {
 public:
  explicit RandomCenter(uint64_t seed) : random_(seed) {
    policy_.borrow_age = absl::Minutes(OneIn(2) ? 5 : 500);
    policy_.reclaim_min_run = absl::Minutes(OneIn(4) ? 10 : 0);
    for (const char* name : {"sim", "other"}) {
      classes_.push_back(cluster_.InternClass(name));
    }
    AddTenants();
    const int nodes = 3 + Pick(3);
    for (int i = 0; i < nodes; ++i) {
      AddNode(absl::StrCat("n", i), i == 0 ? classes_[1] : classes_[0], Pick(2), Rack(Pick(2)));
    }
    for (int i = 0; i < 10; ++i) {
      Submit();
      if (OneIn(2)) {
        Settle();
        now_ += absl::Minutes(Pick(40));
      }
      if (OneIn(6)) {
        Requeue();
      }
    }
    Disturb();
    Settle();
  }

  Cluster& cluster() { return cluster_; }
  const Cluster& cluster() const { return cluster_; }
  const Policy& policy() const { return policy_; }
  absl::Time now() const { return now_; }
  static TopologyPath Rack(int rack) { return {"p", "b", absl::StrCat("r", rack)}; }

  // A ready node with four devices of the class.
  NodeId AddNode(const std::string& name, ClassId device_class, int zone, TopologyPath place) {
    NodeFacts facts;
    facts.capacity = {8000, 8000};
    facts.labels["zone"] = absl::StrCat(zone);
    facts.topology = std::move(place);
    for (int index = 0; index < 4; ++index) {
      Device device;
      device.index = index;
      device.device_class = device_class;
      device.uuid = absl::StrCat("SIM-", name, "-", index);
      facts.devices.push_back(device);
    }
    const NodeId id = cluster_.EnsureNode(name);
    cluster_.PutFacts(id, std::move(facts));
    for (const NodeState state : {NodeState::kJoined, NodeState::kReconciling, NodeState::kReady}) {
      cluster_.SetNodeState(id, state, "");
    }
    return id;
  }

  void EndJob(JobId id) {
    Release(id);
    cluster_.FinishJob(id, JobState::kSucceeded, now_);
  }

  // Whether the job, or a task of it, starts in the next rounds.
  bool Starts(JobId job, int rounds) {
    for (int round = 0; round < rounds; ++round) {
      if (RunForkRound(cluster_, policy_, job, now_).has_value()) {
        return true;
      }
    }
    return false;
  }

 private:
  int Pick(int bound) { return static_cast<int>(random_() % static_cast<uint64_t>(bound)); }
  bool OneIn(int count) { return Pick(count) == 0; }

  void AddTenants() {
    for (int i = 0; i < 3; ++i) {
      Tenant tenant;
      tenant.name = absl::StrCat("t", i);
      const std::vector<QueuePreset> presets = {QueuePreset::kEasy, QueuePreset::kFifo,
                                                QueuePreset::kTraverse, QueuePreset::kStepped};
      tenant.queue_preset = presets[static_cast<size_t>(OneIn(2) ? 0 : Pick(4))];
      tenants_.push_back(cluster_.AddTenant(tenant));
      for (const char* name : {"default", "side"}) {
        Project project;
        project.name = name;
        project.tenant = tenants_.back();
        projects_.push_back(cluster_.AddProject(project));
      }
      for (ClassId id : classes_) {
        SetQuota(id);
      }
    }
  }

  // Of the newest tenant and project.
  void SetQuota(ClassId device_class) {
    QuotaLimits limits{.entitlement = Pick(7)};
    if (OneIn(3)) {
      limits.limit = limits.entitlement + Pick(8);
    }
    limits.non_lendable = OneIn(3) ? Pick(static_cast<int>(limits.entitlement) + 1) : 0;
    if (limits.entitlement >= 4 && OneIn(4)) {
      limits.block_count = 1;
      limits.block_level = OneIn(2) ? TopologyLevel::kNone : TopologyLevel::kRack;
    }
    limits.weight = OneIn(4) ? std::optional<int64_t>(1 + Pick(9)) : std::nullopt;
    cluster_.PutLimits({tenants_.back(), ProjectId(), device_class}, limits);
    if (OneIn(3)) {
      cluster_.PutLimits({tenants_.back(), projects_.back(), device_class}, {.limit = 1 + Pick(8)});
    }
  }

  GangShape PickGang() {
    GangShape gang;
    gang.classes = {classes_[0]};
    if (OneIn(4)) {
      gang.classes.push_back(classes_[1]);
    }
    if (OneIn(6)) {
      gang.device_share_milli = 250 * (1 + Pick(3));
    } else {
      gang.nodes = 1 + Pick(3);
      gang.devices_per_node = 1 + Pick(4);
    }
    if (OneIn(20)) {
      gang.devices_per_node = 0;
      gang.device_share_milli = 0;
      gang.classes.clear();
    }
    if (OneIn(5) && gang.nodes > 1) {
      gang.min_nodes = 1 + Pick(gang.nodes - 1);
    }
    if (OneIn(6)) {
      gang.topology = TopologyLevel::kRack;
      gang.topology_required = OneIn(2);
    }
    if (OneIn(5)) {
      gang.node_labels["zone"] = absl::StrCat(Pick(2));
    }
    if (OneIn(8)) {
      gang.excluded_nodes = {absl::StrCat("n", 1 + Pick(2))};
    }
    if (OneIn(3)) {
      gang.per_node = {1000 * Pick(7), 1000 * Pick(7)};
    }
    return gang;
  }

  void AddWaits(JobSpec& spec) {
    spec.hold = OneIn(12);
    if (OneIn(10)) {
      spec.begin_at = now_ + absl::Minutes(30 + Pick(60));
    }
    if (OneIn(10)) {
      spec.array = {.first = 0, .count = 2 + Pick(3), .concurrent_max = Pick(3)};
    }
    if (OneIn(8) && !cluster_.jobs().empty()) {
      const Job& parent = cluster_.jobs().rbegin()->second;
      const DependencyKind kind = OneIn(3)   ? DependencyKind::kOk
                                  : OneIn(2) ? DependencyKind::kAny
                                             : DependencyKind::kStarted;
      if (!IsTerminal(parent.state) && !DependencyHolds(kind, parent).has_value()) {
        spec.dependencies = {
            {kind, parent.id}
        };
      }
    }
  }

  void Submit() {
    const auto who = static_cast<size_t>(Pick(3));
    JobSpec spec;
    spec.tenant = tenants_[who];
    spec.project = projects_[2 * who + static_cast<size_t>(Pick(2))];
    spec.time_limit = absl::Minutes(20 + Pick(300));
    spec.grace = absl::Minutes(Pick(3));
    spec.priority = Pick(2);
    spec.preemptible = !OneIn(5);
    spec.may_borrow = !OneIn(5);
    spec.gang = PickGang();
    AddWaits(spec);
    if (CheckAdmission(cluster_, spec).ok()) {
      cluster_.AddJob(std::move(spec), now_);
    }
  }

  void Disturb() {
    if (OneIn(3)) {
      cluster_.SetNodeState(cluster_.nodes().rbegin()->first, NodeState::kDraining, "");
    }
    if (OneIn(3)) {
      Book();
    }
    if (OneIn(3)) {
      QuotaLimits cut{.entitlement = Pick(3)};
      cut.limit = cut.entitlement + Pick(3);
      cluster_.PutLimits({tenants_[static_cast<size_t>(Pick(3))], ProjectId(), classes_[0]}, cut);
    }
    if (OneIn(8)) {
      Tenant tenant = *cluster_.quota().FindTenant(tenants_[static_cast<size_t>(Pick(3))]);
      tenant.suspended = true;
      cluster_.PutTenant(std::move(tenant));
    }
  }

  // Maintenance, or a reservation of a tenant.
  void Book() {
    Booking booking;
    booking.id = BookingId(1);
    for (const auto& [id, node] : cluster_.nodes()) {
      if (OneIn(2)) {
        booking.nodes.push_back(id);
      }
    }
    if (OneIn(2)) {
      booking.kind = BookingKind::kReservation;
      booking.tenant = tenants_[static_cast<size_t>(Pick(3))];
    }
    booking.from = now_ + absl::Minutes(Pick(60));
    booking.to = booking.from + absl::Hours(2);
    cluster_.PutBooking(booking);
  }

  void Release(JobId id) {
    for (AllocationId member : std::vector<AllocationId>(cluster_.GetJob(id).allocations)) {
      if (cluster_.GetAllocation(member).state == AllocationState::kReserved) {
        cluster_.MoveAllocation(member, AllocationState::kSent);
      }
      if (cluster_.GetAllocation(member).state != AllocationState::kReleased) {
        cluster_.ReleaseAllocation(member, ReleaseEvidence::kReported, now_);
      }
    }
    if (cluster_.GetJob(id).state != JobState::kStopping) {
      if (cluster_.GetJob(id).attempt.state == AttemptState::kCreated) {
        cluster_.MoveAttempt(id, AttemptState::kPreparing);
      }
      cluster_.MoveJob(id, JobState::kStopping);
      cluster_.MoveAttempt(id, AttemptState::kStopping);
    }
  }

  // The fault of a node ends the attempt of a job, which waits for a while and then avoids it.
  void Requeue() {
    const auto& active = cluster_.active_jobs();
    if (active.empty()) {
      return;
    }
    const JobId id = *std::next(active.begin(), Pick(static_cast<int>(active.size())));
    const Job& job = cluster_.GetJob(id);
    if (job.state == JobState::kStopping || job.allocations.empty()) {
      return;
    }
    const NodeId node = cluster_.GetAllocation(job.allocations.front()).node;
    Release(id);
    cluster_.SetEnd(id, {.reason = EndReason::kNodeFault});
    cluster_.SetSuspects(id, {node});
    cluster_.RequeueJob(id, now_ + absl::Minutes(OneIn(2) ? 60 : 0), now_);
  }

  // Rounds until one starts and recalls nothing.
  void Settle() {
    for (int round = 0; round < 8; ++round) {
      const size_t before = cluster_.active_jobs().size() + cluster_.open_reclaims().size();
      RunForkRound(cluster_, policy_, JobId(), now_);
      if (cluster_.active_jobs().size() + cluster_.open_reclaims().size() == before) {
        return;
      }
    }
  }

  std::mt19937_64 random_;
  Policy policy_;
  Cluster cluster_;
  absl::Time now_ = absl::FromUnixSeconds(1000000);
  std::vector<TenantId> tenants_;
  std::vector<ProjectId> projects_;  // two of each tenant
  std::vector<ClassId> classes_;
};

}  // namespace berth

#endif  // BERTH_TESTS_TESTING_RANDOM_CENTER_H_
