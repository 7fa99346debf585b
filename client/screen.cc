#include "client/screen.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace berth {
namespace {

// Another page, no cursor, no new line at the right edge; and back.
constexpr absl::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr absl::string_view kLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l";
constexpr int kColumnsUnknown = 80;
constexpr int kRowsUnknown = 24;
constexpr absl::Duration kLook = absl::Milliseconds(250);

}  // namespace

Screen::Screen(int input, int output)
    : input_(input), output_(output), watcher_({SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
  if (pipe2(wake_, O_CLOEXEC | O_NONBLOCK) != 0) {
    wake_[0] = wake_[1] = -1;
  }
  has_modes_ = tcgetattr(input_, &before_) == 0;
  if (has_modes_) {
    termios modes = before_;
    modes.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    modes.c_cc[VSUSP] = _POSIX_VDISABLE;  // a stopped program would leave its page there
    modes.c_cc[VMIN] = 1;
    modes.c_cc[VTIME] = 0;
    tcsetattr(input_, TCSANOW, &modes);
  }
  Write(kEnter);
  watcher_.Start([this](int signal) {
    if (signal != 0) {
      Restore();
      signal_ = signal;
      if (write(wake_[1], "", 1) < 0) {
        return;  // the pipe is full: it is readable
      }
    }
  });
}

Screen::~Screen() {
  watcher_.Stop();
  Restore();
  for (const int end : wake_) {
    if (end >= 0) {
      close(end);
    }
  }
}

void Screen::Restore() {
  absl::MutexLock lock(&mu_);
  if (restored_) {
    return;
  }
  restored_ = true;
  Write(kLeave);
  if (has_modes_) {
    tcsetattr(input_, TCSANOW, &before_);
  }
}

void Screen::Draw(absl::string_view picture) {
  // Each line is written over the old one and cleared to its end: nothing flickers.
  const std::string text = absl::StrCat("\x1b[H",
                                        absl::StrReplaceAll(picture.substr(0, picture.rfind('\n')),
                                                            {
                                                                {"\n", "\x1b[K\r\n"}
  }),
                                        "\x1b[K\x1b[J");
  absl::MutexLock lock(&mu_);
  if (!restored_) {
    Write(text);
  }
}

int Screen::AwaitKey(absl::Duration length) {
  const absl::Time until = absl::Now() + length;
  const int columns_before = columns();
  while (signal_ == 0) {
    pollfd ends[] = {
        {input_,   POLLIN, 0},
        {wake_[0], POLLIN, 0}
    };
    const absl::Duration left = std::min(until - absl::Now(), kLook);
    const int ready =
        poll(ends, 2, static_cast<int>(std::max<int64_t>(absl::ToInt64Milliseconds(left), 0)));
    if (ready < 0 && errno != EINTR) {
      return -1;
    }
    if (ready > 0 && ends[0].revents != 0) {
      char key = 0;
      return read(input_, &key, 1) == 1 ? static_cast<unsigned char>(key) : -1;
    }
    if (absl::Now() >= until || columns() != columns_before) {
      return signal_ == 0 ? 0 : -1;
    }
  }
  return -1;
}

int Screen::columns() const {
  winsize size{};
  return ioctl(output_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kColumnsUnknown;
}

int Screen::rows() const {
  winsize size{};
  return ioctl(output_, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : kRowsUnknown;
}

void Screen::Write(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(output_, text.data(), text.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return;  // the terminal has gone; AwaitKey finds it
    }
    text.remove_prefix(static_cast<size_t>(count));
  }
}

}  // namespace berth
