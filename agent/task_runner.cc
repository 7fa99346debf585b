#include "agent/task_runner.h"

#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "agent/log_reader.h"
#include "agent/task_notice.h"
#include "common/credentials.h"
#include "common/log.h"
#include "common/status_macros.h"
#include <fcntl.h>

namespace berth {
namespace {

constexpr absl::Duration kReleaseAgain = absl::Milliseconds(20);
// Control groups without a task go within twice this time.
constexpr absl::Duration kTidyPause = absl::Seconds(1);
// What is left to write a last word in, where the device still lets it.
constexpr absl::Duration kFaultGrace = absl::Seconds(10);

}  // namespace

pid_t TaskRunner::InitOf(const ShimEvent& event) {
  int init = 0;
  return absl::SimpleAtoi(event.message, &init) && init > 0 ? init : -1;
}

TaskRunner::TaskRunner(TaskLauncher launcher, EventLoop& loop, Listener listener)
    : launcher_(std::move(launcher)),
      loop_(loop),
      listener_(std::move(listener)),
      images_(launcher_.options().images, loop) {}

TaskRunner::~TaskRunner() {
  for (const auto& [id, fetch] : fetches_) {
    fetch->Cancel();
  }
}

void TaskRunner::Run(const TaskAction& action) {
  std::visit([this](const auto& kind) { Act(kind); }, action);
}

void TaskRunner::Tell(TaskEvent event) {
  loop_.Post([this, event = std::move(event)] { listener_(event); });
}

void TaskRunner::WatchShim(const LaunchedTask& task) {
  const uint64_t id = task.assignment.allocation_id();
  loop_.Watch(task.shim->socket(), [this, id] { OnShim(id); });
}

void TaskRunner::OnShim(uint64_t id) {
  const auto task = tasks_.find(id);
  if (task == tasks_.end()) {
    return;
  }
  bool ended = false;
  const auto message = task->second.shim->Receive(ended);
  if (message.has_value()) {
    if (const auto* notice = std::get_if<ShimNotice>(&*message)) {
      OnNotice(task->second, *notice);
    } else {
      OnShimEvent(task->second, std::get<ShimEvent>(*message));
    }
  } else if (ended) {
    OnShimEnded(id);
  }
}

void TaskRunner::OnNotice(const LaunchedTask& task, const ShimNotice& notice) {
  const int64_t now = BootTimeNs();
  v1::TaskNotice told = ToTaskNotice(notice, now - notice.at_ns, now - notice.checkpoint_at_ns);
  told.set_allocation_id(task.assignment.allocation_id());
  told.set_job_id(task.assignment.job_id());
  told.set_attempt(task.assignment.attempt());
  notice_(std::move(told));
}

void TaskRunner::OnShimEvent(LaunchedTask& task, const ShimEvent& event) {
  const uint64_t id = task.assignment.allocation_id();
  switch (event.kind) {
    case ShimEvent::Kind::kPrepared:
      listener_(TaskPrepared{id, launcher_.options().address, task.rendezvous_port});
      return;
    case ShimEvent::Kind::kStarted:
      task.init = InitOf(event);
      listener_(TaskStarted{id});
      return;
    case ShimEvent::Kind::kLockHeld:
      loop_.Unwatch(task.shim->socket());
      if (!launcher_.TryNextPort(task, event)) {
        task.refused = {id, v1::REFUSAL_LOCK_HELD,
                        absl::StrCat("held by another task: ", event.message)};
      }
      WatchShim(task);
      return;
    case ShimEvent::Kind::kFailed:
      task.refused = {id, v1::REFUSAL_LAUNCH, event.message};
      return;
    case ShimEvent::Kind::kStuck:
      LogError("task does not die; its devices stay taken",
               {
                   {"allocation", id           },
                   {"why",        event.message}
      });
      stuck_(task.assignment);
      node_fault_(id, absl::StrCat("task of job ", task.assignment.job_id(),
                                   " cannot be killed: ", event.message));
      return;
    case ShimEvent::Kind::kStatus:
    case ShimEvent::Kind::kNotice:
      return;
  }
}

void TaskRunner::OnShimEnded(uint64_t id) {
  before_end_();
  LaunchedTask& task = tasks_.at(id);
  loop_.Unwatch(task.shim->socket());
  task.shim->Reap();
  TaskEvent event =
      task.refused.has_value() ? TaskEvent(*task.refused) : EndOf(task.assignment, task.file);
  auto* ended = std::get_if<TaskEnded>(&event);
  if (ended != nullptr && !task.fault.empty() && ended->failed_rank >= 0) {
    // The device failed first, whatever the program made of it.
    ended->node_fault = true;
    ended->message = task.fault;
  }
  tasks_.erase(id);
  const absl::Time give_up = absl::Now() + kReleasePatience;
  // A shim that was killed has not waited for its task's last process; its devices are still taken.
  if (std::holds_alternative<TaskLost>(event)) {
    Release(id, give_up, [this, event] { listener_(event); });
    return;
  }
  Release(id, give_up, [] {});
  listener_(event);
}

void TaskRunner::Release(uint64_t id, absl::Time give_up, std::function<void()> done) {
  if (launcher_.isolation().Release(id)) {
    TidyLater();
    done();
    return;
  }
  if (absl::Now() > give_up) {
    LogError("control groups of an ended task cannot be removed", {
                                                                      {"allocation", id}
    });
    node_fault_(id, absl::StrCat("processes of allocation ", id, " do not die"));
    give_up = absl::InfiniteFuture();
  }
  loop_.RunAfter(kReleaseAgain, [this, id, give_up, done = std::move(done)]() mutable {
    Release(id, give_up, std::move(done));
  });
}

void TaskRunner::TidyLater() {
  if (tidies_ || !launcher_.isolation().has_spare_groups()) {
    return;
  }
  tidies_ = true;
  loop_.RunAfter(kTidyPause, [this] {
    tidies_ = false;
    launcher_.isolation().Tidy();
    TidyLater();
  });
}

TaskEvent TaskRunner::EndOf(const v1::Assignment& assignment, const TaskFile& file) const {
  const std::string& data_dir = launcher_.options().data_dir;
  const uint64_t id = assignment.allocation_id();
  const absl::StatusOr<TaskFolder> folder =
      TaskFolder::Open(data_dir, assignment.job_id(), assignment.attempt());
  const auto text = folder.ok() ? ReadFileAt(folder->descriptor(), kExitFileName) : std::nullopt;
  const auto record = text.has_value() ? DecodeExitRecord(*text) : std::nullopt;
  if (!record.has_value()) {
    return TaskLost{id};
  }
  TaskEnded ended{.allocation_id = id,
                  .exit_code = static_cast<int>(record->exit_code),
                  .signal = static_cast<int>(record->signal),
                  .failed_rank = static_cast<int>(record->failed_rank),
                  .stop_reason = record->stop_reason == kStopNodeFault
                                     ? v1::STOP_REASON_UNSPECIFIED
                                     : static_cast<v1::StopReason>(record->stop_reason),
                  .exec_failed = record->exec_failed != 0,
                  .out_of_memory = record->out_of_memory != 0,
                  .node_fault = record->stop_reason == kStopNodeFault,
                  .message = record->message};
  ended.notice =
      ToTaskNotice(record->notice, record->notice.at_ns, record->notice.checkpoint_at_ns);
  const auto ranks = static_cast<int64_t>(file.ranks.size());
  if (record->failed_rank >= 0 && ranks > 0) {
    v1::OpenLog request;
    request.set_job_id(assignment.job_id());
    request.set_attempt(assignment.attempt());
    request.set_rank(static_cast<int>(assignment.rank() * ranks + record->failed_rank));
    ended.log_tail = ReadLogTail(data_dir, std::move(request));
  }
  return ended;
}

void TaskRunner::Act(const RunTask& action) {
  const auto found = tasks_.find(action.allocation_id);
  if (found == tasks_.end()) {
    return;
  }
  const LaunchedTask& task = found->second;
  AgentCommand command;
  command.kind = AgentCommand::Kind::kStart;
  const absl::Status status = launcher_.WriteStart(task, action.start);
  if (!status.ok()) {
    LogError("task cannot start",
             {
                 {"allocation", action.allocation_id         },
                 {"error",      std::string(status.message())}
    });
    command.kind = AgentCommand::Kind::kStop;
    command.reason = v1::STOP_REASON_GANG;
    std::strncpy(command.message, "the node's disk is full", sizeof(command.message) - 1);
  }
  task.shim->Send(command);
}

void TaskRunner::FailDevice(int index, const std::string& why) {
  for (auto& [id, task] : tasks_) {
    for (const v1::DeviceAssignment& device : task.assignment.devices()) {
      if (device.index() != index || !task.fault.empty()) {
        continue;
      }
      task.fault = absl::StrCat("device ", index, " (", device.uuid(), "): ", why);
      AgentCommand command;
      command.kind = AgentCommand::Kind::kStop;
      command.reason = kStopNodeFault;
      command.value = absl::ToInt64Milliseconds(kFaultGrace);
      std::strncpy(command.message, task.fault.c_str(), sizeof(command.message) - 1);
      task.shim->Send(command);
    }
  }
}

void TaskRunner::Act(const StopTask& action) {
  const auto task = tasks_.find(action.allocation_id);
  if (task == tasks_.end()) {
    if (waiting_.contains(action.allocation_id)) {
      stopped_early_.insert(action.allocation_id);
    }
    if (const auto fetch = fetches_.find(action.allocation_id); fetch != fetches_.end()) {
      fetch->second->Cancel();
    }
    return;
  }
  AgentCommand command;
  command.kind = AgentCommand::Kind::kStop;
  command.reason = action.reason;
  command.value = absl::ToInt64Milliseconds(action.grace);
  std::strncpy(command.message, action.message.c_str(), sizeof(command.message) - 1);
  task->second.shim->Send(command);
}

void TaskRunner::Act(const SetLease& action) {
  if (const auto waiting = waiting_.find(action.allocation_id); waiting != waiting_.end()) {
    waiting->second = action.deadline;
    return;
  }
  const auto task = tasks_.find(action.allocation_id);
  if (task == tasks_.end()) {
    return;
  }
  AgentCommand command;
  command.kind = AgentCommand::Kind::kSetLease;
  command.value = LeaseNs(action.deadline);
  task->second.shim->Send(command);
}

void TaskRunner::Act(const DropTask& action) {
  // The task itself left with its shim; its folder is found by the names that DropTask carries.
  const absl::StatusOr<TaskFolder> folder =
      TaskFolder::Open(launcher_.options().data_dir, action.job_id, action.attempt);
  if (folder.ok()) {
    folder->Drop();
  }
}

absl::StatusOr<EntryTarget> TaskRunner::FindEntry(uint64_t allocation_id,
                                                  const v1::EnterJobRequest& request) const {
  const auto found = tasks_.find(allocation_id);
  if (found == tasks_.end()) {
    return absl::NotFoundError("the task does not run on this node");
  }
  const LaunchedTask& task = found->second;
  if (task.init <= 0) {
    return absl::FailedPreconditionError(
        "the task has not started, or was started by an earlier version of the agent");
  }
  if (request.has_input() && task.file.open_stdin == 0) {
    return absl::FailedPreconditionError(
        "the job has no standard input: it was submitted without --stdin");
  }
  const auto ranks = static_cast<int>(task.file.ranks.size());
  EntryTarget target{.shim_path = launcher_.options().shim_path,
                     .folder = task.folder->path(),
                     .tenant = task.assignment.tenant(),
                     .rank = request.rank() - task.assignment.rank() * ranks,
                     .init = task.init,
                     .init_descriptor = Descriptor(),
                     .user_id = task.file.user_id,
                     .group_id = task.file.group_id,
                     .shim = Descriptor()};
  if (task.file.idle_ms > 0 || request.has_input()) {
    target.shim = Descriptor(fcntl(task.shim->socket(), F_DUPFD_CLOEXEC, 0));
  }
  ASSIGN_OR_RETURN(target.init_descriptor, OpenInit(task.init, task.shim->pid()));
  return target;
}

}  // namespace berth
