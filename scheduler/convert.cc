#include "scheduler/convert.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/convert_enums.h"
#include "scheduler/convert_names.h"
#include "scheduler/convert_text.h"
#include "scheduler/core/center_requests.h"

namespace berth {
namespace {

constexpr int kPageSizeDefault = 1000;
constexpr int kPageSizeMax = 10000;

static_assert(RaiseEnum<v1::JobState>(JobState::kHeld) == v1::JOB_STATE_HELD);
static_assert(RaiseEnum<v1::JobState>(JobState::kDependencyFailed) ==
              v1::JOB_STATE_DEPENDENCY_FAILED);
static_assert(RaiseEnum<v1::NodeState>(NodeState::kPending) == v1::NODE_STATE_PENDING);
static_assert(RaiseEnum<v1::NodeState>(NodeState::kRemoved) == v1::NODE_STATE_REMOVED);
static_assert(RaiseEnum<v1::DeviceHealth>(DeviceHealth::kQuarantined) ==
              v1::DEVICE_HEALTH_QUARANTINED);
static_assert(RaiseEnum<v1::DeviceKind>(DeviceKind::kSimulated) == v1::DEVICE_KIND_SIMULATED);

v1::HostResources ToProto(const HostResources& host) {
  v1::HostResources message;
  message.set_cpu_milli(host.cpu_milli);
  message.set_memory_mib(host.memory_mib);
  return message;
}

v1::GangSpec ToProto(const GangShape& gang, const Cluster& cluster) {
  v1::GangSpec message;
  message.set_nodes(gang.nodes);
  message.set_min_nodes(gang.min_nodes);
  message.set_device_share_milli(gang.device_share_milli);
  message.mutable_topology()->set_level(SameEnum<v1::TopologyRequest::Level>(gang.topology));
  message.mutable_topology()->set_required(gang.topology_required);
  message.set_devices_per_node(gang.devices_per_node);
  *message.mutable_per_node() = ToProto(gang.per_node);
  for (const ClassId id : gang.classes) {
    message.add_device_classes(cluster.ClassName(id));
  }
  message.mutable_node_labels()->insert(gang.node_labels.begin(), gang.node_labels.end());
  message.mutable_excluded_nodes()->Assign(gang.excluded_nodes.begin(), gang.excluded_nodes.end());
  return message;
}

void FillWaits(const Job& job, v1::Job& message) {
  for (const Dependency& dependency : job.spec.dependencies) {
    v1::Dependency& out = *message.add_dependencies();
    out.set_kind(RaiseEnum<v1::DependencyKind>(dependency.kind));
    out.set_job_id(dependency.job.value());
  }
  message.set_begin_time_us(Micros(job.spec.begin_at));
}

void AddRanges(const std::vector<IndexRange>& ranges,
               google::protobuf::RepeatedPtrField<v1::IndexRange>& message) {
  for (const IndexRange& range : ranges) {
    v1::IndexRange& out = *message.Add();
    out.set_first(range.first);
    out.set_count(range.count);
    out.set_step(range.step);
  }
}

void FillArray(const Job& job, v1::Job& message) {
  if (job.array) {
    message.set_array_id(job.array.value());
    message.set_array_index(job.array_index);
  }
  const ArrayRange& range = job.spec.array;
  if (range.count == 0) {
    return;
  }
  v1::ArrayStatus& array = *message.mutable_array();
  array.set_first(range.first);
  array.set_count(range.count);
  array.set_step(range.step);
  array.set_concurrent_max(range.concurrent_max);
  array.set_fails_max(range.fails_max);
  if (range.lists != nullptr) {
    AddRanges(range.lists->ranges, *array.mutable_ranges());
    AddRanges(range.lists->cancelled, *array.mutable_cancelled_unstarted());
  }
  const int passed = range.CancelledFrom(0) - range.CancelledFrom(job.tasks.next);
  array.set_started(job.tasks.next - passed);
  array.set_live(job.tasks.live);
  array.set_succeeded(job.tasks.succeeded);
  array.set_failed(job.tasks.failed);
  array.set_cancelled(job.tasks.cancelled);
}

// The class of a node's devices; "mixed" if there are several.
std::string ClassOf(const Node& node, const Cluster& cluster) {
  std::set<ClassId> classes;
  for (const Device& device : node.facts.devices) {
    classes.insert(device.device_class);
  }
  if (classes.empty()) {
    return "";
  }
  return classes.size() == 1 ? cluster.ClassName(*classes.begin()) : "mixed";
}

v1::NodeFacts ToProto(const NodeFacts& facts, const Cluster& cluster) {
  v1::NodeFacts message;
  message.set_hostname(facts.hostname);
  message.set_address(facts.address);
  *message.mutable_capacity() = ToProto(facts.capacity);
  for (const Device& device : facts.devices) {
    v1::Device& out = *message.add_devices();
    out.set_index(device.index);
    out.set_device_class(cluster.ClassName(device.device_class));
    out.set_uuid(device.uuid);
    out.set_kind(RaiseEnum<v1::DeviceKind>(device.kind));
    out.set_memory_mib(device.memory_mib);
    out.set_ring(device.ring);
    out.set_health(RaiseEnum<v1::DeviceHealth>(device.health));
    out.set_health_detail(device.health_detail);
    out.set_minor_number(device.minor_number);
  }
  message.mutable_topology()->set_pod(facts.topology.pod);
  message.mutable_topology()->set_block(facts.topology.block);
  message.mutable_topology()->set_rack(facts.topology.rack);
  message.mutable_labels()->insert(facts.labels.begin(), facts.labels.end());
  message.set_agent_version(facts.agent_version);
  message.set_kernel(facts.kernel);
  message.mutable_facilities()->Assign(facts.facilities.begin(), facts.facilities.end());
  return message;
}

absl::Status AddStates(const v1::ListJobsRequest& request, JobListQuery& query) {
  for (const int state : request.states()) {
    if (!v1::JobState_IsValid(state) || state == v1::JOB_STATE_UNSPECIFIED) {
      return Refused("B1218", absl::StrCat("there is no job state ", state),
                     "the client is newer than this scheduler", "use a client of this version");
    }
    query.states.push_back(LowerEnum<JobState>(state));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::optional<TenantId>> ToListedTenant(absl::string_view name, const Actor& actor,
                                                       const Cluster& cluster) {
  if (name.empty() && actor.IsCenter()) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(const Tenant* tenant, FindVisibleTenant(cluster, actor, name));
  return std::make_optional(tenant->id);
}

absl::StatusOr<int> ToPageSize(int page_size) {
  if (page_size < 0) {
    return Refused("B1206", absl::StrCat("a page cannot have ", page_size, " entries"), "",
                   absl::StrCat("ask for 1 to ", kPageSizeMax));
  }
  return page_size == 0 ? kPageSizeDefault : std::min(page_size, kPageSizeMax);
}

absl::StatusOr<JobListQuery> ToJobListQuery(const v1::ListJobsRequest& request, const Actor& actor,
                                            const Cluster& cluster) {
  JobListQuery query;
  ASSIGN_OR_RETURN(query.tenant, ToListedTenant(request.tenant(), actor, cluster));
  ASSIGN_OR_RETURN(query.limit, ToPageSize(request.page_size()));
  RETURN_IF_ERROR(AddStates(request, query));
  if (request.mine()) {
    query.user = actor.user;
  }
  if (!request.project().empty()) {
    if (!query.tenant.has_value()) {
      return Refused("B1219", "name the tenant of the project", "projects belong to tenants",
                     "give a tenant beside the project");
    }
    const Project* project = cluster.quota().FindProjectByName(*query.tenant, request.project());
    if (project == nullptr) {
      return MakeError(absl::StatusCode::kNotFound,
                       {.code = "B7302",
                        .message = absl::StrCat("there is no project ", Quoted(request.project())),
                        .why = "",
                        .fix = "berth project list shows those you may see"});
    }
    query.project = project->id;
  }
  if (!request.name().empty()) {
    query.name = request.name();
  }
  query.all_states = request.all_states();
  query.without_tasks = request.without_tasks();
  query.array = JobId(request.array_id());
  query.before = JobId(request.before_job_id());
  return query;
}

v1::CancelledTasks ToProto(const CancelledTasks& tasks) {
  v1::CancelledTasks message;
  message.set_stopping(tasks.stopping);
  message.set_waiting(tasks.waiting);
  message.set_before(tasks.before);
  message.set_ended(tasks.ended);
  return message;
}

v1::Job ToProto(const JobRecord& record, const Cluster& cluster) {
  const Job& job = record.job;
  v1::Job message;
  message.set_id(job.id.value());
  message.set_tenant(TenantName(job.spec.tenant, cluster));
  message.set_project(ProjectName(job.spec.project, cluster));
  message.set_user(UserName(job.spec.user, cluster));
  message.set_name(job.spec.name);
  message.set_state(RaiseEnum<v1::JobState>(job.state));
  if (record.reason.code != ReasonCode::kNone) {
    message.mutable_reason()->set_code(std::string(Code(record.reason.code)));
    message.mutable_reason()->set_name(std::string(Name(record.reason.code)));
    message.mutable_reason()->set_message(record.reason.message);
  }
  message.set_attempt(job.attempt.number);
  message.set_submitted_at_us(Micros(job.submitted_at));
  message.set_started_at_us(Micros(job.attempt.started_at));
  message.set_ended_at_us(Micros(job.ended_at));
  if (IsTerminal(job.state) || job.attempt.end.reason != EndReason::kNone) {
    *message.mutable_end() = ToProto(job.attempt.end);
  }
  for (const Allocation& allocation : record.allocations) {
    *message.add_allocations() =
        ToProto(AllocationRecord{allocation, job.attempt.funding}, cluster);
  }
  message.set_funding(SameEnum<v1::Funding>(job.attempt.funding));
  *message.mutable_gang() = ToProto(job.spec.gang, cluster);
  message.set_time_limit_ms(absl::ToInt64Milliseconds(job.spec.time_limit));
  message.set_priority(job.spec.priority);
  message.set_grace_ms(absl::ToInt64Milliseconds(job.spec.grace));
  message.set_version(job.version);
  message.set_cancel_requested(job.cancel_requested);
  message.set_not_preemptible(!job.spec.preemptible);
  message.set_no_borrow(!job.spec.may_borrow);
  message.set_checkpoint_at_us(Micros(job.attempt.checkpoint_at));
  if (job.attempt.notice != nullptr) {
    *message.mutable_notice() = ToProto(*job.attempt.notice);
  }
  FillWaits(job, message);
  FillArray(job, message);
  if (job.attempt.funding == Funding::kBorrowed && IsActive(job.state)) {
    message.add_notes("runs on borrowed devices: it may be recalled when their owner needs them");
  }
  return message;
}

v1::Allocation ToProto(const AllocationRecord& record, const Cluster& cluster) {
  const Allocation& allocation = record.allocation;
  v1::Allocation message;
  message.set_id(allocation.id.value());
  message.set_job_id(allocation.job.value());
  message.set_attempt(allocation.attempt);
  message.set_rank(allocation.rank);
  message.set_node(NodeName(allocation.node, cluster));
  message.set_tenant(TenantName(allocation.tenant, cluster));
  for (const DeviceShare& share : allocation.devices) {
    v1::DeviceAssignment& out = *message.add_devices();
    out.set_index(share.index);
    out.set_device_class(cluster.ClassName(allocation.device_class));
    out.set_uuid(share.uuid);
    out.set_milli(share.milli);
  }
  *message.mutable_host() = ToProto(allocation.host);
  message.set_state(std::string(Name(allocation.state)));
  message.set_reserved_at_us(Micros(allocation.reserved_at));
  message.set_released_at_us(Micros(allocation.released_at));
  if (allocation.evidence != ReleaseEvidence::kNone) {
    message.set_release_evidence(std::string(Name(allocation.evidence)));
  }
  message.set_funding(SameEnum<v1::Funding>(record.funding));
  return message;
}

v1::Node ToProto(const Node& node, const Cluster& cluster, bool with_tenants) {
  v1::Node message;
  message.set_id(node.id.value());
  message.set_name(node.name);
  message.set_state(RaiseEnum<v1::NodeState>(node.state));
  message.set_state_detail(node.state_detail);
  *message.mutable_facts() = ToProto(node.facts, cluster);
  const NodeLoad& load = cluster.free_index().Load(node.id);
  int devices_free = 0;
  for (const ClassDevices& devices : cluster.free_index().Site(node.id).classes) {
    devices_free += CountDevices(devices.usable & ~load.taken());
  }
  message.set_devices_free(devices_free);
  message.set_jobs(load.jobs);
  message.set_last_heartbeat_us(Micros(node.last_seen_at));
  message.set_device_class(ClassOf(node, cluster));
  if (with_tenants) {
    std::set<std::string> tenants;
    for (const AllocationId id : cluster.AllocationsOn(node.id)) {
      tenants.insert(TenantName(cluster.GetAllocation(id).tenant, cluster));
    }
    message.mutable_tenants()->Assign(tenants.begin(), tenants.end());
  }
  return message;
}

}  // namespace berth
