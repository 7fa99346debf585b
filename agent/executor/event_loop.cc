#include "agent/executor/event_loop.h"

#include <algorithm>
#include <utility>

#include "agent/shim/shim_protocol.h"
#include "common/check.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int kEventsPerPass = 64;
constexpr int64_t kNsPerMs = 1000000;

}  // namespace

EventLoop::EventLoop()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  BERTH_CHECK(epoll_ >= 0 && wake_ >= 0);
  Watch(wake_, [this] { RunPosted(); });
}

EventLoop::~EventLoop() {
  close(wake_);
  close(epoll_);
}

void EventLoop::Watch(int descriptor, std::function<void()> ready) {
  watched_[descriptor] = std::make_shared<std::function<void()>>(std::move(ready));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = descriptor;
  BERTH_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0);
}

void EventLoop::Unwatch(int descriptor) {
  watched_.erase(descriptor);
  epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
}

void EventLoop::RunAfter(absl::Duration delay, std::function<void()> task) {
  timers_.emplace(BootTimeNs() + absl::ToInt64Nanoseconds(delay), std::move(task));
}

void EventLoop::Post(std::function<void()> task) {
  {
    absl::MutexLock lock(&mu_);
    posted_.push_back(std::move(task));
  }
  const uint64_t one = 1;
  // A full counter means that a wake-up is on its way already.
  const ssize_t written = write(wake_, &one, sizeof(one));
  static_cast<void>(written);
}

void EventLoop::Stop() {
  Post([this] { stopped_ = true; });
}

void EventLoop::RunPosted() {
  uint64_t count = 0;
  const ssize_t size = read(wake_, &count, sizeof(count));
  static_cast<void>(size);
  std::vector<std::function<void()>> tasks;
  {
    absl::MutexLock lock(&mu_);
    tasks.swap(posted_);
  }
  for (const auto& task : tasks) {
    task();
  }
}

void EventLoop::RunTimers() {
  while (!timers_.empty() && timers_.begin()->first <= BootTimeNs()) {
    const std::function<void()> task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    task();
  }
}

int EventLoop::TimeoutMs() const {
  if (timers_.empty()) {
    return -1;
  }
  const int64_t wait_ns = timers_.begin()->first - BootTimeNs();
  return static_cast<int>(std::clamp<int64_t>((wait_ns + kNsPerMs - 1) / kNsPerMs, 0, 60000));
}

void EventLoop::Run() {
  epoll_event events[kEventsPerPass];
  while (!stopped_) {
    const int count = epoll_wait(epoll_, events, kEventsPerPass, TimeoutMs());
    for (int i = 0; i < count; ++i) {
      // An earlier callback of this pass may have dropped the descriptor.
      const auto watched = watched_.find(events[i].data.fd);
      if (watched != watched_.end()) {
        const auto ready = watched->second;
        (*ready)();
      }
    }
    RunTimers();
  }
}

}  // namespace berth
