#ifndef BERTH_SCHEDULER_RPC_AGENT_SESSION_H_
#define BERTH_SCHEDULER_RPC_AGENT_SESSION_H_

// One agent's stream, from its hello to its end: what it says goes to the loop as events, what the
// loop says is queued and written.

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include <grpcpp/grpcpp.h>

#include "proto/agent_api.pb.h"
#include "scheduler/agent_link.h"
#include "scheduler/control_loop.h"
#include "scheduler/rpc/auth.h"
#include "scheduler/rpc/log_relay.h"
#include "scheduler/rpc/sample_board.h"

namespace berth {

// What a session works with. All of it outlives every session.
struct AgentSessionContext {
  ControlLoop* loop = nullptr;
  const Authenticator* authenticator = nullptr;
  LogRelay* relay = nullptr;
  SampleBoard* samples = nullptr;
};

// Kept alive by its call until that is done, and by the loop as long as it may send.
class AgentSession final : public AgentLink,
                           public grpc::ServerBidiReactor<v1::AgentMessage, v1::SchedulerMessage>,
                           public std::enable_shared_from_this<AgentSession> {
 public:
  static constexpr size_t kOutboxMax = 10000;         // messages
  static constexpr size_t kMergedBytesMax = 1 << 20;  // of assignments in one message

  AgentSession(grpc::CallbackServerContext* call, Actor actor, std::string node_name,
               const AgentSessionContext& context);

  // Starts reading. `on_done` is called when the call has ended; the session is not used by gRPC
  // after it.
  void Start(std::function<void(const std::shared_ptr<AgentSession>&)> on_done);

  // From the loop's thread.
  void Send(const NodeCommand& command) override ABSL_LOCKS_EXCLUDED(mu_);
  // From any thread.
  void Close() override ABSL_LOCKS_EXCLUDED(mu_);
  void CloseWith(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  void OpenLog(const v1::OpenLog& message) ABSL_LOCKS_EXCLUDED(mu_);
  void OpenChannel(const v1::OpenChannel& message) ABSL_LOCKS_EXCLUDED(mu_);

  NodeId node() const { return actor_.node; }
  const std::string& token_id() const { return actor_.token_id; }
  // Whether its hello was accepted and it has not ended.
  bool is_open() const ABSL_LOCKS_EXCLUDED(mu_);

  // gRPC's side.
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mu_);
  void OnDone() override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // False: the stream ends and nothing more is read.
  bool Handle(const v1::AgentMessage& message);
  bool HandleHello(const v1::Hello& hello);
  bool HandleHeartbeat(const v1::Heartbeat& heartbeat);
  bool HandleReport(const v1::Report& report);
  bool HandleNotices(const v1::Notices& notices);
  bool HandleFacts(const v1::NodeFacts& facts);
  void HandleLogRefusal(const v1::LogRefusal& refusal);
  void Refuse(v1::HelloRefused::Why why, absl::string_view message);

  void Enqueue(v1::SchedulerMessage message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  grpc::CallbackServerContext* const call_;
  const Actor actor_;
  const std::string node_name_;
  const AgentSessionContext context_;
  std::function<void(const std::shared_ptr<AgentSession>&)> on_done_;
  std::shared_ptr<AgentSession> self_;  // until the call is done

  // One read at a time.
  v1::AgentMessage incoming_;
  SessionId session_;  // none: no hello yet
  int protocol_ = 0;

  mutable absl::Mutex mu_;
  std::deque<v1::SchedulerMessage> outbox_ ABSL_GUARDED_BY(mu_);
  v1::SchedulerMessage outgoing_ ABSL_GUARDED_BY(mu_);  // untouched while writing_
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool accepted_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;    // nothing more is queued
  bool finished_ ABSL_GUARDED_BY(mu_) = false;  // Finish was called
  bool done_ ABSL_GUARDED_BY(mu_) = false;      // the call does not exist any more
  absl::Status end_ ABSL_GUARDED_BY(mu_);
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_AGENT_SESSION_H_
