#ifndef BERTH_CLIENT_CONSOLE_H_
#define BERTH_CLIENT_CONSOLE_H_

// Where a command writes: data to standard output, everything else to standard error.

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace berth {

// Owned by main or a test; safe from any thread.
class Console {
 public:
  Console(int out, int err);

  // Data. Kept until Flush(), the next Err() or 64 KiB.
  void Out(absl::string_view text);
  // Progress, notes, errors. Written at once.
  void Err(absl::string_view text);
  // A note for people, e.g. "→ berth logs 12": only where standard error is a terminal.
  void Hint(absl::string_view text);
  // Returns false once anything could not be written.
  bool Flush();

  bool out_is_terminal() const { return out_is_terminal_; }
  // Cells per line a table may use.
  int columns() const;

 private:
  void WritePending() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Write(int file, absl::string_view text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int out_;
  const int err_;
  const bool out_is_terminal_;
  const bool err_is_terminal_;
  absl::Mutex mu_;
  std::string pending_ ABSL_GUARDED_BY(mu_);
  bool written_ ABSL_GUARDED_BY(mu_) = true;
};

}  // namespace berth

#endif  // BERTH_CLIENT_CONSOLE_H_
