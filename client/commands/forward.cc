#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/interrupt.h"
#include "client/job_rank.h"
#include "client/port_forwarder.h"
#include "client/text.h"
#include "client/unreachable.h"
#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int kPortMax = 65535;
// How often it is looked whether the job still runs.
constexpr absl::Duration kLook = absl::Seconds(2);

struct Ports {
  int local = 0;
  int remote = 0;
};

absl::StatusOr<Ports> ParsePorts(const Word& word) {
  const std::vector<std::string> parts = absl::StrSplit(word.text, absl::MaxSplits(':', 1));
  Ports ports;
  if (!absl::SimpleAtoi(parts.back(), &ports.remote) ||
      !absl::SimpleAtoi(parts.front(), &ports.local) || ports.remote < 1 ||
      ports.remote > kPortMax || ports.local < 0 || ports.local > kPortMax) {
    return ErrorAt(word.origin, absl::StrCat("\"", CleanText(word.text), "\" is no port"),
                   "write PORT or LOCAL:PORT, e.g. 8080:6006; LOCAL may be 0 for any free one");
  }
  return ports;
}

bool StillRuns(const v1::Job& job) {
  return job.state() == v1::JOB_STATE_RUNNING || job.state() == v1::JOB_STATE_STOPPING;
}

// Until the job does not run any more, or `stop` is notified. Returns the last it knew.
absl::StatusOr<v1::Job> WatchJob(ApiClient& api, uint64_t id, absl::Notification& stop) {
  v1::GetJobRequest request;
  request.set_job_id(id);
  while (true) {
    const auto response = api.GetJob(request);
    if (response.ok() && !StillRuns(response->job())) {
      return response->job();
    }
    if (!response.ok() && !IsUnreachable(response.status())) {
      return response.status();
    }
    if (stop.WaitForNotificationWithTimeout(kLook)) {
      return response.ok() ? response->job() : v1::Job();
    }
  }
}

absl::Status CheckRuns(const v1::Job& job) {
  if (StillRuns(job)) {
    return absl::OkStatus();
  }
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B4303",
                    .message = absl::StrCat("job ", job.id(), " does not run"),
                    .why = "a job can be entered while it runs",
                    .fix = absl::StrCat("berth show ", job.id())});
}

absl::StatusOr<int> RunForward(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 2, 2,
                                 "the job and its port, e.g. `berth forward 4812 6006`"));
  ASSIGN_OR_RETURN(const Ports ports, ParsePorts(context.arguments.words[1]));
  InterruptWatcher watcher;
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const JobRank place, FindJobRank(*api, context.arguments.words[0]));
  v1::GetJobRequest get;
  get.set_job_id(place.job);
  ASSIGN_OR_RETURN(const v1::GetJobResponse response, api->GetJob(get));
  RETURN_IF_ERROR(CheckRuns(response.job()));
  v1::EnterJobRequest request;
  request.set_job_id(place.job);
  request.set_rank(place.rank);
  request.set_port(static_cast<uint32_t>(ports.remote));
  absl::Mutex console_mu;
  ASSIGN_OR_RETURN(const std::unique_ptr<PortForwarder> forwarder,
                   PortForwarder::Listen(*api, ports.local, request, [&](const absl::Status& why) {
                     absl::MutexLock lock(&console_mu);
                     context.PrintError(why);
                   }));
  {
    absl::MutexLock lock(&console_mu);
    context.console.Err(absl::StrCat("forwarding 127.0.0.1:", forwarder->local_port(), " to port ",
                                     ports.remote, " of job ", place.job, "; Ctrl-C stops it\n"));
  }
  watcher.Start([&](int signal) {
    if (signal != 0) {
      forwarder->Stop();
    }
  });
  absl::Notification stop;
  absl::StatusOr<v1::Job> last = v1::Job();
  std::thread watching([&] {
    last = WatchJob(*api, place.job, stop);
    forwarder->Stop();
  });
  forwarder->Run();
  stop.Notify();
  watching.join();
  RETURN_IF_ERROR(last.status());
  if (last->id() != 0 && !StillRuns(*last)) {
    context.console.Err(absl::StrCat("job ", place.job, " does not run any more\n"));
  }
  return kExitDone;
}

}  // namespace

const Command kForwardCommand = {
    .name = "forward",
    .plural = nullptr,
    .group = CommandGroup::kInside,
    .summary = "reach a port of a running job from this machine",
    .usage = "JOB[/RANK] [LOCAL:]PORT",
    .examples =
        "berth forward 4812 6006\n"
        "berth forward last 8888:6006\n"
        "berth forward 4812/16 0:29500\n",
    .options = {},
    .takes_job_options = false,
    .run = RunForward,
};

}  // namespace berth
