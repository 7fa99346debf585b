#include "agent/shim/task_shim.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "agent/shim/stop_file.h"
#include "agent/shim/task_group.h"
#include "agent/shim/task_locks.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int64_t kNsPerMs = 1000000;
// Between two looks at control groups that are not empty yet, and how long they may take.
constexpr int64_t kLookAgainNs = 10 * kNsPerMs;
constexpr int64_t kStuckNs = 60000 * kNsPerMs;
// Of berth.v1.StopReason, which the shim does not parse further.
constexpr int64_t kStopGang = 4;
constexpr int64_t kStopLease = 5;

}  // namespace

int TaskShim::Run() {
  if (!Prepare()) {
    return 1;
  }
  Tell(ShimEvent::Kind::kPrepared, "");
  if (task_.start_at_once != 0) {
    Start();
  }
  while (!done_) {
    ArmTimer();
    PollOnce();
  }
  Finish();
  return 0;
}

bool TaskShim::Prepare() {
  const auto bytes = ReadFileAt(folder_, kTaskFileName);
  auto task = bytes.has_value() ? DecodeTaskFile(*bytes) : std::nullopt;
  if (!task.has_value()) {
    Tell(ShimEvent::Kind::kFailed, "the task file cannot be read");
    return false;
  }
  task_ = *std::move(task);
  timer_ = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (const auto refusal = TakeTaskLocks(task_)) {
    Tell(refusal->kind, refusal->message.c_str());
    return false;
  }
  if (!agent_.Listen() || !notices_.Open(task_) || !input_.Open(task_)) {
    Tell(ShimEvent::Kind::kFailed, std::strerror(errno));
    return false;
  }
  return true;
}

int64_t TaskShim::NextDeadlineNs() const {
  if (init_gone_) {
    return look_again_ns_;
  }
  int64_t next = INT64_MAX;
  const int64_t stop_side = stopping_ ? kill_ns_ : limits_.next_stop_ns();
  for (const int64_t deadline : {stop_side, limits_.kill_ns(), task_.lease_deadline_ns}) {
    next = deadline > 0 ? std::min(next, deadline) : next;
  }
  return killed_ ? INT64_MAX : next;
}

void TaskShim::ArmTimer() const {
  const int64_t next = NextDeadlineNs();
  itimerspec when{};
  if (next != INT64_MAX) {
    when.it_value.tv_sec = next / 1000000000;
    when.it_value.tv_nsec = next % 1000000000;
  }
  timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
}

void TaskShim::PollOnce() {
  enum { kTimer, kListener, kAgent, kInit, kInput, kFirstLog };
  std::vector<pollfd> fds = {
      {timer_,            POLLIN, 0},
      {agent_.listener(), POLLIN, 0},
      {agent_.agent(),    POLLIN, 0},
      {init_.socket,      POLLIN, 0},
      {input_.listener(), POLLIN, 0}
  };
  for (const RankLog& log : logs_) {
    fds.push_back({log.reader(), POLLIN, 0});
  }
  const auto first_notice = static_cast<std::ptrdiff_t>(fds.size());
  const int notice_wait_ms = notices_.AddTo(fds, BootTimeNs());
  if (poll(fds.data(), fds.size(), notice_wait_ms) < 0) {
    return;
  }
  for (size_t rank = 0; rank < logs_.size(); ++rank) {
    if (fds[kFirstLog + rank].revents != 0) {
      logs_[rank].Pump();
    }
  }
  if (fds[kInit].revents != 0) {
    OnInit();
  }
  if (fds[kAgent].revents != 0) {
    if (const auto command = agent_.Receive()) {
      OnCommand(*command);
    }
  }
  if (fds[kListener].revents != 0) {
    agent_.Accept();
  }
  if (fds[kInput].revents != 0) {
    input_.Give();
  }
  if (fds[kTimer].revents != 0) {
    OnTimer();
  }
  const bool has_notice = std::any_of(fds.begin() + first_notice, fds.end(),
                                      [](const pollfd& fd) { return fd.revents != 0; });
  if (has_notice && notices_.Serve(BootTimeNs())) {
    TellNotice();
  }
}

void TaskShim::OnTimer() {
  uint64_t expirations = 0;
  if (read(timer_, &expirations, sizeof(expirations)) < 0) {
    return;
  }
  if (init_gone_) {
    AwaitEmpty();
    return;
  }
  const int64_t now = BootTimeNs();
  // The lease leaves no time for a grace, nor for what is left of one: the scheduler may be giving
  // the devices away.
  const bool over_lease = task_.lease_deadline_ns > 0 && now >= task_.lease_deadline_ns;
  if (!stopping_ && over_lease) {
    Stop(kStopLease, 0, "the lease ran out: no word from the scheduler");
  }
  if (const auto due = limits_.FindDue(now); !stopping_ && due.code != 0) {
    Stop(due.code, task_.grace_ms, due.message);
  }
  const bool over_limit = limits_.kill_ns() > 0 && now >= limits_.kill_ns();
  if (stopping_ && (now >= kill_ns_ || over_limit || over_lease)) {
    KillTask();
  }
}

void TaskShim::OnCommand(const AgentCommand& command) {
  switch (command.kind) {
    case AgentCommand::Kind::kStart:
      Start();
      return;
    case AgentCommand::Kind::kStop:
      Stop(command.reason, command.value, command.message);
      return;
    case AgentCommand::Kind::kSetLease:
      task_.lease_deadline_ns = command.value;
      return;
    case AgentCommand::Kind::kStatus:
      Tell(ShimEvent::Kind::kStatus, InitText().c_str());
      TellNotice();
      return;
    case AgentCommand::Kind::kUsed:
      limits_.OnUse(task_, BootTimeNs());
      return;
    case AgentCommand::Kind::kEndInput:
      input_.End();
      return;
  }
}

void TaskShim::Start() {
  if (started_ || stopping_) {
    return;
  }
  if (task_.start_at_once == 0) {
    const auto bytes = ReadFileAt(folder_, kStartFileName);
    const auto environments = bytes.has_value() ? DecodeStartFile(*bytes) : std::nullopt;
    if (!environments.has_value() || environments->size() != task_.ranks.size()) {
      Stop(kStopGang, 0, "the start file cannot be read");
      return;
    }
    for (size_t rank = 0; rank < task_.ranks.size(); ++rank) {
      task_.ranks[rank].environment = (*environments)[rank];
    }
  }
  started_ = true;
  record_.started_at_us = WallTimeUs();
  limits_.OnStart(task_, BootTimeNs());
  if (!StartInit()) {
    record_.message = std::string("cannot start the task: ") + std::strerror(errno);
    RankFailed(0, kExitNotExecutable, 0);
    record_.exec_failed = 1;
    done_ = init_.pid < 0;
  }
}

bool TaskShim::StartInit() {
  std::vector<int> outputs;
  for (const RankTask& rank : task_.ranks) {
    RankLog& log =
        logs_.emplace_back(rank.log_path, task_.log_segment_bytes, task_.log_segments_max);
    if (!log.Open(task_.user_id, task_.group_id)) {
      return false;
    }
    outputs.push_back(log.writer());
  }
  init_ = StartTaskInit(task_, {input_.pipe(), std::move(outputs)}, notices_.listener());
  const int error = errno;
  input_.CloseReader();
  for (RankLog& log : logs_) {
    log.CloseWriter();
  }
  errno = error;
  const InitCommand go;
  return init_.pid >= 0 && send(init_.socket, &go, sizeof(go), MSG_NOSIGNAL) >= 0;
}

void TaskShim::OnInit() {
  InitEvent event;
  const ssize_t size = recv(init_.socket, &event, sizeof(event), MSG_DONTWAIT);
  // ECONNRESET: it ended before it had read all; what it said before is still there to be read.
  if (size < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNRESET)) {
    return;
  }
  if (size != static_cast<ssize_t>(sizeof(event))) {
    // The init is gone, and with it everything; reaping it waits until that is so.
    int status = 0;
    waitpid(init_.pid, &status, 0);
    if (record_.failed_rank < 0 && WIFSIGNALED(status) && !killed_) {
      RankFailed(0, 0, WTERMSIG(status));
      record_.message = "the task's init was killed";
    }
    close(init_.socket);
    init_.socket = -1;
    init_gone_ = true;
    init_gone_ns_ = BootTimeNs();
    AwaitEmpty();
    return;
  }
  switch (event.kind) {
    case InitEvent::Kind::kStarted:
      running_ = true;
      limits_.OnUse(task_, BootTimeNs());
      notices_.OnShown();
      Tell(ShimEvent::Kind::kStarted, InitText().c_str());
      return;
    case InitEvent::Kind::kExecFailed:
      record_.exec_failed = 1;
      record_.message = "cannot execute " + task_.argv[0] + ": " + std::strerror(event.status);
      RankFailed(event.rank, event.status == ENOENT ? kExitNotFound : kExitNotExecutable, 0);
      return;
    case InitEvent::Kind::kNoFolder:
      record_.exec_failed = 1;
      record_.message = "cannot enter the working directory " + task_.working_directory + ": " +
                        std::strerror(event.status);
      RankFailed(event.rank, kExitNotExecutable, 0);
      return;
    case InitEvent::Kind::kExited:
      RankEnded(event.rank, event.status);
      return;
    case InitEvent::Kind::kFailed:
      record_.exec_failed = 1;
      record_.message = std::string("the node cannot set the task up: cannot ") + event.step +
                        ": " + std::strerror(event.status);
      RankFailed(0, kExitNotExecutable, 0);
      return;
  }
}

void TaskShim::RankEnded(int32_t rank, int32_t status) {
  if (WIFSIGNALED(status)) {
    RankFailed(rank, 0, WTERMSIG(status));
  } else if (WEXITSTATUS(status) != 0) {
    RankFailed(rank, WEXITSTATUS(status), 0);
  }
}

void TaskShim::RankFailed(int32_t rank, int exit_code, int signal) {
  if (record_.failed_rank >= 0) {
    return;
  }
  record_.failed_rank = rank;
  record_.exit_code = exit_code;
  record_.signal = signal;
  if (!stopping_ && task_.ranks.size() > 1) {
    // One rank's failure ends the others; the record keeps it as the task's own end.
    Stop(0, task_.grace_ms, "another rank failed");
  }
}

void TaskShim::Stop(int64_t reason, int64_t grace_ms, const char* message) {
  const int64_t deadline = BootTimeNs() + std::max<int64_t>(grace_ms, 0) * kNsPerMs;
  if (stopping_) {
    kill_ns_ = std::min(kill_ns_, deadline);
    return;
  }
  stopping_ = true;
  kill_ns_ = std::max<int64_t>(deadline, 1);
  record_.stop_reason = reason;
  if (record_.message.empty() && reason != 0) {
    record_.message = message;
  }
  if (!started_ || init_.pid < 0) {
    done_ = true;
    return;
  }
  WriteStopFile(folder_, {.reason = reason, .grace_ms = grace_ms, .message = message});
  if (grace_ms <= 0) {
    KillTask();
    return;
  }
  const InitCommand command{static_cast<int32_t>(task_.stop_signal)};
  send(init_.socket, &command, sizeof(command), MSG_NOSIGNAL);
}

void TaskShim::KillTask() {
  killed_ = true;
  if (init_gone_) {
    return;
  }
  if (init_.in_namespace) {
    // The kernel ends all with it, and lets none be born meanwhile.
    kill(init_.pid, SIGKILL);
    return;
  }
  KillGroup(task_.sandbox.groups);
  // Without a namespace the init itself hunts its descendants when its socket closes.
  shutdown(init_.socket, SHUT_WR);
}

void TaskShim::AwaitEmpty() {
  if (IsGroupEmpty(task_.sandbox.groups)) {
    done_ = true;
    return;
  }
  KillGroup(task_.sandbox.groups);
  const int64_t now = BootTimeNs();
  look_again_ns_ = now + kLookAgainNs;
  if (!stuck_ && now - init_gone_ns_ > kStuckNs) {
    stuck_ = true;
    Tell(ShimEvent::Kind::kStuck, "processes of the task do not die");
  }
}

void TaskShim::Finish() {
  for (RankLog& log : logs_) {
    log.Drain();
  }
  record_.ended_at_us = WallTimeUs();
  const int64_t now = BootTimeNs();
  notices_.Drain(now);
  record_.notice = notices_.notice();
  record_.notice.at_ns = now - record_.notice.at_ns;
  record_.notice.checkpoint_at_ns = now - record_.notice.checkpoint_at_ns;
  if (record_.failed_rank >= 0 && CountMemoryKills(task_.sandbox.groups) > 0) {
    record_.out_of_memory = 1;
    record_.message = "the kernel ended a process of the task at its memory limit";
  }
  WriteOnceDurably(folder_, kExitFileName, EncodeExitRecord(record_));
  unlink(kSocketFileName);
}

std::string TaskShim::InitText() const {
  return running_ && !init_gone_ ? std::to_string(init_.pid) : "";
}

void TaskShim::Tell(ShimEvent::Kind kind, const char* message) {
  ShimEvent event;
  event.kind = kind;
  event.value = stopping_ ? 2 : (running_ ? 1 : 0);
  event.started_at_us = record_.started_at_us;
  std::snprintf(event.message, sizeof(event.message), "%s", message);
  agent_.Send(event);
}

void TaskShim::TellNotice() {
  if (notices_.notice().count > 0) {
    agent_.Send(notices_.notice());
  }
}

}  // namespace berth
