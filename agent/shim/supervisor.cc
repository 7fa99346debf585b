#include "agent/shim/supervisor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "agent/shim/process_tree.h"
#include "agent/shim/stop_file.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth::shim {
namespace {

constexpr int64_t kNsPerMs = 1000000;
constexpr int64_t kNsPerSecond = 1000000000;
constexpr size_t kPeersMax = 8;
constexpr size_t kDescriptorsMax = 200;
// With the plan come the listening socket, then the locks.
constexpr size_t kDescriptorsMin = 1;

int64_t ClockNs(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * kNsPerSecond + now.tv_nsec;
}

int64_t SinceBootNs() {
  return ClockNs(CLOCK_BOOTTIME);
}

int64_t WallUs() {
  return ClockNs(CLOCK_REALTIME) / 1000;
}

// One read that also takes the descriptors that travel with the bytes.
ssize_t ReceiveWithDescriptors(int socket, std::array<char, 65536>& bytes,
                               std::vector<int>& descriptors) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kDescriptorsMax)> control{};
  iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (got <= 0) {
    return got;
  }
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const size_t before = descriptors.size();
    descriptors.resize(before + count);
    std::memcpy(descriptors.data() + before, CMSG_DATA(header), count * sizeof(int));
  }
  return got;
}

bool IsTrusted(int socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == 0 || peer.uid == geteuid());
}

void CloseAll(std::vector<int>& files) {
  for (const int file : files) {
    close(file);
  }
  files.clear();
}

// The earliest of those that are set.
int64_t Earliest(std::initializer_list<int64_t> times) {
  int64_t earliest = 0;
  for (const int64_t time : times) {
    if (time != 0 && (earliest == 0 || time < earliest)) {
      earliest = time;
    }
  }
  return earliest;
}

const char* StepText(LaunchStep step) {
  switch (step) {
    case LaunchStep::kNone:
    case LaunchStep::kProcess:
      return "cannot start a process";
    case LaunchStep::kNamespace:
      return "cannot make a pid namespace";
    case LaunchStep::kUser:
      return "cannot become the task's user";
    case LaunchStep::kDirectory:
      return "cannot enter the working directory";
    case LaunchStep::kExec:
      return "cannot execute";
  }
  return "";
}

std::string ErrorText(int error) {
  return strerrordesc_np(error) == nullptr ? std::to_string(error) : strerrordesc_np(error);
}

}  // namespace

Supervisor::Supervisor(int control) {
  peers_.push_back({.socket = control, .input = {}, .gone = false});
  timer_ = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_SETMASK, &child, nullptr);
  signals_ = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  // Should the init be killed, its orphans come here.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

Supervisor::~Supervisor() {
  for (const Peer& peer : peers_) {
    close(peer.socket);
  }
  CloseAll(logs_);
  CloseAll(locks_);
  for (const int file : {listener_, timer_, signals_, init_socket_}) {
    if (file >= 0) {
      close(file);
    }
  }
}

int Supervisor::Run() {
  if (!ReceivePlan()) {
    return EXIT_FAILURE;
  }
  while (state_ != ShimState::kEnded) {
    WaitForEvent();
  }
  // Whoever waits has been told; what follows only tidies up.
  std::error_code ignored;
  std::filesystem::remove_all(kScratchName, ignored);
  return EXIT_SUCCESS;
}

// The agent sends the plan at once; until it is here there is nothing else to do.
bool Supervisor::ReceivePlan() {
  Peer& agent = peers_.front();
  std::array<char, 65536> bytes;
  std::vector<int> descriptors;
  Frame frame;
  while (!agent.input.Next(frame)) {
    const ssize_t got = ReceiveWithDescriptors(agent.socket, bytes, descriptors);
    if (got == 0 || (got < 0 && errno != EINTR) || agent.input.is_broken()) {
      return false;
    }
    agent.input.Append({bytes.data(), got > 0 ? static_cast<size_t>(got) : 0});
  }
  if (descriptors.size() < kDescriptorsMin) {
    return false;
  }
  listener_ = descriptors.front();
  locks_.assign(descriptors.begin() + 1, descriptors.end());
  if (!TakePlan(frame)) {
    return false;
  }
  while (agent.input.Next(frame) && state_ != ShimState::kEnded) {
    HandleFrame(frame);
  }
  return true;
}

bool Supervisor::TakePlan(const Frame& frame) {
  plan_ = frame.kind == FrameKind::kPlan ? DecodePlan(frame.payload) : std::nullopt;
  if (!plan_.has_value()) {
    return false;
  }
  exit_.allocation_id = plan_->allocation_id;
  lease_at_ns_ = plan_->lease_deadline_ns;
  int error = exit_file_.Reserve();
  for (int i = 0; error == 0 && i < plan_->processes; ++i) {
    const std::string name = LogFileName(plan_->first_rank + i);
    logs_.push_back(
        open(name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640));
    error = logs_.back() < 0 ? errno : 0;
  }
  if (error != 0) {
    exit_.launch_failed = true;
    exit_.message = "cannot write in the task's folder: " + ErrorText(error);
    Finish();
    return true;
  }
  SetTimer();
  TellAll();
  return true;
}

void Supervisor::WaitForEvent() {
  std::vector<pollfd> events;
  for (const int file : {timer_, signals_, listener_, init_socket_}) {
    events.push_back({.fd = file, .events = POLLIN, .revents = 0});
  }
  for (const Peer& peer : peers_) {
    events.push_back({.fd = peer.socket, .events = POLLIN, .revents = 0});
  }
  if (poll(events.data(), events.size(), -1) < 0) {
    return;
  }
  if (events[3].revents != 0) {
    ReadInit();
  }
  if (events[1].revents != 0) {
    ReapInit();
  }
  size_t at = 4;
  for (Peer& peer : peers_) {
    if (at < events.size() && events[at++].revents != 0 && state_ != ShimState::kEnded) {
      ReadPeer(peer);
    }
  }
  if (events[2].revents != 0) {
    AcceptPeer();
  }
  peers_.remove_if([](const Peer& peer) { return peer.gone && close(peer.socket) == 0; });
  if (state_ != ShimState::kEnded) {
    CheckDeadlines();
  }
}

void Supervisor::AcceptPeer() {
  const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (socket < 0) {
    return;
  }
  if (!IsTrusted(socket) || peers_.size() >= kPeersMax) {
    close(socket);
    return;
  }
  peers_.push_back({.socket = socket, .input = {}, .gone = false});
  TellStatus(peers_.back());
}

void Supervisor::ReadPeer(Peer& peer) {
  std::array<char, 65536> bytes;
  const ssize_t got = recv(peer.socket, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  if (got <= 0) {
    peer.gone = true;
    return;
  }
  peer.input.Append({bytes.data(), static_cast<size_t>(got)});
  Frame frame;
  while (state_ != ShimState::kEnded && peer.input.Next(frame)) {
    HandleFrame(frame);
  }
  peer.gone = peer.input.is_broken();
}

void Supervisor::HandleFrame(const Frame& frame) {
  switch (frame.kind) {
    case FrameKind::kStart:
      if (auto order = DecodeStart(frame.payload); order.has_value()) {
        Start(*std::move(order));
      }
      return;
    case FrameKind::kStop:
      if (const auto order = DecodeStop(frame.payload); order.has_value()) {
        Stop(*order);
      }
      return;
    case FrameKind::kLease:
      if (const auto deadline = DecodeLease(frame.payload); deadline.has_value()) {
        lease_at_ns_ = std::max(lease_at_ns_, *deadline);
        SetTimer();
      }
      return;
    case FrameKind::kPlan:
    case FrameKind::kStatus:
      return;
  }
}

void Supervisor::TellStatus(Peer& peer) {
  const ShimStatus status = {
      .allocation_id = plan_->allocation_id, .state = state_, .started = started_, .exit = exit_};
  const std::string frame = EncodeFrame(FrameKind::kStatus, Encode(status));
  // A peer that does not read enough to leave room for this will find the exit record.
  if (send(peer.socket, frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL) !=
      static_cast<ssize_t>(frame.size())) {
    peer.gone = true;
  }
}

void Supervisor::TellAll() {
  for (Peer& peer : peers_) {
    TellStatus(peer);
  }
}

// At most once, whatever is asked for: the state leaves kHolding here and never comes back.
void Supervisor::Start(StartOrder order) {
  if (state_ != ShimState::kHolding) {
    return;
  }
  order.rank_environment.resize(static_cast<size_t>(plan_->processes));
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0) {
    init_socket_ = ends[0];
    InitLaunch launch = {
        .plan = &*plan_,
        .order = &order,
        .logs = &logs_,
        .shim_socket = ends[1],
        .foreign = {listener_, timer_, signals_, init_socket_}
    };
    for (const Peer& peer : peers_) {
      launch.foreign.push_back(peer.socket);
    }
    init_ = StartTaskInit(launch);
    close(ends[1]);
  } else {
    init_ = -1;
  }
  state_ = ShimState::kRunning;
  if (init_ < 0) {
    exit_.launch_failed = true;
    exit_.message = std::string(StepText(LaunchStep::kProcess)) + ": " + ErrorText(errno);
    init_ = 0;
    Finish();
    return;
  }
  exit_.started_at_us = WallUs();
  if (plan_->time_limit_ms > 0) {
    const int64_t now = SinceBootNs();
    const int64_t early_ms = std::min(plan_->grace_ms, plan_->time_limit_ms);
    limit_kill_at_ns_ = now + plan_->time_limit_ms * kNsPerMs;
    limit_at_ns_ = limit_kill_at_ns_ - early_ms * kNsPerMs;
  }
  SetTimer();
}

// A later order can only shorten the grace; the first reason stays.
void Supervisor::Stop(const StopOrder& order) {
  const bool by_berth = order.reason != kStopNone;
  if (state_ == ShimState::kHolding) {
    exit_.stop_reason = order.reason;
    exit_.message = order.message;
    Finish();
    return;
  }
  const int64_t kill_at = std::max<int64_t>(SinceBootNs() + order.grace_ms * kNsPerMs, 1);
  kill_at_ns_ = Earliest({kill_at_ns_, kill_at});
  if (state_ == ShimState::kRunning) {
    state_ = ShimState::kStopping;
    if (by_berth && !failing_) {
      exit_.stop_reason = order.reason;
      exit_.message = order.message;
    }
    WriteStopFile(order);
    SignalTask(plan_->stop_signal);
    TellAll();
  }
  CheckDeadlines();
}

void Supervisor::SignalTask(int signal) {
  const InitSignal order = {.signal = signal};
  send(init_socket_, &order, sizeof(order), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Supervisor::ReadInit() {
  InitEvent event;
  for (;;) {
    const ssize_t got = recv(init_socket_, &event, sizeof(event), MSG_DONTWAIT);
    if (got == sizeof(event)) {
      HandleInitEvent(event);
      continue;
    }
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
      close(init_socket_);  // it has ended, or will in a moment; SIGCHLD tells
      init_socket_ = -1;
    }
    return;
  }
}

void Supervisor::HandleInitEvent(const InitEvent& event) {
  switch (event.kind) {
    case InitEventKind::kSetupFailed:
      exit_.launch_failed = true;
      exit_.message = std::string(StepText(event.step)) + ": " + ErrorText(event.error);
      return;
    case InitEventKind::kExecFailed:
      NoteExecFailure(event);
      return;
    case InitEventKind::kStarted:
      started_ = true;
      exit_.started = true;
      TellAll();
      return;
    case InitEventKind::kRankExited:
      if (WIFSIGNALED(event.wait_status)) {
        NoteFirstFailure(event.rank, 0, WTERMSIG(event.wait_status));
      } else if (WEXITSTATUS(event.wait_status) != 0) {
        NoteFirstFailure(event.rank, WEXITSTATUS(event.wait_status), 0);
      }
      return;
  }
}

void Supervisor::NoteExecFailure(const InitEvent& event) {
  const std::string& name =
      event.step == LaunchStep::kDirectory ? plan_->working_directory : plan_->argv.front();
  const std::string text =
      std::string(StepText(event.step)) + " " + name + ": " + ErrorText(event.error);
  if (!exit_.exec_failed) {
    exit_.exec_failed = true;
    exit_.message = text;
  }
  const std::string line = "berth: " + text + "\n";
  const int log = logs_[static_cast<size_t>(event.rank)];
  if (write(log, line.data(), line.size()) < 0) {
    return;  // the report carries the same text
  }
}

// The first rank that fails ends the others, and its end is the task's.
void Supervisor::NoteFirstFailure(int rank, int exit_code, int signal) {
  if (failing_) {
    return;
  }
  failing_ = true;
  exit_.failed_rank = rank;
  exit_.exit_code = exit_code;
  exit_.signal = signal;
  if (state_ == ShimState::kRunning) {
    Stop({.reason = kStopNone, .grace_ms = plan_->grace_ms, .message = ""});
  }
}

void Supervisor::ReapInit() {
  signalfd_siginfo ignored;
  while (read(signals_, &ignored, sizeof(ignored)) > 0) {
  }
  int status = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid != init_) {
      continue;
    }
    if (init_socket_ >= 0) {
      ReadInit();
    }
    const bool expected = exit_.launch_failed || kill_at_ns_ != 0 || WIFEXITED(status);
    if (!expected) {
      failing_ = true;
      exit_.signal = WTERMSIG(status);
      exit_.message = "the task's first process was killed";
    }
    Finish();
    return;
  }
}

void Supervisor::Finish() {
  // What an init that was killed could not end itself. In a namespace there is nothing left.
  if (init_ > 0 && !plan_->pid_namespace) {
    KillDescendants();
  }
  exit_.ended_at_us = WallUs();
  state_ = ShimState::kEnded;
  if (const int error = exit_file_.Commit(exit_); error != 0 && exit_.message.empty()) {
    exit_.message = "the exit record cannot be written: " + ErrorText(error);
  }
  // The devices are free before anyone hears so.
  CloseAll(locks_);
  TellAll();
}

void Supervisor::CheckDeadlines() {
  const int64_t now = SinceBootNs();
  if (lease_at_ns_ != 0 && now >= lease_at_ns_) {
    lease_at_ns_ = 0;
    Stop({.reason = kStopLease,
          .grace_ms = plan_->lease_grace_ms,
          .message = "the node did not reach the scheduler within the lease"});
  }
  if (state_ == ShimState::kEnded) {
    return;
  }
  if (limit_at_ns_ != 0 && now >= limit_at_ns_) {
    const int64_t left_ms = std::max<int64_t>(0, (limit_kill_at_ns_ - now) / kNsPerMs);
    limit_at_ns_ = 0;
    Stop({.reason = kStopTimeLimit, .grace_ms = left_ms, .message = "the time limit is over"});
  }
  if (kill_at_ns_ != 0 && now >= kill_at_ns_) {
    // Once more in a while, for an init that could not be killed yet.
    kill_at_ns_ = now + kNsPerSecond;
    if (plan_->pid_namespace) {
      kill(init_, SIGKILL);
    } else {
      SignalTask(SIGKILL);
    }
  }
  SetTimer();
}

void Supervisor::SetTimer() {
  const int64_t at = Earliest({lease_at_ns_, limit_at_ns_, kill_at_ns_});
  itimerspec spec{};
  spec.it_value.tv_sec = at / kNsPerSecond;
  spec.it_value.tv_nsec = at % kNsPerSecond;
  timerfd_settime(timer_, TFD_TIMER_ABSTIME, &spec, nullptr);
}

void Supervisor::WriteStopFile(const StopOrder& order) {
  const int reason = failing_ ? kStopGang : order.reason;
  berth::shim::WriteStopFile(
      {.reason = reason, .grace_ms = order.grace_ms, .message = order.message});
}

}  // namespace berth::shim
