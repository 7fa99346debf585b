#include "client/job_session.h"

#include <atomic>
#include <cerrno>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"

#include "client/exit_codes.h"
#include "client/text.h"
#include "client/unreachable.h"
#include "common/error_detail.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int kSignalKill = 9;
constexpr int kSignalPipe = 13;

// The caller's terminal passes every key on while this lives.
class RawTerminal {
 public:
  explicit RawTerminal(int file) : file_(file), is_raw_(tcgetattr(file, &before_) == 0) {
    if (is_raw_) {
      termios raw = before_;
      cfmakeraw(&raw);
      tcsetattr(file_, TCSADRAIN, &raw);
    }
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() {
    if (is_raw_) {
      tcsetattr(file_, TCSADRAIN, &before_);
    }
  }

 private:
  const int file_;
  termios before_{};
  const bool is_raw_;
};

v1::TerminalSize SizeOf(int terminal) {
  winsize cells{};
  v1::TerminalSize size;
  if (ioctl(terminal, TIOCGWINSZ, &cells) == 0) {
    size.set_rows(cells.ws_row);
    size.set_columns(cells.ws_col);
  }
  return size;
}

// What signals to this program do to the command.
class SignalPasser {
 public:
  SignalPasser(JobChannel& channel, int terminal) : channel_(channel), terminal_(terminal) {}

  // On the watcher's thread; 0: none came.
  void OnSignal(int number) {
    v1::ChannelInput frame;
    resized_ = resized_ || (number == SIGWINCH && terminal_ >= 0);
    if (resized_) {
      // While input is on its way it must wait: it is tried again when no signal comes.
      *frame.mutable_size() = SizeOf(terminal_);
      resized_ = !channel_.TryWrite(frame);
    }
    if (number == 0 || number == SIGWINCH) {
      return;
    }
    // A second one, or one that cannot be passed on because the command does not read its input,
    // ends the command for certain.
    const bool again = std::exchange(last_, number) == number;
    frame.set_signal(number);
    const bool passes = number == SIGINT || number == SIGQUIT;
    if (!passes || again || !channel_.TryWrite(frame)) {
      ended_by_ = number;
      channel_.Cancel();
    }
  }

  // The signal that ended the session; 0: none.
  int ended_by() const { return ended_by_; }

 private:
  JobChannel& channel_;
  const int terminal_;
  int last_ = 0;
  bool resized_ = false;  // and not told yet
  std::atomic<int> ended_by_ = 0;
};

absl::Status JobEnded() {
  return MakeError(absl::StatusCode::kAborted,
                   {.code = "B4304",
                    .message = "the job has ended, and with it what ran inside",
                    .why = "",
                    .fix = "berth show JOB says how it ended"});
}

absl::Status NotStarted(const v1::ChannelEnd& end) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B4305", .message = CleanText(end.error()), .why = "", .fix = ""});
}

struct SessionEnd {
  bool opened = false;
  std::optional<v1::ChannelEnd> end;
};

SessionEnd ReadAll(JobChannel& channel, const JobStreams& streams) {
  SessionEnd result;
  v1::ChannelOutput output;
  while (!result.end.has_value() && channel.Read(output)) {
    bool goes_on = true;
    switch (output.kind_case()) {
      case v1::ChannelOutput::kNode:
        result.opened = true;
        break;
      case v1::ChannelOutput::kData:
        goes_on = streams.take_output(output.data());
        break;
      case v1::ChannelOutput::kErrorData:
        goes_on = streams.take_error_output(output.error_data());
        break;
      case v1::ChannelOutput::kEnd:
        result.end = output.end();
        break;
      case v1::ChannelOutput::kChannelId:
      case v1::ChannelOutput::KIND_NOT_SET:
        break;
    }
    if (!goes_on) {
      channel.Cancel();
    }
  }
  return result;
}

InsideEnd ToInsideEnd(Context& context, const v1::ChannelEnd& end) {
  if (end.job_ended()) {
    context.PrintError(JobEnded());
    return {InsideEnd::How::kJob, kExitSignalBase + kSignalKill};
  }
  if (!end.error().empty()) {
    context.PrintError(NotStarted(end));
    return {InsideEnd::How::kCommand, end.exit_code()};
  }
  return {InsideEnd::How::kCommand,
          end.signal() != 0 ? kExitSignalBase + end.signal() : end.exit_code()};
}

}  // namespace

JobSignals::JobSignals() : InterruptWatcher({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}) {}

bool CanPassTerminal(Context& context, absl::string_view what) {
  const bool can = isatty(context.input) == 1;
  if (!can) {
    context.PrintNotes({absl::StrCat("the ", what, " gets no terminal: the input here is none")});
  }
  return can;
}

bool FeedFrom(int input, int stop, JobChannel& channel) {
  std::string bytes(JobChannel::kPieceBytes, '\0');
  while (true) {
    pollfd fds[2] = {
        {input, POLLIN, 0},
        {stop,  POLLIN, 0}
    };
    if (poll(fds, 2, -1) < 0 && errno == EINTR) {
      continue;
    }
    if (fds[1].revents != 0) {
      return true;
    }
    const ssize_t size = read(input, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) {
      continue;
    }
    v1::ChannelInput frame;
    if (size <= 0) {
      frame.set_end_of_data(true);
      return channel.Write(frame);
    }
    frame.set_data(bytes.data(), static_cast<size_t>(size));
    if (!channel.Write(frame)) {
      return false;
    }
  }
}

absl::StatusOr<InsideEnd> RunInJob(Context& context, const v1::EnterJobRequest& request,
                                   const JobStreams& streams, JobSignals& signals) {
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  const std::unique_ptr<JobChannel> channel = api->EnterJob(request);
  SignalPasser passer(*channel, request.command().terminal() ? context.input : -1);
  signals.Start([&](int number) { passer.OnSignal(number); });
  std::thread feeder([&] { streams.feed(*channel); });
  const SessionEnd result = ReadAll(*channel, streams);
  if (result.end.has_value()) {
    // Input that is still on its way has no reader.
    channel->Cancel();
  }
  const absl::Status status = channel->Finish();
  streams.stop_feed();
  feeder.join();
  signals.Stop();
  if (passer.ended_by() != 0) {
    return InsideEnd{InsideEnd::How::kSignal, kExitSignalBase + passer.ended_by()};
  }
  if (result.end.has_value()) {
    return ToInsideEnd(context, *result.end);
  }
  if (channel->was_cancelled()) {
    // Its output is taken no more, or its input cannot be had: who did that tells why.
    return InsideEnd{InsideEnd::How::kSignal, kExitSignalBase + kSignalPipe};
  }
  if (result.opened && (IsUnreachable(status) || absl::IsCancelled(status))) {
    context.PrintError(status);
    return InsideEnd{InsideEnd::How::kLost, kExitServerLost};
  }
  RETURN_IF_ERROR(status);
  return InsideEnd{InsideEnd::How::kLost, kExitServerLost};
}

absl::StatusOr<InsideEnd> RunInJobHere(Context& context, v1::EnterJobRequest request,
                                       bool with_input, JobSignals& signals) {
  std::optional<RawTerminal> raw;
  v1::EnterJobRequest::Command& command = *request.mutable_command();
  if (command.terminal()) {
    *command.mutable_size() = SizeOf(context.input);
    command.set_terminal_type(Variable(context.environment, "TERM"));
  }
  const int stop = eventfd(0, EFD_CLOEXEC);
  if (with_input && command.terminal()) {
    raw.emplace(context.input);
  }
  const auto end = RunInJob(context, request,
                            {.feed =
                                 [&](JobChannel& channel) {
                                   if (with_input) {
                                     FeedFrom(context.input, stop, channel);
                                     return;
                                   }
                                   v1::ChannelInput end;
                                   end.set_end_of_data(true);
                                   channel.Write(end);
                                 },
                             .stop_feed =
                                 [&] {
                                   raw.reset();
                                   const uint64_t one = 1;
                                   const ssize_t written = write(stop, &one, sizeof(one));
                                   static_cast<void>(written);
                                 },
                             .take_output =
                                 [&](const std::string& data) {
                                   context.console.Out(data);
                                   return context.console.Flush();
                                 },
                             .take_error_output =
                                 [&](const std::string& data) {
                                   context.console.Err(data);
                                   return true;
                                 }},
                            signals);
  close(stop);
  return end;
}

}  // namespace berth
