#include "scheduler/rpc/background_worker.h"

#include <utility>

namespace berth {

BackgroundWorker::BackgroundWorker(int queue_max)
    : queue_max_(static_cast<size_t>(queue_max)), thread_([this] { Run(); }) {}

BackgroundWorker::~BackgroundWorker() {
  Stop();
}

bool BackgroundWorker::Post(std::function<void()> work) {
  absl::MutexLock lock(&mu_);
  if (stopping_ || queue_.size() >= queue_max_) {
    return false;
  }
  queue_.push_back(std::move(work));
  return true;
}

void BackgroundWorker::Stop() {
  std::deque<std::function<void()>> dropped;
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    dropped.swap(queue_);
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

void BackgroundWorker::Run() {
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopping_ || !queue_.empty();
  };
  while (true) {
    std::function<void()> work;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(&ready));
      if (stopping_) {
        return;
      }
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

}  // namespace berth
