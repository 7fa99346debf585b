#ifndef BERTH_SIM_BENCH_PROCESS_EVENTS_H_
#define BERTH_SIM_BENCH_PROCESS_EVENTS_H_

// Births, programs and deaths of all processes of the machine with the kernel's own times, from its
// process events connector (linux/cn_proc.h). Nothing of what is measured has to take part.

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <sys/types.h>

namespace berth {

struct ProcessEvent {
  enum class Kind { kFork, kExec, kExit };
  Kind kind = Kind::kFork;
  pid_t pid = 0;
  pid_t parent = 0;   // of a fork
  absl::Duration at;  // since a moment that all events share
};

// One thread.
class ProcessEvents {
 public:
  // An error where the kernel does not tell: it takes CONFIG_PROC_EVENTS, and root.
  static absl::StatusOr<std::unique_ptr<ProcessEvents>> Listen();
  ProcessEvents(const ProcessEvents&) = delete;
  ProcessEvents& operator=(const ProcessEvents&) = delete;
  ~ProcessEvents();

  // What has happened since the last call, in order; threads left out. ResourceExhausted: it was
  // more than the kernel keeps, and some is lost.
  absl::StatusOr<std::vector<ProcessEvent>> Take();

 private:
  explicit ProcessEvents(int socket) : socket_(socket) {}
  const int socket_;
};

}  // namespace berth

#endif  // BERTH_SIM_BENCH_PROCESS_EVENTS_H_
