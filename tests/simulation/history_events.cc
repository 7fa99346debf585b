// The part of SchedulingHistory that is what people and nodes do to a center.

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

#include "common/check.h"
#include "scheduler/core/admission.h"
#include "scheduler/core/booking_requests.h"
#include "scheduler/core/center_requests.h"
#include "scheduler/core/job_progress.h"
#include "scheduler/core/job_requests.h"
#include "scheduler/core/node_requests.h"
#include "scheduler/core/quota_requests.h"
#include "tests/simulation/history_story.h"
#include "tests/simulation/scheduling_history.h"

namespace berth {

void SchedulingHistory::RandomEvent() {
  if (options_.rare_events && Chance(25)) {
    RareEvent();
    return;
  }
  const int kind = Pick(100);
  if (kind < 55) {
    Submit();
  } else if (kind < 85) {
    Advance(absl::Seconds(Chance(50) ? 1 + Pick(60) : 1 + Pick(7200)));
  } else if (kind < 91) {
    CancelOne();
  } else if (kind < 95 && edits_quotas_) {
    EditQuota();
  } else if (kind >= 95 && kinds_.windows) {
    BookNodes();
  } else if (kind >= 93 && loses_nodes_) {
    DisturbNode();
  } else {
    Submit();
  }
}

JobSpec SchedulingHistory::RandomSpec() {
  static constexpr std::array<int, 6> kLimitMinutes = {1, 5, 5, 20, 60, 300};
  JobSpec spec;
  spec.name = "job";
  spec.tenant = tenants_[static_cast<size_t>(Pick(static_cast<int>(tenants_.size())))];
  spec.project = projects_[spec.tenant][static_cast<size_t>(Pick(2))];
  spec.user = users_[spec.tenant];
  spec.gang.nodes = Chance(60) ? 1 : 1 + Pick(std::min(static_cast<int>(nodes_.size()), 3));
  spec.gang.devices_per_node = 1 + Pick(devices_max_);
  if (kinds_.elastic && spec.gang.nodes > 1 && Chance(70)) {
    spec.gang.min_nodes = 1 + Pick(spec.gang.nodes - 1);
  }
  if (kinds_.shares && Chance(40)) {
    spec.gang = {.device_share_milli = 100 * (1 + Pick(9))};
  }
  const auto first = static_cast<size_t>(Pick(static_cast<int>(classes_.size())));
  if (!Chance(10)) {
    spec.gang.classes.push_back(classes_[first]);
    if (Chance(25) && classes_.size() > 1) {
      spec.gang.classes.push_back(classes_[(first + 1) % classes_.size()]);
    }
  }
  spec.priority = Chance(70) ? 0 : Pick(3);
  spec.preemptible = Chance(85);
  spec.may_borrow = Chance(90);
  spec.time_limit = absl::Minutes(kLimitMinutes.at(static_cast<size_t>(Pick(6))));
  spec.grace = Chance(20)   ? absl::Minutes(10)
               : Chance(30) ? absl::Seconds(10)
                            : std::min(absl::Minutes(5), spec.time_limit / 4);
  spec.requeue.max_requeues = Chance(50) ? 1000 : 5;
  if (Chance(10)) {
    spec.array = {.first = 0, .count = 1 + Pick(4), .concurrent_max = Pick(3)};
  }
  if (options_.rare_events) {
    WishMore(spec);
  }
  return spec;
}

absl::StatusOr<Outcome> SchedulingHistory::Ask(const Actor& actor, const UserEvent& event) {
  const UserEvent heard = options_.hearing ? options_.hearing(event) : event;
  const absl::StatusOr<Outcome> outcome = std::visit(
      [&](const auto& request) { return HandleRequest(MakeStep(), actor, request); }, heard);
  if (options_.listener) {
    options_.listener(DescribeRequest(event, outcome));
  }
  if (outcome.ok()) {
    orders_.Note(cluster_, event, *outcome, findings_);
  }
  return outcome;
}

void SchedulingHistory::Submit() {
  const JobSpec spec = RandomSpec();
  if (!CheckAdmission(cluster_, spec).ok() ||
      !(options_.rare_events ? SubmitFor(spec) : cluster_.AddJob(spec, now_))) {
    return;
  }
  findings_.Saw("jobs");
  findings_.Saw("shares of a device", spec.gang.device_share_milli > 0 ? 1 : 0);
  findings_.Saw("elastic gangs", spec.gang.is_elastic() ? 1 : 0);
  findings_.Saw("arrays", spec.array.count > 0 ? 1 : 0);
  findings_.Saw("non-preemptible jobs", spec.preemptible ? 0 : 1);
}

void SchedulingHistory::CancelOne() {
  const auto& jobs = cluster_.jobs();
  if (jobs.empty()) {
    return;
  }
  auto job = jobs.begin();
  std::advance(job, Pick(static_cast<int>(jobs.size())));
  Ask(operator_, CancelJob{job->first, "", Chance(50)}).IgnoreError();
}

void SchedulingHistory::EditQuota() {
  findings_.Saw("quota edits");
  const ClassId device_class =
      classes_[static_cast<size_t>(Pick(static_cast<int>(classes_.size())))];
  const TenantId tenant = tenants_[static_cast<size_t>(Pick(static_cast<int>(tenants_.size())))];
  QuotaLimits limits = cluster_.quota().Limits({tenant, ProjectId(), device_class});
  limits.entitlement = Pick(static_cast<int>(cluster_.KnownDevices(device_class)) + 1);
  limits.non_lendable = std::min(limits.non_lendable, limits.entitlement);
  if (limits.limit.has_value()) {
    limits.limit = limits.entitlement + Pick(4);
  }
  PutQuota(tenant, device_class, limits);
}

// Maintenance, or a reservation for a tenant.
void SchedulingHistory::BookNodes() {
  AddBooking request;
  const auto tenant = static_cast<size_t>(Pick(static_cast<int>(tenants_.size())));
  if (Chance(40)) {
    request.kind = BookingKind::kReservation;
    request.tenant = cluster_.quota().FindTenant(tenants_[tenant])->name;
  }
  for (NodeId id : nodes_) {
    if (Chance(40)) {
      request.nodes.push_back(cluster_.GetNode(id).name);
    }
  }
  request.from = now_ + absl::Seconds(Pick(7200));
  request.to = request.from + absl::Seconds(1 + Pick(7200));
  if (!request.nodes.empty() && HandleRequest(MakeStep(), operator_, request).ok()) {
    findings_.Saw("bookings");
    Disturb();
  }
}

void SchedulingHistory::DisturbNode() {
  const NodeId id = nodes_[static_cast<size_t>(Pick(static_cast<int>(nodes_.size())))];
  const NodeState state = cluster_.GetNode(id).state;
  const std::string name = cluster_.GetNode(id).name;
  Disturb();
  if (state == NodeState::kReady && Chance(50)) {
    HandleRequest(MakeStep(), operator_, DrainNode{name, "test"}).IgnoreError();
  } else if (state == NodeState::kReady) {
    LoseNode(id);
  } else if (state == NodeState::kLost) {
    RejoinNode(id);
  } else {
    HandleRequest(MakeStep(), operator_, UndrainNode{name}).IgnoreError();
  }
}

void SchedulingHistory::LoseNode(NodeId id) {
  findings_.Saw("nodes lost");
  if (options_.rare_events && Chance(50)) {
    BuryNode(id);
    return;
  }
  cluster_.SetNodeState(id, NodeState::kSuspect, "");
  cluster_.SetNodeState(id, NodeState::kLost, "");
  for (AllocationId member : std::set<AllocationId>(cluster_.AllocationsOn(id))) {
    LoseMember(MakeStep(), member, ReleaseEvidence::kNodeLost, "lost");
  }
}

void SchedulingHistory::RejoinNode(NodeId id) {
  cluster_.TouchNode(id, [](Node& node) { node.session = SessionId(1); });
  for (const NodeState next : {NodeState::kJoined, NodeState::kReconciling, NodeState::kReady}) {
    cluster_.SetNodeState(id, next, "");
  }
}

}  // namespace berth
