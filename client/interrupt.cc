#include "client/interrupt.h"

#include <ctime>
#include <utility>

namespace berth {
namespace {

constexpr long kPollNanoseconds = 200'000'000;

}  // namespace

InterruptWatcher::InterruptWatcher() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGINT);
  sigaddset(&signals_, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals_, &before_);
}

InterruptWatcher::~InterruptWatcher() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void InterruptWatcher::Start(std::function<void(int signal)> on_signal) {
  thread_ = std::jthread([this, on_signal = std::move(on_signal)](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const timespec wait{.tv_sec = 0, .tv_nsec = kPollNanoseconds};
      const int signal = sigtimedwait(&signals_, nullptr, &wait);
      on_signal(signal > 0 ? signal : 0);
    }
  });
}

}  // namespace berth
