#ifndef BERTH_SCHEDULER_RPC_BACKGROUND_WORKER_H_
#define BERTH_SCHEDULER_RPC_BACKGROUND_WORKER_H_

// One thread for what takes long and needs no turn of the loop: it works on copies of the cluster,
// one request after the other, at most `queue_max` of them waiting.

#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace berth {

class BackgroundWorker {
 public:
  explicit BackgroundWorker(int queue_max = 64);
  BackgroundWorker(const BackgroundWorker&) = delete;
  BackgroundWorker& operator=(const BackgroundWorker&) = delete;
  ~BackgroundWorker();

  // From any thread. False: too much waits, or it has stopped; `work` is dropped without being run.
  bool Post(std::function<void()> work) ABSL_LOCKS_EXCLUDED(mu_);
  // Finishes the request at hand, drops the others, ends the thread.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);

  const size_t queue_max_;
  absl::Mutex mu_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_BACKGROUND_WORKER_H_
