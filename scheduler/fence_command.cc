#include "scheduler/fence_command.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "common/check.h"
#include "common/quantity.h"
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr size_t kOutputKept = 4096;  // of its end
constexpr size_t kLineShown = 200;

std::string Reason(int error) {
  return std::generic_category().message(error);
}

// One run. Its output is read while it runs, so that it never waits for a reader.
class FenceRun {
 public:
  FenceRun(const std::vector<std::string>& command, const std::string& node)
      : arguments_(command), environment_{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"} {
    arguments_.push_back(node);
    environment_.push_back(absl::StrCat("BERTH_NODE_NAME=", node));
  }
  FenceRun(const FenceRun&) = delete;
  FenceRun& operator=(const FenceRun&) = delete;
  ~FenceRun() {
    for (const int descriptor : {output_, process_}) {
      if (descriptor >= 0) {
        close(descriptor);
      }
    }
  }

  // Nothing: it was stopped.
  std::optional<std::string> Do(absl::Duration timeout, int stop_event) {
    if (const int error = Start(); error != 0) {
      return absl::StrCat("cannot start ", arguments_.front(), ": ", Reason(error));
    }
    const bool has_ended = AwaitEnd(absl::Now() + timeout, stop_event);
    if (!has_ended) {
      kill(-pid_, SIGKILL);
    }
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    ReadOutput();
    if (is_stopped_) {
      return std::nullopt;
    }
    return has_ended ? FailureOf(status)
                     : absl::StrCat("it did not end within ", berth::FormatDuration(timeout));
  }

 private:
  static std::vector<char*> Pointers(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) {
      pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    return pointers;
  }

  // In a process group of its own. Returns an errno.
  int Start() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
      return errno;
    }
    output_ = ends[0];
    fcntl(output_, F_SETFL, O_NONBLOCK);  // this end only: the command's writes wait
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigaddset(&signals, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const int error = posix_spawn(&pid_, arguments_.front().c_str(), &actions, &attributes,
                                  Pointers(arguments_).data(), Pointers(environment_).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error == 0) {
      process_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
      BERTH_CHECK(process_ >= 0);
    }
    return error;
  }

  // False: the time is over, or it is stopped.
  bool AwaitEnd(absl::Time deadline, int stop_event) {
    pollfd events[] = {
        {process_,   POLLIN, 0},
        {output_,    POLLIN, 0},
        {stop_event, POLLIN, 0}
    };
    while (true) {
      const absl::Duration left = absl::Ceil(deadline - absl::Now(), absl::Milliseconds(1));
      if (left <= absl::ZeroDuration()) {
        return false;
      }
      poll(events, std::size(events), static_cast<int>(absl::ToInt64Milliseconds(left)));
      if (events[0].revents != 0) {
        return true;
      }
      if (events[2].revents != 0) {
        is_stopped_ = true;
        return false;
      }
      if (events[1].revents != 0 && !ReadOutput()) {
        events[1].fd = -1;  // it has closed its output, and may go on
      }
    }
  }

  // Returns: whether more may come.
  bool ReadOutput() {
    char chunk[1024];
    ssize_t size = 0;
    while ((size = read(output_, chunk, sizeof(chunk))) > 0) {
      text_.append(chunk, static_cast<size_t>(size));
      if (text_.size() > kOutputKept) {
        text_.erase(0, text_.size() - kOutputKept);
      }
    }
    return size < 0 && (errno == EAGAIN || errno == EINTR);
  }

  std::string FailureOf(int status) const {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      return "";
    }
    const std::string how = WIFSIGNALED(status) ? absl::StrCat("signal ", WTERMSIG(status))
                                                : absl::StrCat("exit code ", WEXITSTATUS(status));
    const std::string line = LastLine();
    return line.empty() ? how : absl::StrCat(how, ": ", line);
  }

  // Printable.
  std::string LastLine() const {
    const std::string text(absl::StripAsciiWhitespace(text_));
    const size_t line_end = text.rfind('\n');
    std::string line = line_end == std::string::npos ? text : text.substr(line_end + 1);
    std::replace_if(
        line.begin(), line.end(), [](char c) { return !absl::ascii_isprint(c); }, '?');
    return line.substr(0, kLineShown);
  }

  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  pid_t pid_ = -1;
  int output_ = -1;
  int process_ = -1;
  bool is_stopped_ = false;
  std::string text_;
};

}  // namespace

FenceCommand::FenceCommand(std::vector<std::string> command, absl::Duration timeout)
    : command_(std::move(command)),
      timeout_(timeout),
      stop_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  BERTH_CHECK(!command_.empty() && stop_event_ >= 0);
}

FenceCommand::~FenceCommand() {
  eventfd_write(stop_event_, 1);
  for (Running& running : running_) {
    running.thread.join();
  }
  close(stop_event_);
}

void FenceCommand::Run(const std::string& node, Ended ended) {
  JoinEnded();
  Running& running = running_.emplace_back();
  running.thread = std::thread([this, &running, node, ended = std::move(ended)] {
    const std::optional<std::string> failure = FenceRun(command_, node).Do(timeout_, stop_event_);
    if (failure.has_value()) {
      ended(*failure);
    }
    running.is_over = true;
  });
}

void FenceCommand::JoinEnded() {
  for (auto running = running_.begin(); running != running_.end();) {
    if (!running->is_over) {
      ++running;
      continue;
    }
    running->thread.join();
    running = running_.erase(running);
  }
}

}  // namespace berth
