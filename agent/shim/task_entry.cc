#include "agent/shim/task_entry.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "agent/shim/local_socket.h"
#include "agent/shim/process_tree.h"
#include "agent/shim/sandbox.h"
#include "agent/shim/shim_protocol.h"
#include "agent/shim/task_group.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr char kEnterWord[] = "--enter";
constexpr size_t kFixedWords = 8;

struct Namespace {
  const char* name;
  int flag;
};
constexpr Namespace kNamespaces[] = {
    {"mnt",    CLONE_NEWNS    },
    {"ipc",    CLONE_NEWIPC   },
    {"uts",    CLONE_NEWUTS   },
    {"cgroup", CLONE_NEWCGROUP},
    {"net",    CLONE_NEWNET   },
};

std::string ReadNamespace(const std::string& process, const char* name) {
  char target[64] = {};
  const std::string path = "/proc/" + process + "/ns/" + name;
  return readlink(path.c_str(), target, sizeof(target) - 1) > 0 ? target : "";
}

// Whether the process has another one than the caller. What cannot be read is not its own: a task
// has namespaces where the agent is root, who may read all.
bool Differs(int process, const char* name) {
  const std::string other = ReadNamespace(std::to_string(process), name);
  return !other.empty() && other != ReadNamespace("self", name);
}

// With the descriptor, if there is one.
bool SendEvent(const EntryEvent& event, int descriptor) {
  return descriptor >= 0
             ? SendDescriptor(kEntryAgentDescriptor, &event, sizeof(event), descriptor, 0)
             : send(kEntryAgentDescriptor, &event, sizeof(event), MSG_NOSIGNAL) >= 0;
}

[[noreturn]] void Fail(EntryEvent::Kind kind, const char* step) {
  EntryEvent event{kind, errno, {}};
  std::snprintf(event.step, sizeof(event.step), "%s", step);
  SendEvent(event, -1);
  EndDescendants();
  _exit(1);
}

class Guard {
 public:
  Guard(const EntryOrder& order, const TaskFile& task, const GroupEntry& groups)
      : order_(order), task_(task), groups_(groups) {}

  [[noreturn]] void Run() {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    Enter();
    if (order_.port > 0) {
      Connect();
    }
    OpenTerminal();
    StartCommand();
    Supervise();
    EndDescendants();
    if (exited_) {
      SendEvent({EntryEvent::Kind::kExited, status_, {}}, -1);
    }
    _exit(0);
  }

 private:
  // As the task's init did, but into what that has made. The groups first: from inside the task's
  // cgroup namespace they cannot be entered where such namespaces are borders (nsdelegate).
  void Enter() const {
    if (!groups_.Enter()) {
      Fail(EntryEvent::Kind::kFailed, "enter its control groups");
    }
    int flags = 0;
    for (const Namespace& one : kNamespaces) {
      flags |= Differs(order_.init, one.name) ? one.flag : 0;
    }
    if (flags != 0 && setns(kEntryInitDescriptor, flags) != 0) {
      Fail(EntryEvent::Kind::kFailed, "join the task's namespaces");
    }
    close(kEntryInitDescriptor);
    if (const char* failed = DropPrivileges(task_)) {
      Fail(EntryEvent::Kind::kFailed, failed);
    }
  }

  [[noreturn]] void Connect() const {
    const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(order_.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connection < 0 ||
        connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      Fail(EntryEvent::Kind::kFailed, "connect to the port");
    }
    SendEvent({}, connection);
    _exit(0);
  }

  // The task's own: it is in its /dev, and its user's.
  void OpenTerminal() {
    if (order_.rows == 0) {
      return;
    }
    const int unlocked = 0;
    winsize size{};
    size.ws_row = static_cast<unsigned short>(order_.rows);
    size.ws_col = static_cast<unsigned short>(order_.columns);
    terminal_ = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal_ < 0 || ioctl(terminal_, TIOCSPTLCK, &unlocked) != 0 ||
        ioctl(terminal_, TIOCSWINSZ, &size) != 0) {
      Fail(EntryEvent::Kind::kFailed, "open a terminal");
    }
  }

  void StartCommand() {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, nullptr);
    child_signal_ = signalfd(-1, &child, SFD_CLOEXEC);
    int failures[2];
    if (pipe2(failures, O_CLOEXEC) != 0) {
      Fail(EntryEvent::Kind::kFailed, "make a pipe");
    }
    command_ = fork();
    if (command_ < 0) {
      Fail(EntryEvent::Kind::kFailed, "start a process");
    }
    if (command_ == 0) {
      Execute(failures[1]);
    }
    close(failures[1]);
    // Else the ends of the command's pipes would outlive it.
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      close(stream);
    }
    EntryEvent failure;
    if (read(failures[0], &failure, sizeof(failure)) == sizeof(failure)) {
      errno = failure.status;
      Fail(failure.kind, failure.step);
    }
    close(failures[0]);
    SendEvent({}, terminal_);
    if (terminal_ >= 0) {
      close(terminal_);
    }
  }

  std::vector<std::string> Environment() const {
    std::vector<std::string> environment;
    for (const std::string& variable : task_.ranks[static_cast<size_t>(order_.rank)].environment) {
      if (order_.terminal_type.empty() || variable.compare(0, 5, "TERM=") != 0) {
        environment.push_back(variable);
      }
    }
    if (!order_.terminal_type.empty()) {
      environment.push_back("TERM=" + order_.terminal_type);
    }
    return environment;
  }

  [[noreturn]] void Execute(int failures) const {
    setsid();
    ResetSignals();
    EntryEvent failure{EntryEvent::Kind::kFailed, 0, "give the command its terminal"};
    if (TakeTerminal()) {
      std::snprintf(failure.step, sizeof(failure.step), "enter the working directory");
      if (chdir(task_.working_directory.c_str()) == 0) {
        const std::vector<std::string> variables = Environment();
        std::vector<char*> environment = Pointers(variables);
        environ = environment.data();
        failure.kind = EntryEvent::Kind::kExecFailed;
        execvp(order_.argv[0].c_str(), Pointers(order_.argv).data());
      }
    }
    failure.status = errno;
    const ssize_t told = write(failures, &failure, sizeof(failure));
    static_cast<void>(told);
    _exit(kExitNotExecutable);
  }

  bool TakeTerminal() const {
    if (terminal_ < 0) {
      return true;
    }
    const int own = ioctl(terminal_, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    return own >= 0 && ioctl(own, TIOCSCTTY, 0) == 0 && dup2(own, STDIN_FILENO) >= 0 &&
           dup2(own, STDOUT_FILENO) >= 0 && dup2(own, STDERR_FILENO) >= 0 &&
           (own <= STDERR_FILENO || close(own) == 0);
  }

  // Until the command or the conversation has ended.
  void Supervise() {
    pollfd fds[2] = {
        {child_signal_,         POLLIN, 0},
        {kEntryAgentDescriptor, POLLIN, 0}
    };
    while (!exited_) {
      if (poll(fds, 2, -1) < 0) {
        continue;
      }
      if (fds[0].revents != 0) {
        Reap();
      }
      EntryCommand command;
      if (fds[1].revents != 0) {
        if (recv(kEntryAgentDescriptor, &command, sizeof(command), 0) <= 0) {
          return;
        }
        kill(-command_, command.signal);
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
      if (pid == command_) {
        exited_ = true;
        status_ = status;
      }
    }
  }

  const EntryOrder& order_;
  const TaskFile& task_;
  const GroupEntry& groups_;
  int terminal_ = -1;  // the master
  int child_signal_ = -1;
  pid_t command_ = -1;
  bool exited_ = false;
  int status_ = 0;
};

// As the shim was told, with the environments of the start.
std::optional<TaskFile> ReadTask(const std::string& path, int rank) {
  const int folder = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const auto bytes = ReadFileAt(folder, kTaskFileName);
  const auto start = ReadFileAt(folder, kStartFileName);
  close(folder);
  auto task = bytes.has_value() ? DecodeTaskFile(*bytes) : std::nullopt;
  if (!task.has_value() || rank < 0 || rank >= static_cast<int>(task->ranks.size())) {
    return std::nullopt;
  }
  if (task->start_at_once == 0) {
    auto environments = start.has_value() ? DecodeStartFile(*start) : std::nullopt;
    if (!environments.has_value() || environments->size() != task->ranks.size()) {
      return std::nullopt;
    }
    for (size_t i = 0; i < environments->size(); ++i) {
      task->ranks[i].environment = std::move((*environments)[i]);
    }
  }
  return task;
}

}  // namespace

std::vector<std::string> EncodeEntryOrder(const EntryOrder& order) {
  std::vector<std::string> words = {kEnterWord,
                                    order.folder,
                                    std::to_string(order.rank),
                                    std::to_string(order.init),
                                    std::to_string(order.port),
                                    std::to_string(order.rows),
                                    std::to_string(order.columns),
                                    order.terminal_type};
  words.insert(words.end(), order.argv.begin(), order.argv.end());
  return words;
}

bool DecodeEntryOrder(const std::vector<std::string>& words, EntryOrder& order) {
  if (words.size() < kFixedWords || words[0] != kEnterWord) {
    return false;
  }
  order.folder = words[1];
  order.rank = std::atoi(words[2].c_str());
  order.init = std::atoi(words[3].c_str());
  order.port = std::atoi(words[4].c_str());
  order.rows = std::atoi(words[5].c_str());
  order.columns = std::atoi(words[6].c_str());
  order.terminal_type = words[7];
  order.argv.assign(words.begin() + kFixedWords, words.end());
  return order.port > 0 || !order.argv.empty();
}

int EnterTask(const EntryOrder& order) {
  fcntl(kEntryAgentDescriptor, F_SETFD, FD_CLOEXEC);
  fcntl(kEntryInitDescriptor, F_SETFD, FD_CLOEXEC);
  const auto task = ReadTask(order.folder, order.rank);
  if (!task.has_value()) {
    errno = ENOENT;
    Fail(EntryEvent::Kind::kFailed, "read what the task was started with");
  }
  const GroupEntry groups(task->sandbox.groups);
  if (Differs(order.init, "pid") && setns(kEntryInitDescriptor, CLONE_NEWPID) != 0) {
    Fail(EntryEvent::Kind::kFailed, "join the task's processes");
  }
  const pid_t guard = fork();
  if (guard < 0) {
    Fail(EntryEvent::Kind::kFailed, "start a process");
  }
  if (guard == 0) {
    Guard(order, *task, groups).Run();
  }
  // Only the guard's and the command's ends count.
  for (int descriptor = STDIN_FILENO; descriptor <= kEntryInitDescriptor; ++descriptor) {
    close(descriptor);
  }
  waitpid(guard, nullptr, 0);
  return 0;
}

}  // namespace berth
