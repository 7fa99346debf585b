#include "agent/shim/task_init.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "agent/shim/process_tree.h"
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth::shim {
namespace {

constexpr int kExitNotExecutable = 126;
constexpr int kExitNotFound = 127;

struct Failure {
  LaunchStep step = LaunchStep::kNone;
  int error = 0;
};

int WriteWhole(const char* path, const std::string& text) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) {
    return errno;
  }
  const bool whole = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = whole ? 0 : errno;
  close(file);
  return error;
}

// In a user namespace the user stays what it is outside.
int MapOwnUser(uid_t uid, gid_t gid) {
  if (const int error = WriteWhole("/proc/self/setgroups", "deny"); error != 0) {
    return error;
  }
  const std::string user = std::to_string(uid) + " " + std::to_string(uid) + " 1";
  const std::string group = std::to_string(gid) + " " + std::to_string(gid) + " 1";
  if (const int error = WriteWhole("/proc/self/uid_map", user); error != 0) {
    return error;
  }
  return WriteWhole("/proc/self/gid_map", group);
}

// A /proc that shows the namespace's own processes, invisible outside.
int MountOwnProc() {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0 ||
      mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    return errno;
  }
  return 0;
}

int NamespaceFlags() {
  return CLONE_NEWPID | CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
}

// fork() into new namespaces. The caller has one thread, so nothing of libc's state is torn.
pid_t ForkWith(int flags) {
  return static_cast<pid_t>(syscall(SYS_clone, static_cast<unsigned long>(flags | SIGCHLD), nullptr,
                                    nullptr, nullptr, 0));
}

int EnterNamespaces(uid_t uid, gid_t gid) {
  if (uid != 0) {
    if (const int error = MapOwnUser(uid, gid); error != 0) {
      return error;
    }
  }
  return MountOwnProc();
}

int BecomeUser(const Account& account) {
  const std::vector<gid_t> groups(account.groups.begin(), account.groups.end());
  if (setgroups(groups.size(), groups.data()) != 0 || setgid(account.gid) != 0 ||
      setuid(account.uid) != 0) {
    return errno;
  }
  return 0;
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) {
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

// The child's side of one rank; returns only what went wrong. The rank is a session of its own, so
// that a terminal signal of one cannot reach another.
Failure ExecuteRank(const InitLaunch& launch, int rank) {
  setsid();
  if (!launch.plan->pid_namespace) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
  }
  const int log = (*launch.logs)[static_cast<size_t>(rank)];
  const int empty = open("/dev/null", O_RDONLY);
  if (empty < 0 || dup2(empty, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
      dup2(log, STDERR_FILENO) < 0) {
    return {LaunchStep::kProcess, errno};
  }
  if (empty > STDERR_FILENO) {
    close(empty);
  }
  umask(022);
  if (chdir(launch.plan->working_directory.c_str()) != 0) {
    return {LaunchStep::kDirectory, errno};
  }
  std::vector<std::string> environment = launch.order->rank_environment[static_cast<size_t>(rank)];
  environment.insert(environment.end(), launch.order->environment.begin(),
                     launch.order->environment.end());
  std::vector<char*> variables = Pointers(environment);
  std::vector<char*> arguments = Pointers(launch.plan->argv);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  environ = variables.data();  // also where execvp looks for PATH
  execvp(arguments[0], arguments.data());
  return {LaunchStep::kExec, errno};
}

// One task's init, in its own process. Never returns to the shim's code.
class TaskInit {
 public:
  explicit TaskInit(const InitLaunch& launch) : launch_(launch) {}
  [[noreturn]] void Run();

 private:
  Failure SetUp();
  [[noreturn]] void Fail(const Failure& failure);
  bool StartRanks();
  int StartRank(int rank);
  bool AwaitExec(int rank, int pipe);
  void Reap();
  bool HandleOrder();
  void SignalAll(int signal);
  [[noreturn]] void End();
  void Tell(const InitEvent& event);

  const InitLaunch launch_;
  int signals_ = -1;
  std::map<pid_t, int> ranks_;  // that run
};

void TaskInit::Tell(const InitEvent& event) {
  send(launch_.shim_socket, &event, sizeof(event), MSG_NOSIGNAL);
}

void TaskInit::Fail(const Failure& failure) {
  Tell({.kind = InitEventKind::kSetupFailed, .step = failure.step, .error = failure.error});
  _exit(1);
}

Failure TaskInit::SetUp() {
  if (launch_.plan->account.has_value()) {
    if (const int error = BecomeUser(*launch_.plan->account); error != 0) {
      return {LaunchStep::kUser, error};
    }
  }
  // After the change of user, which clears it.
  if (launch_.plan->pid_namespace) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
  } else {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
  }
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  struct rlimit core {};
  getrlimit(RLIMIT_CORE, &core);
  core.rlim_cur = 0;
  setrlimit(RLIMIT_CORE, &core);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_SETMASK, &child, nullptr);
  signals_ = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  return signals_ < 0 ? Failure{LaunchStep::kProcess, errno} : Failure{};
}

void TaskInit::Run() {
  if (const Failure failure = SetUp(); failure.error != 0) {
    Fail(failure);
  }
  if (StartRanks()) {
    Tell({.kind = InitEventKind::kStarted});
  }
  Reap();
  while (!ranks_.empty()) {
    pollfd events[] = {
        {.fd = launch_.shim_socket, .events = POLLIN, .revents = 0},
        {.fd = signals_,            .events = POLLIN, .revents = 0},
    };
    if (poll(events, 2, -1) < 0 && errno != EINTR) {
      break;
    }
    if (events[0].revents != 0 && !HandleOrder()) {
      break;
    }
    if (events[1].revents != 0) {
      signalfd_siginfo ignored;
      while (read(signals_, &ignored, sizeof(ignored)) > 0) {
      }
      Reap();
    }
  }
  End();
}

// Returns: whether every command is executed.
bool TaskInit::StartRanks() {
  std::vector<int> pipes;
  for (int rank = 0; rank < launch_.plan->processes; ++rank) {
    pipes.push_back(StartRank(rank));
  }
  bool all = true;
  for (int rank = 0; rank < launch_.plan->processes; ++rank) {
    all = AwaitExec(rank, pipes[static_cast<size_t>(rank)]) && all;
  }
  return all;
}

// Returns: the pipe that a failure to execute comes through, and that closes with success.
int TaskInit::StartRank(int rank) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    Fail({LaunchStep::kProcess, errno});
  }
  const pid_t pid = fork();
  if (pid < 0) {
    Fail({LaunchStep::kProcess, errno});
  }
  if (pid == 0) {
    const Failure failure = ExecuteRank(launch_, rank);
    if (write(ends[1], &failure, sizeof(failure)) < 0) {
      _exit(kExitNotExecutable);
    }
    _exit(failure.step == LaunchStep::kExec && failure.error == ENOENT ? kExitNotFound
                                                                       : kExitNotExecutable);
  }
  close(ends[1]);
  ranks_[pid] = rank;
  return ends[0];
}

bool TaskInit::AwaitExec(int rank, int pipe) {
  Failure failure;
  ssize_t got = -1;
  do {
    got = read(pipe, &failure, sizeof(failure));
  } while (got < 0 && errno == EINTR);
  close(pipe);
  if (got <= 0) {
    return true;
  }
  Tell({.kind = InitEventKind::kExecFailed,
        .rank = rank,
        .step = failure.step,
        .error = failure.error});
  return false;
}

void TaskInit::Reap() {
  int status = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    const auto rank = ranks_.find(pid);
    if (rank != ranks_.end()) {
      Tell({.kind = InitEventKind::kRankExited, .rank = rank->second, .wait_status = status});
      ranks_.erase(rank);
    }
  }
}

// False: the shim has gone.
bool TaskInit::HandleOrder() {
  InitSignal order;
  const ssize_t got = recv(launch_.shim_socket, &order, sizeof(order), MSG_DONTWAIT);
  if (got < 0) {
    return errno == EAGAIN || errno == EINTR;
  }
  if (got != sizeof(order)) {
    return false;
  }
  SignalAll(order.signal);
  return true;
}

void TaskInit::SignalAll(int signal) {
  if (launch_.plan->pid_namespace) {
    kill(-1, signal);  // everything in the namespace but this process
  } else {
    SignalDescendants(signal);
  }
}

void TaskInit::End() {
  if (!launch_.plan->pid_namespace) {
    KillDescendants();
  }
  _exit(0);
}

}  // namespace

pid_t StartTaskInit(const InitLaunch& launch) {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  const bool isolated = launch.plan->pid_namespace;
  const pid_t pid = ForkWith(isolated ? NamespaceFlags() : 0);
  if (pid != 0) {
    return pid;
  }
  for (const int file : launch.foreign) {
    close(file);
  }
  const int error = isolated ? EnterNamespaces(uid, gid) : 0;
  if (error != 0) {
    const InitEvent event = {
        .kind = InitEventKind::kSetupFailed, .step = LaunchStep::kNamespace, .error = error};
    send(launch.shim_socket, &event, sizeof(event), MSG_NOSIGNAL);
    _exit(1);
  }
  TaskInit(launch).Run();
}

bool CanMakePidNamespace() {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  const pid_t pid = ForkWith(NamespaceFlags());
  if (pid == 0) {
    _exit(EnterNamespaces(uid, gid) == 0 ? 0 : 1);
  }
  int status = 0;
  return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

}  // namespace berth::shim
