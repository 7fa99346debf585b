#include "sim/bench/agent_bench.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

#include "common/status_macros.h"
#include "sim/bench/bench_client.h"
#include "sim/bench/heartbeat_watch.h"
#include "sim/bench/launch_times.h"
#include "sim/bench/local_center.h"
#include "sim/bench/process_events.h"
#include "sim/bench/process_usage.h"
#include "sim/bench/samples.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

// Short, so that a delay shows.
constexpr absl::Duration kHeartbeat = absl::Milliseconds(100);
constexpr absl::Duration kLook = absl::Milliseconds(20);
constexpr absl::Duration kPatience = absl::Minutes(5);
constexpr int64_t kSegmentMib = 64;
constexpr int64_t kBytesPerMb = 1000 * 1000;
constexpr char kLine[] =
    "step 1048576 epoch 12 loss 0.693147 grad_norm 1.414214 lr 3.0e-04 tokens/s 271828 mem 79.3GiB";

struct Step {
  const char* name;
  absl::Duration LaunchTimes::*begin;
  absl::Duration LaunchTimes::*end;
};
constexpr Step kLaunch = {"fork to exec", &LaunchTimes::shim_fork, &LaunchTimes::command_exec};
constexpr Step kSteps[] = {
    {"the shim forks the init", &LaunchTimes::shim_fork,    &LaunchTimes::init_fork   },
    {"the init has a sandbox",  &LaunchTimes::init_fork,    &LaunchTimes::command_fork},
    {"the command runs",        &LaunchTimes::command_fork, &LaunchTimes::command_exec},
    {"the command ends",        &LaunchTimes::command_exec, &LaunchTimes::command_exit},
    {"the init ends",           &LaunchTimes::command_exit, &LaunchTimes::init_exit   },
    {"the shim ends",           &LaunchTimes::init_exit,    &LaunchTimes::shim_exit   },
};

void Print(const Step& step, const std::vector<LaunchTimes>& launches) {
  Samples samples;
  for (const LaunchTimes& launch : launches) {
    samples.Add(launch.*step.end - launch.*step.begin);
  }
  std::printf("  %-26s %s\n", step.name, samples.Summary().c_str());
}

// Of the agent, its shims and all that they start; and of the scheduler.
struct Usage {
  ProcessUsage agent;
  ProcessUsage scheduler;
};

class AgentBench {
 public:
  AgentBench(absl::string_view bin, const AgentBenchOptions& options, const LocalCenter& center)
      : bin_(bin), options_(options), center_(center), client_(center) {}

  absl::Status PrintNode() const {
    ASSIGN_OR_RETURN(const v1::Node node, client_.GetNode());
    const auto& facilities = node.facts().facilities();
    std::printf("tasks are isolated by         %s\n",
                facilities.empty() ? "nothing" : absl::StrJoin(facilities, " ").c_str());
    return absl::OkStatus();
  }

  absl::Status Launches() {
    Watch watch(center_.agent_pid());
    ASSIGN_OR_RETURN(const Usage before, ReadUsage());
    for (int i = 0; i < options_.launches; ++i) {
      ASSIGN_OR_RETURN(const uint64_t job,
                       client_.Submit(JobOf(absl::StrCat("launch-", i), {"/bin/true"})));
      RETURN_IF_ERROR(client_.Await(job, v1::WaitJobRequest::UNTIL_ENDED));
      watch.Look();
    }
    ASSIGN_OR_RETURN(const Usage after, ReadUsage());
    std::printf("true, %d one at a time\n", options_.launches);
    watch.Print();
    PrintUsage(before, after, options_.launches);
    return PrintCommandAlone();
  }

  absl::Status Rate() {
    v1::SubmitJobRequest request = JobOf("rate", {"/bin/true"});
    request.mutable_spec()->mutable_array()->set_count(options_.tasks);
    Watch watch(center_.agent_pid());
    ASSIGN_OR_RETURN(const Usage before, ReadUsage());
    const absl::Time begin = absl::Now();
    ASSIGN_OR_RETURN(const uint64_t array, client_.Submit(request));
    ASSIGN_OR_RETURN(const v1::Job job, AwaitEnd(array, [&] {
                       watch.Look();
                       return absl::OkStatus();
                     }));
    const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
    ASSIGN_OR_RETURN(const Usage after, ReadUsage());
    if (job.array().succeeded() != options_.tasks) {
      return absl::InternalError(absl::StrCat("only ", job.array().succeeded(), " of ",
                                              options_.tasks, " tasks succeeded"));
    }
    std::printf("true, %d in one array, %d at once: submitted, started, ended %.0f /s\n",
                options_.tasks, options_.at_once, options_.tasks / seconds);
    watch.Print();
    PrintUsage(before, after, options_.tasks);
    return absl::OkStatus();
  }

  absl::Status Log() {
    const int64_t bytes = options_.log_mb * kBytesPerMb;
    const std::string command = absl::StrCat("yes '", kLine, "' | head -c ", bytes);
    std::printf("a log of %lld MB, heartbeats every %s\n", static_cast<long long>(options_.log_mb),
                absl::FormatDuration(kHeartbeat).c_str());
    ASSIGN_OR_RETURN(const uint64_t alone, client_.Submit(JobOf("log", {"sh", "-c", command})));
    HeartbeatWatch written(client_, kHeartbeat);
    ASSIGN_OR_RETURN(const v1::Job job, AwaitEnd(alone, [&] { return written.Look(); }));
    PrintFlow("the task writes it", bytes,
              absl::Microseconds(job.ended_at_us() - job.started_at_us()), written);
    RETURN_IF_ERROR(Read("berth logs afterwards", bytes, {"logs", absl::StrCat(alone)}));
    ASSIGN_OR_RETURN(const uint64_t followed,
                     client_.Submit(JobOf("followed", {"sh", "-c", command})));
    return Read("berth logs --follow", bytes, {"logs", "--follow", absl::StrCat(followed)});
  }

 private:
  // Of the launches, as far as the kernel tells of them.
  class Watch {
   public:
    explicit Watch(pid_t agent) : launches_(agent), events_(ProcessEvents::Listen()) {}
    void Look() {
      auto events = events_.ok() ? (*events_)->Take() : events_.status();
      if (events.ok()) {
        launches_.Add(*events);
      } else if (events_.ok()) {
        events_ = events.status();
      }
    }
    void Print() {
      Look();
      if (launches_.whole().empty()) {
        std::printf("  %-26s not measured: %s\n", kLaunch.name,
                    std::string(events_.status().message()).c_str());
        return;
      }
      berth::Print(kLaunch, launches_.whole());
      for (const Step& step : kSteps) {
        berth::Print(step, launches_.whole());
      }
    }

   private:
    LaunchWatch launches_;
    absl::StatusOr<std::unique_ptr<ProcessEvents>> events_;
  };

  absl::StatusOr<Usage> ReadUsage() const {
    Usage usage;
    ASSIGN_OR_RETURN(usage.agent, ReadProcessUsage(center_.agent_pid()));
    ASSIGN_OR_RETURN(usage.scheduler, ReadProcessUsage(center_.scheduler_pid()));
    return usage;
  }

  static void PrintUsage(const Usage& before, const Usage& after, int tasks) {
    const absl::Duration agent = after.agent.own - before.agent.own;
    // The shims' template lives as long as the agent.
    const absl::Duration started =
        after.agent.reaped - before.agent.reaped + after.agent.children - before.agent.children;
    const absl::Duration scheduler = after.scheduler.own - before.scheduler.own;
    const auto each = [tasks](absl::Duration all) {
      return absl::ToDoubleMilliseconds(all) / tasks;
    };
    std::printf("  %-26s %.2f ms a task: agent %.2f, shim and task %.2f; the scheduler %.2f\n",
                "processor time", each(agent + started), each(agent), each(started),
                each(scheduler));
  }

  // What the command takes whoever starts it: it is part of every task's processor time.
  absl::Status PrintCommandAlone() const {
    const absl::Duration before = UsageOfChildren();
    for (int i = 0; i < options_.launches; ++i) {
      ASSIGN_OR_RETURN(const pid_t pid, StartProcess({"/bin/true"}, "", {}));
      waitpid(pid, nullptr, 0);
    }
    std::printf("  %-26s %.2f ms of that, without agent and shim\n", "the command alone",
                absl::ToDoubleMilliseconds(UsageOfChildren() - before) / options_.launches);
    return absl::OkStatus();
  }

  // Of those that have been waited for.
  static absl::Duration UsageOfChildren() {
    rusage usage{};
    getrusage(RUSAGE_CHILDREN, &usage);
    return absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime);
  }

  // Until the job has ended; `look` is called again and again meanwhile.
  absl::StatusOr<v1::Job> AwaitEnd(uint64_t job, const std::function<absl::Status()>& look) const {
    const absl::Time give_up = absl::Now() + kPatience;
    while (absl::Now() < give_up) {
      ASSIGN_OR_RETURN(const v1::WaitJobResponse response,
                       client_.Wait(job, v1::WaitJobRequest::UNTIL_ENDED, kLook));
      if (response.done()) {
        return response.job();
      }
      RETURN_IF_ERROR(look());
    }
    return absl::DeadlineExceededError(absl::StrCat("job ", job, " did not end"));
  }

  static void PrintFlow(const char* name, int64_t bytes, absl::Duration time,
                        const HeartbeatWatch& heartbeats) {
    std::printf("  %-26s %.0f MB/s; of %d heartbeats the latest came %.1f ms late\n", name,
                static_cast<double>(bytes) / kBytesPerMb / absl::ToDoubleSeconds(time),
                heartbeats.seen(), absl::ToDoubleMilliseconds(heartbeats.latest()));
  }

  // What the client prints, through a pipe that is only counted.
  absl::Status Read(const char* name, int64_t bytes, std::vector<std::string> arguments) const {
    const std::string path = center_.folder() + "/read";
    unlink(path.c_str());
    if (mkfifo(path.c_str(), 0600) != 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot make ", path));
    }
    const int pipe = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    arguments.insert(arguments.begin(), absl::StrCat(bin_, "/berth"));
    HeartbeatWatch heartbeats(client_, kHeartbeat);
    const absl::Time begin = absl::Now();
    ASSIGN_OR_RETURN(const pid_t pid, StartProcess(arguments, path, center_.Environment()));
    const absl::StatusOr<int64_t> counted = Count(pipe, heartbeats);
    close(pipe);
    int status = 0;
    waitpid(pid, &status, 0);
    RETURN_IF_ERROR(counted.status());
    if (status != 0 || *counted < bytes) {
      return absl::InternalError(
          absl::StrCat(name, " ended with ", status, " after ", *counted, " of ", bytes, " bytes"));
    }
    PrintFlow(name, bytes, absl::Now() - begin, heartbeats);
    return absl::OkStatus();
  }

  // The bytes that come until the pipe's writers are gone.
  static absl::StatusOr<int64_t> Count(int pipe, HeartbeatWatch& heartbeats) {
    std::string bytes(1 << 20, '\0');
    int64_t count = 0;
    absl::Time look = absl::Now();
    while (true) {
      if (absl::Now() >= look) {
        RETURN_IF_ERROR(heartbeats.Look());
        look = absl::Now() + kLook;
      }
      pollfd readable{pipe, POLLIN, 0};
      if (poll(&readable, 1, static_cast<int>(absl::ToInt64Milliseconds(kLook))) <= 0) {
        continue;
      }
      const ssize_t got = read(pipe, bytes.data(), bytes.size());
      if (got == 0) {
        return count;
      }
      count += std::max<ssize_t>(got, 0);
    }
  }

  const std::string bin_;
  const AgentBenchOptions& options_;
  const LocalCenter& center_;
  const BenchClient client_;
};

}  // namespace

absl::Status RunAgentBench(absl::string_view bin, const AgentBenchOptions& options) {
  const int64_t segments = options.log_mb / kSegmentMib + 2;
  auto center = LocalCenter::Start(
      bin, {.folder = options.folder,
            .devices = options.at_once,
            .scheduler_tables = absl::StrCat("[nodes]\nheartbeat_interval = \"",
                                             absl::FormatDuration(kHeartbeat), "\"\n"),
            .agent_tables = absl::StrCat("[logs]\nsegment = \"", kSegmentMib,
                                         "MiB\"\nsegments_per_rank = ", segments, "\n")});
  RETURN_IF_ERROR(center.status());
  AgentBench bench(bin, options, **center);
  RETURN_IF_ERROR(bench.PrintNode());
  RETURN_IF_ERROR(bench.Launches());
  RETURN_IF_ERROR(bench.Rate());
  return bench.Log();
}

}  // namespace berth
