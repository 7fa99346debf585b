#ifndef BERTH_AGENT_EXECUTOR_ENTRY_PROCESS_H_
#define BERTH_AGENT_EXECUTOR_ENTRY_PROCESS_H_

// The agent's end of one `berth-shim --enter`: the command's streams, and what its guard tells. Or,
// without a program, of a task's standard input. Any thread, one at a time.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "agent/shim/task_entry.h"
#include "common/descriptor.h"
#include <sys/types.h>

namespace berth {

// A task that runs, and may be entered.
struct EntryTarget {
  std::string shim_path;
  std::string folder;
  std::string tenant;  // whose it is
  int rank = 0;        // in the task
  pid_t init = -1;
  Descriptor init_descriptor;  // a pidfd of it
  int64_t user_id = -1;        // who the command's streams belong to; -1: the agent's own
  int64_t group_id = -1;
  // Tells the shim of an interactive task that it is used, and the shim of an open standard input
  // that this has ended; closed: of no other.
  Descriptor shim;
};

// The init of a running task, whose parent must be `shim`: a pid that another process has got
// meanwhile is not it. NotFound: it is gone.
absl::StatusOr<Descriptor> OpenInit(pid_t init, pid_t shim);

// Types the end of input at a terminal, given its master, if whoever reads there takes lines and
// has read all that was typed before: a program that takes keys would read it as one, and of two
// that are unread the second would be another program's.
void TypeEndOfInput(int terminal);

class EntryProcess {
 public:
  // The order's folder, rank and init are the target's.
  static absl::StatusOr<std::unique_ptr<EntryProcess>> Start(const EntryTarget& target,
                                                             EntryOrder order);
  // The standard input of the task's first rank. FailedPrecondition: it takes no more.
  static absl::StatusOr<std::unique_ptr<EntryProcess>> OpenInput(const EntryTarget& target);
  EntryProcess(const EntryProcess&) = delete;
  EntryProcess& operator=(const EntryProcess&) = delete;
  // Ends what runs, and waits for the program.
  ~EntryProcess();

  // None of these block; closed ones are -1. With a terminal or a connection `input()` and `output`
  // are that, from kStarted on.
  int input() const { return input_.get(); }
  Descriptor output;
  Descriptor error_output;
  Descriptor conversation;

  // The next event, if one is there; takes over what comes with it. `ended`: nothing more will
  // come.
  std::optional<EntryEvent> Receive(bool& ended);
  void Signal(int number) const;
  // A new size of its terminal.
  void Resize(uint32_t rows, uint32_t columns) const;

  // What goes in next; nothing, once the input has ended. Requires: !has_pending().
  void TakeInput(std::string bytes);
  // Whether the command has not taken all of it yet.
  bool has_pending() const { return !pending_.empty(); }
  // As much of it as `input()` takes.
  void PassInput();
  // No more will come. Requires: !has_pending().
  void EndInput();
  // Of OpenInput's: whether it takes no more; OK: all that was taken has been passed. Looks:
  // nothing tells that another way in has ended it.
  std::optional<absl::Status> FindInputEnd() const;
  bool is_input() const { return kind_ == Kind::kInput; }
  // At a terminal whose input has ended and is passed on, every reader of lines is told so: a shell
  // there outlives the end of what it has started.
  bool tells_end() const { return kind_ == Kind::kTerminal && input_ended_ && pending_.empty(); }
  void TellEnd() const { TypeEndOfInput(input_.get()); }

  // Bytes went in or out: tells the shim of an interactive task that the task is not idle, not more
  // often than it must hear that.
  void NoteUse();

 private:
  enum class Kind { kPipes, kTerminal, kConnection, kInput };

  explicit EntryProcess(Kind kind) : kind_(kind) {}

  const Kind kind_;
  Descriptor input_;
  std::string pending_;  // input that the command has not taken yet
  bool input_ended_ = false;
  absl::Status input_lost_;  // why not all of it was passed
  Descriptor folder_;        // the task's, of OpenInput's
  pid_t pid_ = -1;
  Descriptor shim_;      // of an interactive task
  int64_t used_ns_ = 0;  // CLOCK_BOOTTIME; when it was told last
};

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_ENTRY_PROCESS_H_
