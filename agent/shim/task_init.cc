#include "agent/shim/task_init.h"

#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/shim/notice_socket.h"
#include "agent/shim/process_tree.h"
#include "agent/shim/sandbox.h"
#include "agent/shim/task_group.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr size_t kRankStackBytes = 64 << 10;

class Init {
 public:
  // `groups` and `streams` were opened by the shim: a file open for writing keeps its mount from
  // being made read-only.
  Init(const TaskFile& task, const RankStreams& streams, const GroupEntry& groups,
       const TaskInit& shim, int notices)
      : task_(task),
        streams_(streams),
        notices_(notices),
        groups_(groups),
        argv_(Pointers(task.argv)),
        shim_(shim.socket),
        in_namespace_(shim.in_namespace) {}

  [[noreturn]] void Run() {
    SetUp();
    // The shim is the only way to stop this task: without it, end.
    InitCommand go;
    if (recv(shim_, &go, sizeof(go), 0) <= 0) {
      End();
    }
    StartRanks();
    Supervise();
    End();
  }

 private:
  void SetUp() {
    close(streams_.input.writer);  // else the rank would never read the end
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, nullptr);
    child_signal_ = signalfd(-1, &child, SFD_CLOEXEC);
    if (in_namespace_) {
      MakeMounts();
    } else {
      prctl(PR_SET_CHILD_SUBREAPER, 1);
    }
    // Last of what needs the host's files, and before anything of the task's own can run.
    if (!groups_.Enter()) {
      Fail("enter its control groups");
    }
    // The root of such a namespace is where its first process is at that moment.
    if ((task_.sandbox.namespaces & CLONE_NEWCGROUP) != 0 && unshare(CLONE_NEWCGROUP) != 0) {
      Fail("hide the node's control groups");
    }
    if (in_namespace_ && task_.sandbox.private_mounts != 0 &&
        (task_.sandbox.namespaces & CLONE_NEWCGROUP) != 0) {
      if (const char* failed = ShowOwnGroups()) {
        Fail(failed);
      }
    }
    if (const char* failed = DropPrivileges(task_)) {
      Fail(failed);
    }
    // In a namespace the init's death is everybody's. Else it must live on to hunt its descendants,
    // and learns of the shim's death by the closed socket.
    if (in_namespace_ && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
      Fail("end with its supervisor");
    }
  }

  void MakeMounts() {
    const char* failed = nullptr;
    if (task_.sandbox.private_mounts != 0) {
      failed = MakePrivateMounts(task_.sandbox);
    } else if (mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
      return;  // the host's /proc is better than none
    }
    if (failed != nullptr) {
      Fail(failed);
    }
    if (task_.sandbox.private_mounts != 0 &&
        !NoticeSocket::Show(notices_, kShownNoticeSocket, task_)) {
      Fail("show where it can tell of itself");
    }
    // Its own /proc, so that a job sees its own processes under their own numbers.
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0 &&
        task_.sandbox.private_mounts != 0) {
      Fail("mount its own /proc");
    }
  }

  void StartRanks() {
    int failures[2];
    if (pipe2(failures, O_CLOEXEC) != 0) {
      Fail("make a pipe");
    }
    for (size_t rank = 0; rank < task_.ranks.size(); ++rank) {
      const pid_t pid = StartRank({*this, rank, failures[1]});
      if (pid < 0) {
        Fail("start its processes");
      }
      ranks_[pid] = static_cast<int32_t>(rank);
    }
    close(failures[1]);
    // Else who writes there would not see that the rank reads no more.
    close(streams_.input.reader);
    // The pipe closes with the last successful exec.
    InitEvent failure;
    bool failed = false;
    while (read(failures[0], &failure, sizeof(failure)) == sizeof(failure)) {
      Tell(failure);
      failed = true;
    }
    close(failures[0]);
    if (!failed) {
      Tell({InitEvent::Kind::kStarted, 0, 0});
    }
  }

  struct RankStart {
    const Init& init;
    size_t rank;
    int failures;  // where a failure is told
  };

  // The child borrows this process's memory until its exec, as that of vfork does: copying it would
  // cost more than all else here. It has a stack of its own, and leaves no trace but errno.
  pid_t StartRank(RankStart start) {
    // execvp looks the command up in the job's own PATH.
    const std::vector<char*> environment = Pointers(task_.ranks[start.rank].environment);
    char** const own_environment = std::exchange(environ, const_cast<char**>(environment.data()));
    // execvp also copies the arguments there, if the command is a script that does not say so.
    const size_t size = kRankStackBytes + task_.argv.size() * sizeof(char*);
    const std::unique_ptr<char[]> stack(new char[size]);
    const auto top = reinterpret_cast<uintptr_t>(stack.get() + size) & ~uintptr_t{15};
    const pid_t pid =
        clone(ExecuteRank, reinterpret_cast<void*>(top), CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
    environ = own_environment;
    return pid;
  }

  static int ExecuteRank(void* argument) {
    const auto& [init, rank, failures] = *static_cast<const RankStart*>(argument);
    setsid();
    const bool reads = rank == 0 && init.streams_.input.reader >= 0;
    const int input = reads ? init.streams_.input.reader : open("/dev/null", O_RDONLY | O_CLOEXEC);
    ResetSignals();
    InitEvent failure{InitEvent::Kind::kNoFolder, static_cast<int32_t>(rank), 0};
    const int output = init.streams_.outputs[rank];
    if (dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
        dup2(output, STDERR_FILENO) >= 0 && chdir(init.task_.working_directory.c_str()) == 0) {
      failure.kind = InitEvent::Kind::kExecFailed;
      execvp(init.argv_[0], const_cast<char**>(init.argv_.data()));
    }
    failure.status = errno;
    const ssize_t told = write(failures, &failure, sizeof(failure));
    static_cast<void>(told);
    return kExitNotExecutable;  // clone ends the process with it
  }

  void Supervise() {
    pollfd fds[2] = {
        {child_signal_, POLLIN, 0},
        {shim_,         POLLIN, 0}
    };
    while (!ranks_.empty()) {
      if (poll(fds, 2, -1) < 0) {
        continue;
      }
      if (fds[0].revents != 0) {
        Reap();
      }
      if (fds[1].revents != 0) {
        InitCommand command;
        if (recv(shim_, &command, sizeof(command), 0) <= 0) {
          return;
        }
        Signal(command.signal);
      }
    }
  }

  void Reap() {
    signalfd_siginfo info;
    if (read(child_signal_, &info, sizeof(info)) < 0) {
      return;
    }
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
      const auto rank = ranks_.find(pid);
      if (rank != ranks_.end()) {
        Tell({InitEvent::Kind::kExited, rank->second, status});
        ranks_.erase(rank);
      }
    }
  }

  // To every process of the task but this one.
  void Signal(int number) {
    if (in_namespace_) {
      kill(-1, number);
    } else {
      SignalDescendants(number);
    }
  }

  // `step` is what errno stopped.
  [[noreturn]] void Fail(const char* step) {
    InitEvent event{InitEvent::Kind::kFailed, 0, errno};
    std::snprintf(event.step, sizeof(event.step), "%s", step);
    Tell(event);
    End();
  }

  // In a namespace the kernel takes everything with its init; else hunt until nothing is left.
  [[noreturn]] void End() {
    if (!in_namespace_) {
      EndDescendants();
    }
    _exit(0);
  }

  void Tell(const InitEvent& event) const {
    if (send(shim_, &event, sizeof(event), MSG_NOSIGNAL) < 0) {
      _exit(1);  // no shim, no task
    }
  }

  const TaskFile& task_;
  const RankStreams& streams_;
  const int notices_;
  const GroupEntry& groups_;
  const std::vector<char*> argv_;
  const int shim_;
  const bool in_namespace_;
  int child_signal_ = -1;
  std::map<pid_t, int32_t> ranks_;  // that have not ended
};

// As fork, with namespaces. The caller has one thread.
pid_t CloneProcess(uint64_t flags) {
  return static_cast<pid_t>(syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, 0));
}

}  // namespace

TaskInit StartTaskInit(const TaskFile& task, const RankStreams& streams, int notices) {
  TaskInit init;
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return init;
  }
  const GroupEntry groups(task.sandbox.groups);
  init.in_namespace = true;
  init.pid = CloneProcess(CLONE_NEWPID | CLONE_NEWNS |
                          static_cast<uint64_t>(task.sandbox.namespaces & ~CLONE_NEWCGROUP));
  const bool may_share = task.sandbox.namespaces == 0 && task.sandbox.private_mounts == 0;
  if (init.pid < 0 && may_share && (errno == EPERM || errno == EINVAL || errno == ENOSPC)) {
    init.in_namespace = false;
    init.pid = CloneProcess(0);
  }
  if (init.pid == 0) {
    close(sockets[0]);
    init.socket = sockets[1];
    Init(task, streams, groups, init, notices).Run();
  }
  close(sockets[1]);
  init.socket = sockets[0];
  return init;
}

}  // namespace berth
