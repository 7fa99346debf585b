// The part of SchedulingHistory that is what people and nodes do less often.

#include <algorithm>
#include <array>
#include <utility>

#include "scheduler/core/admission.h"
#include "scheduler/core/job_progress.h"
#include "scheduler/core/node_loss.h"
#include "tests/simulation/center_books.h"
#include "tests/simulation/scheduling_history.h"

namespace berth {
namespace {

bool IsWaiting(const Job& job) {
  return job.state == JobState::kQueued || job.state == JobState::kHeld;
}

bool IsRunning(const Job& job) {
  return job.state == JobState::kRunning && !job.is_array();
}

}  // namespace

void SchedulingHistory::RareEvent() {
  using Event = void (SchedulingHistory::*)();
  static constexpr std::array<Event, 16> kEvents = {
      &SchedulingHistory::CancelTasks,        &SchedulingHistory::CancelTasks,
      &SchedulingHistory::CancelTasks,        &SchedulingHistory::SuspendOrResume,
      &SchedulingHistory::SuspendOrResume,    &SchedulingHistory::HoldOne,
      &SchedulingHistory::ReleaseOne,         &SchedulingHistory::UpdateOne,
      &SchedulingHistory::RequeueOne,         &SchedulingHistory::NoteCheckpointOfOne,
      &SchedulingHistory::ChangeQueue,        &SchedulingHistory::EndSomeBooking,
      &SchedulingHistory::AnnounceQuota,      &SchedulingHistory::SpoilDevice,
      &SchedulingHistory::QuarantineSomeNode, &SchedulingHistory::LoseShim,
  };
  (this->*kEvents.at(static_cast<size_t>(Pick(static_cast<int>(kEvents.size())))))();
}

const Job* SchedulingHistory::PickJob(bool (*suits)(const Job&)) {
  std::vector<const Job*> jobs;
  for (const auto& [id, job] : cluster_.jobs()) {
    if (suits(job)) {
      jobs.push_back(&job);
    }
  }
  return jobs.empty() ? nullptr : jobs[static_cast<size_t>(Pick(static_cast<int>(jobs.size())))];
}

// ---- Jobs ----

void SchedulingHistory::WishMore(JobSpec& spec) {
  if (Chance(20)) {
    spec.array = {.first = Pick(3), .count = 1 + Pick(6), .step = 1 + Pick(2)};
    spec.array.concurrent_max = Pick(4);
    spec.array.fails_max = Pick(3);
    if (Chance(30)) {
      const ArrayRange bounds = spec.array;
      spec.array = MakeArrayRange({
          {.first = 0, .count = 2, .step = 3},
          {.first = 7,          .count = 3          }
      });
      spec.array.concurrent_max = bounds.concurrent_max;
      spec.array.fails_max = bounds.fails_max;
    }
  }
  spec.grace = std::min(spec.grace, spec.time_limit / 2);
  spec.hold = Chance(5);
  if (Chance(10)) {
    spec.begin_at = now_ + absl::Seconds(1 + Pick(7200));
  }
  spec.requeue.on_error = Chance(20);
  spec.requeue.on_preempt = Chance(90);
  spec.requeue.on_node_fault = Chance(90);
  if (Chance(10)) {
    spec.requeue.exit_codes = {1};
  }
  if (Chance(20)) {
    spec.on_node_loss = NodeLossPolicy::kFail;
  }
  if (Chance(10)) {
    const NodeId excluded = nodes_[static_cast<size_t>(Pick(static_cast<int>(nodes_.size())))];
    spec.gang.excluded_nodes = {cluster_.GetNode(excluded).name};
  }
  if (Chance(10)) {
    spec.gang.node_labels["zone"] = Chance(50) ? "a" : "b";
  }
  if (Chance(15)) {
    spec.gang.per_node = {16000 * (1 + Pick(4)), 64000 * (1 + Pick(4))};
  }
  if (Chance(15)) {
    spec.gang.topology = Chance(50) ? TopologyLevel::kRack : TopologyLevel::kBlock;
    spec.gang.topology_required = Chance(60);
  }
  if (Chance(5)) {
    spec.gang = {.nodes = spec.gang.nodes, .devices_per_node = 0};
  }
  findings_.Saw("jobs without devices", spec.gang.devices_per_node == 0 ? 1 : 0);
}

bool SchedulingHistory::CouldStart(const JobSpec& spec) const {
  CenterBooks books(cluster_);
  for (const auto& [id, allocation] : cluster_.allocations()) {
    books.Give(allocation);
  }
  Job job;
  job.spec = spec;
  const std::vector<ClassId> classes = ClassOrder(cluster_, spec.tenant, spec.gang);
  return !spec.gang.topology_required ||
         std::all_of(classes.begin(), classes.end(), [&](ClassId device_class) {
           return books.Fits(spec.gang, device_class, spec.gang.least_nodes(),
                             ClosedTo(cluster_, job, now_));
         });
}

void SchedulingHistory::DependOnOthers(SubmitJob& request) {
  for (const auto& [id, job] : cluster_.jobs()) {
    if (job.spec.tenant == request.spec.tenant && Chance(5)) {
      request.spec.dependencies.push_back({static_cast<DependencyKind>(Pick(4)), id});
    }
  }
  findings_.Saw("jobs that wait for others", request.spec.dependencies.empty() ? 0 : 1);
}

JobId SchedulingHistory::SubmitFor(const JobSpec& spec) {
  if (!CouldStart(spec)) {
    return JobId();
  }
  Actor actor;
  actor.role = Role::kMember;
  actor.tenant = spec.tenant;
  actor.user = spec.user;
  SubmitJob request;
  request.project = cluster_.quota().FindProject(spec.project)->name;
  for (ClassId device_class : spec.gang.classes) {
    request.device_classes.push_back(cluster_.ClassName(device_class));
  }
  request.spec = spec;
  DependOnOthers(request);
  findings_.Saw("arrays with a bound of failures", spec.array.fails_max > 0 ? 1 : 0);
  const absl::StatusOr<Outcome> outcome = Ask(actor, request);
  return outcome.ok() ? outcome->job : JobId();
}

void SchedulingHistory::CancelTasks() {
  const Job* array = PickJob([](const Job& job) { return job.is_array(); });
  if (array == nullptr) {
    return;
  }
  const ArrayRange& range = array->spec.array;
  CancelJob request{array->id, "", Chance(50)};
  for (int position = Pick(range.count); position < range.count; position += 1 + Pick(3)) {
    request.tasks.push_back({.first = range.IndexAt(position), .count = 1});
    if (Chance(50)) {
      break;
    }
  }
  findings_.Saw("cancels of tasks", Ask(operator_, request).ok() ? 1 : 0);
}

void SchedulingHistory::HoldOne() {
  const Job* job = PickJob(IsWaiting);
  findings_.Saw("holds", job != nullptr && Ask(operator_, HoldJob{job->id}).ok() ? 1 : 0);
}

void SchedulingHistory::ReleaseOne() {
  const Job* job = PickJob([](const Job& held) { return held.state == JobState::kHeld; });
  findings_.Saw("releases", job != nullptr && Ask(operator_, ReleaseJob{job->id}).ok() ? 1 : 0);
}

void SchedulingHistory::UpdatePending(UpdateJob& request) {
  switch (Pick(5)) {
    case 0:
      request.priority = Pick(3);
      break;
    case 1:
      request.nodes = 1 + Pick(3);
      break;
    case 2:
      request.devices_per_node = 1 + Pick(devices_max_);
      break;
    case 3:
      request.may_borrow = Chance(50);
      break;
    default:
      request.device_classes = {cluster_.ClassName(classes_.back())};
      break;
  }
}

void SchedulingHistory::UpdateOne() {
  const Job* job = PickJob([](const Job& any) { return IsWaiting(any) || IsRunning(any); });
  if (job == nullptr) {
    return;
  }
  UpdateJob request;
  request.job = job->id;
  if (IsRunning(*job)) {
    request.time_limit = job->spec.grace + absl::Seconds(1 + Pick(600));
  } else if (Chance(30)) {
    request.time_limit = job->spec.time_limit * (1 + Pick(3)) / 2;
  } else {
    UpdatePending(request);
  }
  if (!Ask(operator_, request).ok()) {
    return;
  }
  findings_.Saw("updates");
  Disturb();
  if (const auto end = ends_at_.find(job->id); end != ends_at_.end() && IsRunning(*job)) {
    const absl::Time limit = job->attempt.started_at + job->spec.time_limit;
    end->second = std::min(end->second, std::max(limit, now_));
  }
}

void SchedulingHistory::RequeueOne() {
  const Job* job = PickJob(IsRunning);
  findings_.Saw("requeues asked for",
                job != nullptr && Ask(operator_, RequeueRunningJob{job->id, ""}).ok() ? 1 : 0);
}

void SchedulingHistory::NoteCheckpointOfOne() {
  const Job* job = PickJob(IsRunning);
  const absl::Time at = now_ - absl::Seconds(Pick(600));
  findings_.Saw("checkpoints",
                job != nullptr && Ask(operator_, NoteCheckpoint{job->id, at}).ok() ? 1 : 0);
}

// ---- The operator ----

void SchedulingHistory::SuspendOrResume() {
  std::vector<TenantId> suspended;
  for (const auto& [id, tenant] : cluster_.quota().tenants()) {
    if (tenant.suspended) {
      suspended.push_back(id);
    }
  }
  const std::vector<TenantId>& from = suspended.empty() || Chance(40) ? tenants_ : suspended;
  const TenantId id = from[static_cast<size_t>(Pick(static_cast<int>(from.size())))];
  const Tenant& tenant = *cluster_.quota().FindTenant(id);
  findings_.Saw(tenant.suspended ? "resumes" : "suspensions");
  Ask(operator_, SuspendTenant{tenant.name, !tenant.suspended}).IgnoreError();
}

void SchedulingHistory::ChangeQueue() {
  const TenantId id = tenants_[static_cast<size_t>(Pick(static_cast<int>(tenants_.size())))];
  SetTenantQueue request;
  request.tenant = cluster_.quota().FindTenant(id)->name;
  request.preset = static_cast<QueuePreset>(Pick(4));
  request.stepped_timeout = absl::Minutes(1 + Pick(60));
  findings_.Saw("queues changed", Ask(operator_, request).ok() ? 1 : 0);
  Disturb();
}

void SchedulingHistory::EndSomeBooking() {
  for (const auto& [id, booking] : cluster_.bookings()) {
    if (!booking.ended) {
      findings_.Saw("bookings ended early", Ask(operator_, EndBooking{id}).ok() ? 1 : 0);
      Disturb();
      return;
    }
  }
}

void SchedulingHistory::AnnounceQuota() {
  const ClassId device_class =
      classes_[static_cast<size_t>(Pick(static_cast<int>(classes_.size())))];
  const TenantId tenant = tenants_[static_cast<size_t>(Pick(static_cast<int>(tenants_.size())))];
  SetQuota request;
  request.tenant = cluster_.quota().FindTenant(tenant)->name;
  request.device_class = cluster_.ClassName(device_class);
  request.limits = cluster_.quota().Limits({tenant, ProjectId(), device_class});
  request.limits.entitlement = Pick(static_cast<int>(cluster_.KnownDevices(device_class)) + 1);
  request.limits.non_lendable = std::min(request.limits.non_lendable, request.limits.entitlement);
  if (request.limits.limit.has_value()) {
    request.limits.limit = request.limits.entitlement + Pick(4);
  }
  request.allow_oversell = Chance(20);
  if (Chance(80)) {
    request.effective_at = now_ + absl::Seconds(1 + Pick(3600));
  }
  Disturb();
  findings_.Saw("quotas announced", Ask(operator_, request).ok() ? 1 : 0);
}

// ---- Nodes ----

void SchedulingHistory::LabelNodes() {
  for (NodeId id : nodes_) {
    NodeFacts facts = cluster_.GetNode(id).facts;
    facts.labels["zone"] = Chance(50) ? "a" : "b";
    cluster_.PutFacts(id, std::move(facts));
  }
}

void SchedulingHistory::BuryNode(NodeId id) {
  cluster_.TouchNode(id, [](Node& node) { node.session = SessionId(); });
  findings_.Saw("nodes confirmed dead");
  Ask(operator_, ConfirmNodeDead{cluster_.GetNode(id).name, ""}).IgnoreError();
}

// Or it is found to be sound again.
void SchedulingHistory::SpoilDevice() {
  if (!loses_nodes_) {
    return;
  }
  const NodeId id = nodes_[static_cast<size_t>(Pick(static_cast<int>(nodes_.size())))];
  NodeFacts facts = cluster_.GetNode(id).facts;
  Device& device = facts.devices[static_cast<size_t>(Pick(static_cast<int>(facts.devices.size())))];
  device.health =
      device.health == DeviceHealth::kOk ? DeviceHealth::kQuarantined : DeviceHealth::kOk;
  findings_.Saw("devices quarantined", device.health == DeviceHealth::kOk ? 0 : 1);
  cluster_.PutFacts(id, std::move(facts));
  Disturb();
}

void SchedulingHistory::QuarantineSomeNode() {
  if (!loses_nodes_) {
    return;
  }
  const NodeId id = nodes_[static_cast<size_t>(Pick(static_cast<int>(nodes_.size())))];
  QuarantineNode(MakeStep(), id, "test");
  findings_.Saw("nodes quarantined");
  Disturb();
}

void SchedulingHistory::LoseShim() {
  const Job* job = PickJob(IsRunning);
  if (job == nullptr) {
    return;
  }
  const Allocation& member = cluster_.GetAllocation(job->allocations.back());
  findings_.Saw("shims lost");
  ApplyReport(MakeStep(),
              ReportOf(member, Chance(50) ? ReportKind::kLostShim : ReportKind::kLostReboot));
}

bool SchedulingHistory::Refuses(const Job& job) {
  if (!options_.rare_events || drains_out_ || !Chance(3)) {
    return false;
  }
  const Allocation& member = cluster_.GetAllocation(job.allocations.back());
  TaskReport report = ReportOf(member, Chance(20) ? ReportKind::kNeverRan : ReportKind::kRefused);
  report.refusal = Chance(50) ? Refusal::kLockHeld : Refusal::kImage;
  findings_.Saw("refusals");
  ApplyReport(MakeStep(), report);
  return true;
}

void SchedulingHistory::EndRareEvents() {
  for (NodeId id : nodes_) {
    NodeFacts facts = cluster_.GetNode(id).facts;
    for (Device& device : facts.devices) {
      device.health = DeviceHealth::kOk;
    }
    if (options_.rare_events) {
      cluster_.PutFacts(id, std::move(facts));
    }
  }
  for (const auto& [key, edit] : std::map<QuotaKey, QuotaEdit>(cluster_.quota_edits())) {
    cluster_.DropQuotaEdit(key, "");
  }
  for (const auto& [id, tenant] : std::map<TenantId, Tenant>(cluster_.quota().tenants())) {
    if (tenant.suspended) {
      Ask(operator_, SuspendTenant{tenant.name, false}).IgnoreError();
    }
  }
  for (const auto& [id, job] : std::map<JobId, Job>(cluster_.jobs())) {
    if (job.state == JobState::kHeld) {
      Ask(operator_, ReleaseJob{id}).IgnoreError();
    }
  }
}

}  // namespace berth
