#ifndef BERTH_AGENT_JOURNAL_WRITER_H_
#define BERTH_AGENT_JOURNAL_WRITER_H_

// Forces records to the disk on a thread of its own, so that the agent's thread can do something
// else meanwhile. Owned by the Agent.

#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

#include "agent/executor/event_loop.h"
#include "agent/journal.h"

namespace berth {

class JournalWriter {
 public:
  using Done = std::function<void(const absl::Status&)>;

  JournalWriter(Journal& journal, EventLoop& loop);
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;
  // Waits for what is being written; what it would call is not called any more if the loop does
  // not run.
  ~JournalWriter();

  // `done` is called on the loop's thread, with what Journal::Append says. Until then the journal
  // is this writer's alone, and `records` stay. With `whole`, what they and all before them amount
  // to, the journal is compacted to it, and `done` hears of that, too. Requires: an earlier call is
  // done.
  void Append(const std::vector<JournalRecord>& records, std::optional<AgentState> whole, Done done)
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Order {
    const std::vector<JournalRecord>* records;
    std::optional<AgentState> whole;
    Done done;
  };

  void Run() ABSL_LOCKS_EXCLUDED(mu_);

  Journal& journal_;
  EventLoop& loop_;
  absl::Mutex mu_;
  std::optional<Order> order_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace berth

#endif  // BERTH_AGENT_JOURNAL_WRITER_H_
