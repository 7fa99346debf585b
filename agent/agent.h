#ifndef BERTH_AGENT_AGENT_H_
#define BERTH_AGENT_AGENT_H_

// Wires the node's parts: core, journal, task runner, devices, the stream to the scheduler. One
// thread runs everything; gRPC's threads and the journal's only post to it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "agent/agent_options.h"
#include "agent/core/agent_core.h"
#include "agent/core/notice_board.h"
#include "agent/core/output_queue.h"
#include "agent/device_sampler.h"
#include "agent/device_watch.h"
#include "agent/disk_watch.h"
#include "agent/executor/event_loop.h"
#include "agent/journal.h"
#include "agent/journal_writer.h"
#include "agent/log_archiver.h"
#include "agent/session.h"
#include "agent/task_runner.h"
#include "common/backoff.h"

namespace berth {

class Agent {
 public:
  // Reads the journal, takes the inventory, adopts what an earlier agent left running.
  static absl::StatusOr<std::unique_ptr<Agent>> Start(const AgentOptions& options);

  // Connects and serves until Stop. Tasks go on after it.
  void Run();
  // From any thread.
  void Stop();

 private:
  explicit Agent(AgentOptions options);
  absl::Status Prepare();
  absl::Status TakeInventory();
  // The next life of the node, from what its journal and its folders say.
  void BeginJournal(AgentState& state);
  absl::Status AdoptTasks();
  absl::Status EndStrays();
  // Looks at the devices now and again: faults end tasks, changes are told, others taken over.
  void WatchDevices();
  void ConnectDevices();
  void OnDevices(const DeviceHealth::Outcome& outcome);
  void OnArchive(bool works);
  // Facts that have changed: now, or once a session has begun.
  void TellFacts();

  void Connect();
  void ConnectLater();
  void OnMessage(uint64_t session, const v1::SchedulerMessage& message);
  void OnClosed(uint64_t session, const absl::Status& status);
  void OnTask(const TaskEvent& event);
  void Beat(uint64_t session);
  // Tells the scheduler what tasks told of themselves, now or after a pause since the last time.
  void OnNotice(v1::TaskNotice notice);
  void TellNotices();
  // Durable, then done, then said; in order, and some of it later.
  void Carry(AgentOutput output);
  void CarryWaiting();
  // Of what is under way: its records are in the journal, or could not be written.
  void CarryOut(const absl::Status& status);
  void RefuseUnwritten(const AgentOutput& output, const absl::Status& status);
  // Behind what is to be durable before it; a heartbeat may overtake it (OutputQueue::told).
  void Say(v1::AgentMessage message);
  // Tries whether the disk has room again for what could not be written. Whatever is to be durable
  // tries that, too.
  void CatchUp();
  // It had: says what waited for that.
  void CaughtUp();

  const AgentOptions options_;
  EventLoop loop_;
  v1::NodeFacts facts_;
  bool facts_changed_ = false;  // since the hello that told them
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<AgentCore> core_;
  OutputQueue outputs_;
  std::optional<JournalWriter> writer_;  // while the loop runs
  absl::Duration writing_since_;         // since boot: when it was given what it writes
  NoticeBoard notices_;
  std::optional<absl::Duration> notices_told_;  // since boot; none: never
  bool notices_due_ = false;                    // a timer will tell them
  std::optional<DeviceWatch> devices_;
  std::optional<DeviceSampler> sampler_;  // while the loop runs; none: nothing is to be told
  std::unique_ptr<TaskRunner> runner_;
  std::unique_ptr<DiskWatch> disk_;
  std::unique_ptr<SchedulerChannel> channel_;
  std::unique_ptr<LogArchiver> archiver_;
  std::shared_ptr<Session> session_;
  uint64_t session_number_ = 0;  // of the present one; callbacks of older ones are ignored
  Backoff backoff_;
  bool journal_is_behind_ = false;  // some record could not be written
};

}  // namespace berth

#endif  // BERTH_AGENT_AGENT_H_
