#ifndef BERTH_CLIENT_SCREEN_H_
#define BERTH_CLIENT_SCREEN_H_

// The whole of a terminal for a while: pictures in place of lines, and keys as they are pressed.

#include <atomic>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "client/interrupt.h"
#include <termios.h>

namespace berth {

// While it lives, the terminal shows another page, without a cursor and without what is typed. It
// is as it was before when this ends, or a signal comes that would have ended the program: SIGINT,
// SIGTERM, SIGHUP, SIGQUIT. Make it before any other thread starts; used from one thread.
class Screen {
 public:
  // `input` and `output` are the terminal.
  Screen(int input, int output);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Lines of text, none wider than the terminal. Nothing after a signal.
  void Draw(absl::string_view picture);
  // Waits for a key, at most so long: 0 if none came. -1: a signal came, or the terminal has gone.
  int AwaitKey(absl::Duration length);
  // The signal that came; 0: none.
  int signal() const { return signal_; }
  int columns() const;
  int rows() const;

 private:
  void Restore();
  void Write(absl::string_view text);

  const int input_;
  const int output_;
  termios before_{};
  bool has_modes_ = false;
  int wake_[2] = {-1, -1};  // readable after a signal
  std::atomic<int> signal_ = 0;
  absl::Mutex mu_;
  bool restored_ ABSL_GUARDED_BY(mu_) = false;
  InterruptWatcher watcher_;
};

}  // namespace berth

#endif  // BERTH_CLIENT_SCREEN_H_
