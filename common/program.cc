#include "common/program.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iterator>
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

constexpr size_t kLineShown = 200;
constexpr absl::Duration kPollMost = absl::Hours(1);

std::string Reason(int error) {
  return std::generic_category().message(error);
}

// Its output is read while it runs, so that it never waits for a reader.
class Program {
 public:
  explicit Program(const ProgramRun& run)
      : run_(run), arguments_(run.arguments), environment_(run.environment) {
    environment_.emplace_back("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    for (const int descriptor : {output_, process_}) {
      if (descriptor >= 0) {
        close(descriptor);
      }
    }
  }

  absl::StatusOr<std::string> Run() {
    if (const int error = Start(); error != 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot start ", arguments_.front(), ": ", Reason(error)));
    }
    const bool has_ended = AwaitEnd(absl::Now() + run_.timeout);
    if (!has_ended) {
      kill(-pid_, SIGKILL);
    }
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    ReadOutput();
    if (is_stopped_) {
      return absl::CancelledError("it was stopped");
    }
    if (!has_ended) {
      return absl::DeadlineExceededError(
          absl::StrCat("it did not end within ", berth::FormatDuration(run_.timeout)));
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      return text_;
    }
    return absl::AbortedError(FailureOf(status));
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
  bool AwaitEnd(absl::Time deadline) {
    pollfd events[] = {
        {process_,        POLLIN, 0},
        {output_,         POLLIN, 0},
        {run_.stop_event, POLLIN, 0}
    };
    while (true) {
      const absl::Duration left = absl::Ceil(deadline - absl::Now(), absl::Milliseconds(1));
      if (left <= absl::ZeroDuration()) {
        return false;
      }
      poll(events, std::size(events),
           static_cast<int>(absl::ToInt64Milliseconds(std::min(left, kPollMost))));
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
      if (text_.size() > run_.output_max) {
        text_.erase(0, text_.size() - run_.output_max);
      }
    }
    return size < 0 && (errno == EAGAIN || errno == EINTR);
  }

  std::string FailureOf(int status) const {
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

  const ProgramRun& run_;
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  pid_t pid_ = -1;
  int output_ = -1;
  int process_ = -1;
  bool is_stopped_ = false;
  std::string text_;
};

}  // namespace

absl::StatusOr<std::string> RunProgram(const ProgramRun& run) {
  return Program(run).Run();
}

ProgramThreads::ProgramThreads() : stop_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  BERTH_CHECK(stop_event_ >= 0);
}

ProgramThreads::~ProgramThreads() {
  eventfd_write(stop_event_, 1);
  for (Running& running : running_) {
    running.thread.join();
  }
  close(stop_event_);
}

void ProgramThreads::Start(std::function<void()> work) {
  for (auto running = running_.begin(); running != running_.end();) {
    if (!running->is_over) {
      ++running;
      continue;
    }
    running->thread.join();
    running = running_.erase(running);
  }
  Running& running = running_.emplace_back();
  running.thread = std::thread([&running, work = std::move(work)] {
    work();
    running.is_over = true;
  });
}

}  // namespace berth
