#include "client/console.h"

#include <cerrno>

#include <sys/ioctl.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr size_t kPendingBytesMax = 65536;
constexpr int kColumnsOffTerminal = 100;
constexpr int kColumnsMin = 40;

}  // namespace

Console::Console(int out, int err)
    : out_(out),
      err_(err),
      out_is_terminal_(isatty(out) == 1),
      err_is_terminal_(isatty(err) == 1) {}

void Console::Out(absl::string_view text) {
  absl::MutexLock lock(&mu_);
  pending_.append(text.data(), text.size());
  if (pending_.size() >= kPendingBytesMax) {
    WritePending();
  }
}

void Console::Err(absl::string_view text) {
  absl::MutexLock lock(&mu_);
  WritePending();
  Write(err_, text);
}

void Console::Hint(absl::string_view text) {
  if (err_is_terminal_ && out_is_terminal_) {
    Err(text);
  }
}

bool Console::Flush() {
  absl::MutexLock lock(&mu_);
  WritePending();
  return written_;
}

int Console::columns() const {
  winsize size{};
  if (!out_is_terminal_ || ioctl(out_, TIOCGWINSZ, &size) != 0 || size.ws_col < kColumnsMin) {
    return kColumnsOffTerminal;
  }
  return size.ws_col;
}

void Console::WritePending() {
  Write(out_, pending_);
  pending_.clear();
}

void Console::Write(int file, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(file, text.data(), text.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      written_ = false;
      return;
    }
    text.remove_prefix(static_cast<size_t>(count));
  }
}

}  // namespace berth
