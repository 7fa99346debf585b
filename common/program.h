#ifndef BERTH_COMMON_PROGRAM_H_
#define BERTH_COMMON_PROGRAM_H_

// A program run to its end.

#include <atomic>
#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace berth {

struct ProgramRun {
  std::vector<std::string> arguments;    // the program's path first
  std::vector<std::string> environment;  // "K=V", beside PATH
  absl::Duration timeout = absl::InfiniteDuration();
  int stop_event = -1;  // a descriptor: once it can be read, the run is stopped; -1: none
  size_t output_max = 4096;
};

// What it wrote to its output and error output, of which the last `output_max` bytes are kept.
// Otherwise the reason: what it ended with and its last line, or that it did not end in time.
// Cancelled: it was stopped. Then, as after the timeout, it is killed with all that it started.
// Blocks; any thread.
absl::StatusOr<std::string> RunProgram(const ProgramRun& run);

// Threads for work that runs programs. Used from one thread.
class ProgramThreads {
 public:
  ProgramThreads();
  ProgramThreads(const ProgramThreads&) = delete;
  ProgramThreads& operator=(const ProgramThreads&) = delete;
  // Stops the programs that run with its stop_event, and waits for all work.
  ~ProgramThreads();

  int stop_event() const { return stop_event_; }
  // On a thread of its own.
  void Start(std::function<void()> work);

 private:
  struct Running {
    std::thread thread;
    std::atomic<bool> is_over = false;
  };

  const int stop_event_;
  std::list<Running> running_;
};

}  // namespace berth

#endif  // BERTH_COMMON_PROGRAM_H_
