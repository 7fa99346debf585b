#include <algorithm>
#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/array_options.h"
#include "client/commands/commands.h"
#include "client/commands/submit.h"
#include "client/exit_codes.h"
#include "client/follow.h"
#include "client/interrupt.h"
#include "client/job_input.h"
#include "client/terminal_text.h"
#include "client/text.h"
#include "client/unreachable.h"
#include "client/views.h"
#include "common/status_macros.h"
#include <unistd.h>

namespace berth {
namespace {

constexpr absl::Duration kSecondChance = absl::Seconds(5);
constexpr int kLogTries = 3;
constexpr absl::Duration kLogRetryPause = absl::Milliseconds(300);

constexpr Option kRunOptions[] = {
    Value("timeout", "TIME", "leave the job alone after this time, exit 124"),
    Flag("cancel-on-detach", "Ctrl-C cancels the job at once"),
    Flag("raw", "what the job writes, byte for byte, at a terminal, too"),
};

void WriteError(const std::string& text) {
  const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
  static_cast<void>(written);
}

// What Ctrl-C does: the first asks, the second within five seconds cancels; otherwise the job goes
// on alone. Runs on the watcher's thread.
class Detacher {
 public:
  Detacher(ApiClient& api, uint64_t job_id, bool cancel_at_once)
      : api_(api), job_id_(job_id), cancel_at_once_(cancel_at_once) {}

  void OnSignal(int signal) {
    if (cancelled_) {
      return;
    }
    const absl::Time now = absl::Now();
    if (signal == 0) {
      if (now > detach_at_) {
        Detach();
      }
    } else if (cancel_at_once_ || detach_at_ != absl::InfiniteFuture()) {
      Cancel();
    } else if (signal == SIGTERM) {
      Detach();
    } else {
      detach_at_ = now + kSecondChance;
      WriteError(absl::StrCat("\njob ", job_id_, " goes on; Ctrl-C again within ",
                              absl::ToInt64Seconds(kSecondChance), " s cancels it\n"));
    }
  }

 private:
  void Cancel() {
    cancelled_ = true;
    WriteError(absl::StrCat("\ncancelling job ", job_id_, "\n"));
    v1::CancelJobRequest request;
    request.set_job_id(job_id_);
    request.set_reason("interrupted at the terminal");
    if (const auto response = api_.CancelJob(request); !response.ok()) {
      WriteError(RenderError(response.status()));
    }
  }

  [[noreturn]] void Detach() const {
    WriteError(absl::StrCat("detached; → berth logs -f ", job_id_, "\n"));
    _exit(kExitClientTimeout);
  }

  ApiClient& api_;
  const uint64_t job_id_;
  const bool cancel_at_once_;
  bool cancelled_ = false;
  absl::Time detach_at_ = absl::InfiniteFuture();
};

// Follows one job through its attempts to its end.
class JobRunner {
 public:
  JobRunner(Context& context, ApiClient& api, const FollowLimits& limits,
            const v1::SubmitJobResponse& job, bool with_input)
      : context_(context),
        api_(api),
        limits_(limits),
        job_id_(job.job_id()),
        input_(with_input ? std::make_unique<JobInput>(context, api) : nullptr),
        terminal_(context.arguments.Has("raw") || !context.console.out_is_terminal()) {}

  // The job as it ended, or `done` false if the time was over first.
  absl::StatusOr<WaitResult> Follow() {
    while (true) {
      ASSIGN_OR_RETURN(WaitResult result,
                       AwaitStart(context_, api_, job_id_, limits_, said_reason_));
      if (result.done && result.job.has_array()) {
        // All of its tasks have started. It has no log: they have.
        v1::WaitJobRequest end;
        end.set_job_id(job_id_);
        return WaitForJob(api_, end, limits_, nullptr);
      }
      if (!result.done || (IsEnded(result.job.state()) && result.job.started_at_us() == 0)) {
        return result;
      }
      const int32_t attempt = result.job.attempt();
      log_bytes_ = 0;
      if (input_ != nullptr) {
        input_->Start(job_id_);
      }
      CopyAttempt(attempt, true);
      ASSIGN_OR_RETURN(result, AwaitEndOf(std::move(result), attempt));
      if (input_ != nullptr) {
        input_->Stop();
      }
      // What was written after a log stream broke off.
      CopyAttempt(attempt, false);
      context_.console.Out(terminal_.End());
      if (!result.done || IsEnded(result.job.state())) {
        return result;
      }
      context_.console.Err(absl::StrCat("attempt ", attempt, " ended (",
                                        EndReasonWord(result.job.end().reason()),
                                        "); the job waits for another one\n"));
    }
  }

 private:
  // Until the attempt is over: the job ended, or is on its way to another attempt.
  absl::StatusOr<WaitResult> AwaitEndOf(WaitResult result, int32_t attempt) {
    while (result.done && !IsEnded(result.job.state()) && result.job.attempt() == attempt &&
           result.job.state() != v1::JOB_STATE_QUEUED && result.job.state() != v1::JOB_STATE_HELD) {
      v1::WaitJobRequest request;
      request.set_job_id(job_id_);
      request.set_until(v1::WaitJobRequest::UNTIL_CHANGED);
      request.set_known_version(result.job.version());
      ASSIGN_OR_RETURN(result, WaitForJob(api_, request, limits_, nullptr));
    }
    return result;
  }

  // A log that cannot be had is told, but the job's end counts.
  void CopyAttempt(int32_t attempt, bool follow) {
    v1::StreamLogsRequest request;
    request.set_job_id(job_id_);
    request.set_attempt(attempt);
    request.set_rank(0);
    request.set_follow(follow);
    request.set_tail_lines(-1);
    absl::Status status;
    for (int tries = 0; tries < kLogTries; ++tries) {
      request.set_offset_bytes(log_bytes_);
      status = CopyLog(api_, request, limits_, [this](const std::string& data) {
        log_bytes_ += static_cast<int64_t>(data.size());
        context_.console.Out(terminal_.Pass(data));
        context_.console.Flush();
      });
      if (status.ok() || absl::Now() >= limits_.deadline) {
        return;
      }
      absl::SleepFor(kLogRetryPause);
    }
    if (follow || log_bytes_ == 0) {
      context_.console.Err(
          absl::StrCat("note: the log cannot be shown: ", CleanText(status.message()), "\n"));
    }
  }

  Context& context_;
  ApiClient& api_;
  const FollowLimits limits_;
  const uint64_t job_id_;
  const std::unique_ptr<JobInput> input_;  // null: it gets none
  std::string said_reason_;
  int64_t log_bytes_ = 0;  // of the present attempt, shown already
  TerminalText terminal_;  // of the present attempt
};

absl::StatusOr<int> RunRun(Context& context) {
  ASSIGN_OR_RETURN(const FollowLimits limits, FollowLimitsOf(context));
  ASSIGN_OR_RETURN(Submission submission, MakeSubmissionHere(context));
  const v1::JobSpec& spec = submission.request.spec();
  if (spec.open_stdin() && CountTasks(spec.array()) > 0) {
    return ErrorAt({}, "each task of an array has a standard input of its own",
                   "berth submit --stdin, then berth attach JOB.INDEX for each");
  }
  InterruptWatcher watcher;
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const auto submitted, SubmitToFollow(context, *api, submission));
  if (!submitted.has_value()) {
    return kExitDone;
  }
  const v1::SubmitJobResponse& response = *submitted;
  context.console.Err(absl::StrCat("job ", response.job_id(), " submitted\n"));
  context.PrintNotes({response.notes().begin(), response.notes().end()});
  if (const v1::ArraySpec& array = spec.array(); CountTasks(array) > 0) {
    context.console.Err(absl::StrCat("each task has a log of its own: berth logs ",
                                     response.job_id(), ".", RangesOf(array)[0].first(), "\n"));
  }
  Detacher detacher(*api, response.job_id(), context.arguments.Has("cancel-on-detach"));
  watcher.Start([&](int signal) { detacher.OnSignal(signal); });
  const auto result = JobRunner(context, *api, limits, response, spec.open_stdin()).Follow();
  if (!result.ok() && IsUnreachable(result.status())) {
    context.PrintError(result.status());
    return kExitServerLost;
  }
  RETURN_IF_ERROR(result.status());
  if (!result->done) {
    context.console.Err(absl::StrCat("job ", response.job_id(), " goes on without this command\n"));
    return kExitClientTimeout;
  }
  TellEnd(context, result->job);
  return ExitCodeOfJob(result->job);
}

}  // namespace

const Command kRunCommand = {
    .name = "run",
    .plural = nullptr,
    .group = CommandGroup::kRun,
    .summary = "submit, follow the log, exit with the job's code",
    .usage = "FILE [OPTIONS] [-- ARGUMENTS]\n       berth run [OPTIONS] -- COMMAND ARGUMENTS",
    .examples =
        "berth run -- nvidia-smi\n"
        "berth run -d 1 -t 10m -- python smoke.py\n"
        "berth run --timeout 1h train.sh\n",
    .options = kRunOptions,
    .takes_job_options = true,
    .run = RunRun,
};

}  // namespace berth
