#include "client/interrupt.h"

#include <ctime>
#include <utility>

namespace berth {
namespace {

constexpr long kPollNanoseconds = 200'000'000;

}  // namespace

InterruptWatcher::InterruptWatcher(std::initializer_list<int> signals) {
  sigemptyset(&signals_);
  for (const int signal : signals) {
    sigaddset(&signals_, signal);
    wake_ = signal;
  }
  pthread_sigmask(SIG_BLOCK, &signals_, &before_);
}

void InterruptWatcher::Stop() {
  if (thread_.joinable()) {
    thread_.request_stop();
    // To that thread alone: it need not wait its time out.
    pthread_kill(thread_.native_handle(), wake_);
    thread_.join();
  }
}

InterruptWatcher::~InterruptWatcher() {
  Stop();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void InterruptWatcher::Start(std::function<void(int signal)> on_signal) {
  thread_ = std::jthread([this, on_signal = std::move(on_signal)](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const timespec wait{.tv_sec = 0, .tv_nsec = kPollNanoseconds};
      const int signal = sigtimedwait(&signals_, nullptr, &wait);
      if (stop.stop_requested()) {
        return;
      }
      on_signal(signal > 0 ? signal : 0);
    }
  });
}

}  // namespace berth
