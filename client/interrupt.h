#ifndef BERTH_CLIENT_INTERRUPT_H_
#define BERTH_CLIENT_INTERRUPT_H_

// Ctrl-C while a command follows a job.

#include <csignal>
#include <functional>
#include <initializer_list>
#include <thread>

namespace berth {

// Takes signals away from the process and hands them to a thread of its own. Make it before any
// other thread starts.
class InterruptWatcher {
 public:
  explicit InterruptWatcher(std::initializer_list<int> signals = {SIGINT, SIGTERM});
  ~InterruptWatcher();
  InterruptWatcher(const InterruptWatcher&) = delete;
  InterruptWatcher& operator=(const InterruptWatcher&) = delete;

  // Calls `on_signal` with the number of each signal, and with 0 about five times a second.
  void Start(std::function<void(int signal)> on_signal);
  // It is not called any more.
  void Stop();

 private:
  sigset_t signals_{};
  int wake_ = 0;  // one of them
  sigset_t before_{};
  std::jthread thread_;
};

}  // namespace berth

#endif  // BERTH_CLIENT_INTERRUPT_H_
