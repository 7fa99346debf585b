// The agents' side. An agent may be compromised: what it says is checked for form here, and its
// texts are made safe to show.

#include <algorithm>
#include <set>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/credentials.h"
#include "common/status_macros.h"
#include "scheduler/convert.h"
#include "scheduler/convert_enums.h"
#include "scheduler/convert_text.h"
#include "scheduler/core/names.h"

namespace berth {
namespace {

constexpr int kDevicesMax = 1024;
constexpr int kLabelsMax = 64;
constexpr int kFacilitiesMax = 64;
constexpr int kTasksMax = 100000;
constexpr size_t kTextBytesMax = 256;
constexpr size_t kReportTextBytesMax = 1024;
constexpr int kPortMax = 65535;
constexpr size_t kCheckpointBytesMax = 64;
constexpr int kWholeMilli = 1000;
constexpr int kPercentMax = 100;

static_assert(RaiseEnum<v1::TaskState>(TaskState::kJournaled) == v1::TASK_STATE_JOURNALED);
static_assert(RaiseEnum<v1::TaskState>(TaskState::kLostReboot) == v1::TASK_STATE_LOST_REBOOT);
static_assert(RaiseEnum<v1::ReportKind>(ReportKind::kPrepared) == v1::REPORT_KIND_PREPARED);
static_assert(RaiseEnum<v1::ReportKind>(ReportKind::kQuarantine) == v1::REPORT_KIND_QUARANTINE);
static_assert(SameEnum<v1::Refusal>(Refusal::kDevice) == v1::REFUSAL_DEVICE);
static_assert(SameEnum<v1::StopReason>(StopReason::kIdle) == v1::STOP_REASON_IDLE);
static_assert(RaiseEnum<v1::HelloRefused::Why>(HelloRefusal::kVersion) ==
              v1::HelloRefused::WHY_VERSION);
static_assert(RaiseEnum<v1::HelloRefused::Why>(HelloRefusal::kInventory) ==
              v1::HelloRefused::WHY_INVENTORY);

absl::Status BadFacts(absl::string_view message) {
  return Refused("B5206", message, "the agent's inventory cannot be used",
                 "check the agent's configuration and its version");
}

RunningTask ToRunningTask(const v1::RunningTask& task) {
  return {.allocation = AllocationId(task.allocation_id()),
          .job = JobId(task.job_id()),
          .attempt = task.attempt(),
          .state = LowerEnum<TaskState>(task.state()),
          .assign_seq = task.assign_seq()};
}

std::vector<RunningTask> ToRunningTasks(
    const google::protobuf::RepeatedPtrField<v1::RunningTask>& tasks) {
  std::vector<RunningTask> result;
  result.reserve(static_cast<size_t>(tasks.size()));
  for (const v1::RunningTask& task : tasks) {
    result.push_back(ToRunningTask(task));
  }
  return result;
}

absl::Status CheckTasks(const google::protobuf::RepeatedPtrField<v1::RunningTask>& tasks) {
  if (tasks.size() > kTasksMax) {
    return BadFacts(absl::StrCat("a node cannot run ", tasks.size(), " tasks"));
  }
  for (const v1::RunningTask& task : tasks) {
    if (!v1::TaskState_IsValid(task.state()) || task.state() == v1::TASK_STATE_UNSPECIFIED) {
      return BadFacts(absl::StrCat("task state ", static_cast<int>(task.state()), " is unknown"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDevice(const v1::Device& device) {
  if (device.index() < 0 || device.index() >= kDevicesMax) {
    return BadFacts(absl::StrCat("a device cannot have the index ", device.index()));
  }
  RETURN_IF_ERROR(CheckName("device class", device.device_class()));
  if (device.uuid().empty() || device.uuid().size() > kTextBytesMax ||
      !IsPlainText(device.uuid())) {
    return BadFacts(absl::StrCat("a device cannot have the uuid ", Quoted(device.uuid())));
  }
  if (device.part_of().size() > kTextBytesMax || !IsPlainText(device.part_of())) {
    return BadFacts(absl::StrCat("a device cannot be a part of ", Quoted(device.part_of())));
  }
  const bool known = v1::DeviceKind_IsValid(device.kind()) &&
                     device.kind() != v1::DEVICE_KIND_UNSPECIFIED &&
                     v1::DeviceHealth_IsValid(device.health());
  return known ? absl::OkStatus() : BadFacts("a device has an unknown kind or health");
}

bool IsPossible(const v1::DeviceSample& sample) {
  return sample.index() >= 0 && sample.utilization_percent() >= 0 &&
         sample.utilization_percent() <= kPercentMax && sample.memory_used_mib() >= 0 &&
         sample.power_watts() >= 0;
}

DeviceHealth ToDeviceHealth(v1::DeviceHealth health) {
  return health == v1::DEVICE_HEALTH_UNSPECIFIED ? DeviceHealth::kOk
                                                 : LowerEnum<DeviceHealth>(health);
}

// ---- Commands ----

void Fill(const AcceptHello& command, const NodeCommand& envelope, v1::SchedulerMessage& message) {
  v1::HelloAck& ack = *message.mutable_hello_ack();
  ack.set_session(envelope.session.value());
  ack.set_node_id(envelope.node.value());
  ack.set_sched_epoch(command.sched_epoch);
  ack.set_heartbeat_interval_ms(
      static_cast<int32_t>(absl::ToInt64Milliseconds(command.heartbeat_interval)));
  ack.set_lease_ms(absl::ToInt64Milliseconds(command.lease));
  ack.set_kill_timeout_ms(absl::ToInt64Milliseconds(command.kill_timeout));
}

void Fill(const RefuseHello& command, const NodeCommand&, v1::SchedulerMessage& message) {
  message.mutable_hello_refused()->set_why(RaiseEnum<v1::HelloRefused::Why>(command.why));
  message.mutable_hello_refused()->set_message(command.message);
}

void Fill(const AckHeartbeat& command, const NodeCommand&, v1::SchedulerMessage& message) {
  message.mutable_heartbeat_ack()->set_heartbeat_seq(command.heartbeat_seq);
}

void Fill(const AckReport& command, const NodeCommand&, v1::SchedulerMessage& message) {
  message.mutable_report_ack()->add_report_seqs(command.report_seq);
}

void FillDevices(const AssignTask& command, v1::Assignment& assignment) {
  for (size_t i = 0; i < command.allocation.devices.size(); ++i) {
    const DeviceShare& share = command.allocation.devices[i];
    v1::DeviceAssignment& device = *assignment.add_devices();
    device.set_index(share.index);
    if (i < command.device_classes.size()) {
      device.set_device_class(command.device_classes[i]);
    }
    device.set_uuid(share.uuid);
    device.set_milli(share.milli);
  }
}

void Fill(const AssignTask& command, const NodeCommand&, v1::SchedulerMessage& message) {
  const Allocation& allocation = command.allocation;
  v1::Assignment& assignment = *message.mutable_assign()->add_assignments();
  assignment.set_assign_seq(allocation.assign_seq);
  assignment.set_allocation_id(allocation.id.value());
  assignment.set_job_id(allocation.job.value());
  assignment.set_attempt(allocation.attempt);
  FillDevices(command, assignment);
  assignment.mutable_host()->set_cpu_milli(allocation.host.cpu_milli);
  assignment.mutable_host()->set_memory_mib(allocation.host.memory_mib);
  assignment.set_job_spec(command.payload);
  assignment.set_job_spec_sha256(Sha256(command.payload));
  assignment.set_time_limit_ms(absl::ToInt64Milliseconds(command.time_limit));
  assignment.set_grace_ms(absl::ToInt64Milliseconds(command.grace));
  assignment.set_lease_ms(absl::ToInt64Milliseconds(command.lease));
  assignment.set_hold_on_node_loss(command.hold_on_node_loss);
  assignment.set_tenant(command.tenant);
  assignment.set_project(command.project);
  assignment.set_user(command.user);
  assignment.set_job_name(command.job_name);
  assignment.set_rank(allocation.rank);
  assignment.set_node_count(command.node_count);
  assignment.set_start_at_once(command.start_at_once);
  assignment.set_array_id(command.array.value());
  assignment.set_array_index(command.array ? command.array_index : 0);
}

void Fill(const StartTask& command, const NodeCommand&, v1::SchedulerMessage& message) {
  v1::Start& start = *message.mutable_start();
  start.set_allocation_id(command.allocation.value());
  start.set_attempt(command.attempt);
  for (const StartTask::Member& member : command.members) {
    v1::Start::Member& out = *start.add_members();
    out.set_rank(member.rank);
    out.set_node(member.node);
    out.set_address(member.address);
    out.set_devices(member.devices);
  }
  start.set_rendezvous_address(command.rendezvous_address);
  start.set_rendezvous_port(command.rendezvous_port);
}

void Fill(const KillTask& command, const NodeCommand&, v1::SchedulerMessage& message) {
  v1::Kill& kill = *message.mutable_kill();
  kill.set_allocation_id(command.allocation.value());
  kill.set_job_id(command.job.value());
  kill.set_attempt(command.attempt);
  kill.set_reason(SameEnum<v1::StopReason>(command.reason));
  kill.set_grace_ms(absl::ToInt64Milliseconds(command.grace));
  kill.set_message(command.message);
}

TaskNotice ToTaskNotice(const v1::TaskNotice& notice) {
  TaskNotice event;
  event.allocation = AllocationId(notice.allocation_id());
  event.job = JobId(notice.job_id());
  event.attempt = notice.attempt();
  event.count = notice.count();
  event.age = absl::Milliseconds(std::max<int64_t>(notice.age_ms(), 0));
  event.checkpoint = MakePlain(notice.checkpoint(), kCheckpointBytesMax);
  event.checkpoint_age = absl::Milliseconds(std::max<int64_t>(notice.checkpoint_age_ms(), 0));
  if (notice.has_progress_milli()) {
    event.progress_milli = std::clamp(notice.progress_milli(), 0, kWholeMilli);
  }
  event.text = MakePlain(notice.text(), kTextBytesMax);
  return event;
}

}  // namespace

absl::Status CheckFacts(const v1::NodeFacts& facts) {
  if (facts.devices_size() > kDevicesMax || facts.labels_size() > kLabelsMax ||
      facts.facilities_size() > kFacilitiesMax) {
    return BadFacts("the node lists too many devices, labels or facilities");
  }
  if (facts.capacity().cpu_milli() < 0 || facts.capacity().memory_mib() < 0) {
    return BadFacts("the node's processors or memory are negative");
  }
  std::set<int> indexes;
  std::set<std::string> uuids;
  for (const v1::Device& device : facts.devices()) {
    RETURN_IF_ERROR(CheckDevice(device));
    if (!indexes.insert(device.index()).second || !uuids.insert(device.uuid()).second) {
      return BadFacts(absl::StrCat("device ", device.index(), " is listed twice"));
    }
  }
  for (const v1::Device& device : facts.devices()) {
    if (uuids.contains(device.part_of())) {
      return BadFacts(absl::StrCat("device ", device.index(), " is a part of one that is listed"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckReport(const v1::Report& report) {
  const bool known =
      v1::ReportKind_IsValid(report.kind()) && report.kind() != v1::REPORT_KIND_UNSPECIFIED &&
      v1::StopReason_IsValid(report.stop_reason()) && v1::Refusal_IsValid(report.refusal());
  if (!known) {
    return BadFacts("a report is of a kind unknown here");
  }
  if (report.rendezvous_port() < 0 || report.rendezvous_port() > kPortMax) {
    return BadFacts(absl::StrCat("there is no port ", report.rendezvous_port()));
  }
  return absl::OkStatus();
}

absl::Status CheckNotices(const v1::Notices& notices) {
  return notices.notices_size() <= kTasksMax
             ? absl::OkStatus()
             : BadFacts(absl::StrCat("a node cannot run ", notices.notices_size(), " tasks"));
}

absl::Status CheckHeartbeat(const v1::Heartbeat& heartbeat) {
  RETURN_IF_ERROR(CheckTasks(heartbeat.tasks()));
  const auto& samples = heartbeat.samples();
  if (samples.size() > kDevicesMax || !std::all_of(samples.begin(), samples.end(), IsPossible) ||
      heartbeat.samples_age_ms() < 0) {
    return BadFacts("what devices are busy with is told wrongly");
  }
  return absl::OkStatus();
}

absl::StatusOr<AgentHello> ToAgentHello(const v1::Hello& hello) {
  if (hello.boot_id().empty() || hello.boot_id().size() > kTextBytesMax ||
      !IsPlainText(hello.boot_id())) {
    return BadFacts("the boot id is missing or malformed");
  }
  RETURN_IF_ERROR(CheckFacts(hello.facts()));
  RETURN_IF_ERROR(CheckTasks(hello.tasks()));
  AgentHello event;
  event.boot_id = hello.boot_id();
  event.incarnation = hello.incarnation();
  event.assign_seq_max = hello.assign_seq_max();
  event.journal_since = hello.journal_since();
  event.sched_epoch_max = hello.sched_epoch_max();
  event.facts = ToReportedFacts(hello.facts());
  event.tasks = ToRunningTasks(hello.tasks());
  for (const v1::Report& report : hello.reports()) {
    RETURN_IF_ERROR(CheckReport(report));
    event.reports.push_back(ToTaskReport(report));
  }
  return event;
}

AgentHeartbeat ToAgentHeartbeat(const v1::Heartbeat& heartbeat) {
  AgentHeartbeat event;
  event.heartbeat_seq = heartbeat.heartbeat_seq();
  event.assign_seq_max = heartbeat.assign_seq_max();
  event.tasks = ToRunningTasks(heartbeat.tasks());
  return event;
}

TaskReport ToTaskReport(const v1::Report& report) {
  TaskReport event;
  event.report_seq = report.report_seq();
  event.kind = LowerEnum<ReportKind>(report.kind());
  event.allocation = AllocationId(report.allocation_id());
  event.job = JobId(report.job_id());
  event.attempt = report.attempt();
  event.rendezvous_address = MakePlain(report.rendezvous_address(), kTextBytesMax);
  event.rendezvous_port = report.rendezvous_port();
  event.exit_code = report.exit_code();
  event.signal = report.signal();
  event.stop_reason = SameEnum<StopReason>(report.stop_reason());
  event.out_of_memory = report.out_of_memory();
  event.exec_failed = report.exec_failed();
  event.failed_rank = report.failed_rank();
  event.refusal = SameEnum<Refusal>(report.refusal());
  event.message = MakePlain(report.message(), kReportTextBytesMax);
  event.notice = ToTaskNotice(report.notice());
  event.notice.attempt = event.attempt;
  return event;
}

AgentNotices ToAgentNotices(const v1::Notices& notices) {
  AgentNotices event;
  event.notices.reserve(static_cast<size_t>(notices.notices_size()));
  for (const v1::TaskNotice& notice : notices.notices()) {
    event.notices.push_back(ToTaskNotice(notice));
  }
  return event;
}

ReportedFacts ToReportedFacts(const v1::NodeFacts& facts) {
  const auto plain = [](const std::string& text) { return MakePlain(text, kTextBytesMax); };
  ReportedFacts reported;
  NodeFacts& out = reported.facts;
  out.hostname = plain(facts.hostname());
  out.address = plain(facts.address());
  out.capacity = {.cpu_milli = facts.capacity().cpu_milli(),
                  .memory_mib = facts.capacity().memory_mib()};
  out.topology = {.pod = plain(facts.topology().pod()),
                  .block = plain(facts.topology().block()),
                  .rack = plain(facts.topology().rack())};
  for (const auto& [key, value] : facts.labels()) {
    out.labels.emplace(plain(key), plain(value));
  }
  out.agent_version = plain(facts.agent_version());
  out.kernel = plain(facts.kernel());
  for (const std::string& facility : facts.facilities()) {
    out.facilities.push_back(plain(facility));
  }
  for (const v1::Device& device : facts.devices()) {
    ReportedDevice& entry = reported.devices.emplace_back();
    entry.device_class = device.device_class();
    entry.device = {.index = device.index(),
                    .device_class = ClassId(),
                    .uuid = device.uuid(),
                    .kind = LowerEnum<DeviceKind>(device.kind()),
                    .memory_mib = device.memory_mib(),
                    .ring = plain(device.ring()),
                    .health = ToDeviceHealth(device.health()),
                    .health_detail = plain(device.health_detail()),
                    .minor_number = device.minor_number(),
                    .part_of = device.part_of()};
  }
  return reported;
}

v1::SchedulerMessage ToProto(const NodeCommand& command) {
  v1::SchedulerMessage message;
  std::visit([&](const auto& kind) { Fill(kind, command, message); }, command.kind);
  return message;
}

}  // namespace berth
