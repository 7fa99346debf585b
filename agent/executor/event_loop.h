#ifndef BERTH_AGENT_EXECUTOR_EVENT_LOOP_H_
#define BERTH_AGENT_EXECUTOR_EVENT_LOOP_H_

// The agent's one thread: descriptors by epoll, timers on CLOCK_BOOTTIME, and work posted by
// others.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace berth {

class EventLoop {
 public:
  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  // ---- Loop thread (or before Run) ----
  // Calls `ready` while the descriptor is readable or closed. The descriptor stays the caller's.
  void Watch(int descriptor, std::function<void()> ready);
  // Before the descriptor is closed.
  void Unwatch(int descriptor);
  // Once, `delay` from now.
  void RunAfter(absl::Duration delay, std::function<void()> task);

  // ---- Any thread ----
  void Post(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mu_);
  // Run returns after the event at hand.
  void Stop();

  void Run();

 private:
  void RunPosted() ABSL_LOCKS_EXCLUDED(mu_);
  void RunTimers();
  int TimeoutMs() const;

  const int epoll_;
  const int wake_;  // eventfd
  std::map<int, std::shared_ptr<std::function<void()>>> watched_;
  std::multimap<int64_t, std::function<void()>> timers_;  // by CLOCK_BOOTTIME ns
  bool stopped_ = false;

  absl::Mutex mu_;
  std::vector<std::function<void()>> posted_ ABSL_GUARDED_BY(mu_);
};

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_EVENT_LOOP_H_
