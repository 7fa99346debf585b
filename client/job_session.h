#ifndef BERTH_CLIENT_JOB_SESSION_H_
#define BERTH_CLIENT_JOB_SESSION_H_

// A command that runs inside a job, with the caller's own streams, signals and terminal.

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "client/command.h"
#include "client/interrupt.h"

namespace berth {

// Where the command's input comes from and its output goes to. The output's functions are called on
// the caller's thread; false ends the command.
struct JobStreams {
  // Called on a thread of its own; it returns when there is no more, or when Write fails.
  std::function<void(JobChannel&)> feed;
  // The command has ended: feed returns soon.
  std::function<void()> stop_feed;
  std::function<bool(const std::string&)> take_output;
  std::function<bool(const std::string&)> take_error_output;
};

// The watcher of the signals that RunInJob passes on. Make it before the context's first call; it
// watches for one at a time.
class JobSignals : public InterruptWatcher {
 public:
  JobSignals();
};

// How a command inside a job ended, and the client's exit code for that.
struct InsideEnd {
  enum class How {
    kCommand,  // by itself, or it could not be started; its exit code, or 128 and its signal
    kJob,      // with the job, which is said; 137
    kSignal,   // by a signal to this program; 128 and that
    kLost,     // with the way to it, which is said; 125
  };
  How how = How::kCommand;
  int code = 0;
};

// Whether the caller's input is a terminal; if not, says that `what` gets none: the end of a pipe
// or a file cannot be told for certain to a program at a terminal, which may read it as a key.
bool CanPassTerminal(Context& context, absl::string_view what);

// Passes on what is read from `input`, and its end, until `stop` becomes readable. False: something
// of that could not be passed.
bool FeedFrom(int input, int stop, JobChannel& channel);

// Runs the command of `request` to its end.
absl::StatusOr<InsideEnd> RunInJob(Context& context, const v1::EnterJobRequest& request,
                                   const JobStreams& streams, JobSignals& signals);

// The same with the caller's streams. `with_input`: else the command has none.
absl::StatusOr<InsideEnd> RunInJobHere(Context& context, v1::EnterJobRequest request,
                                       bool with_input, JobSignals& signals);

}  // namespace berth

#endif  // BERTH_CLIENT_JOB_SESSION_H_
