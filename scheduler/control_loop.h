#ifndef BERTH_SCHEDULER_CONTROL_LOOP_H_
#define BERTH_SCHEDULER_CONTROL_LOOP_H_

// THE one writer thread: drain, apply, plan, commit, speak. It owns the engine and the store; every
// other thread posts to it and is answered through a callback on the loop's thread. Nothing is told
// to anyone before it is durable.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "common/clock.h"
#include "scheduler/agent_link.h"
#include "scheduler/core/engine.h"
#include "scheduler/core/fencing.h"
#include "scheduler/fence_command.h"
#include "scheduler/job_waiters.h"
#include "scheduler/node_log.h"
#include "scheduler/read_view.h"
#include "scheduler/store/backup.h"
#include "scheduler/store/store.h"

namespace berth {

struct ControlLoopOptions {
  absl::Duration plan_interval = absl::Milliseconds(5);  // between rounds while busy
  int events_per_turn_max = 1000;
  int queue_max = 100000;                  // events waiting; more are refused
  std::vector<std::string> fence_command;  // empty: the center has none
  absl::Duration fence_timeout = absl::Minutes(1);
  // Makes what belongs beside the backup at the path, as of that time, on the backup's thread;
  // gives up once `stopping` says so. Returns the file's path. Empty: nothing does.
  std::function<absl::StatusOr<std::string>(const std::string& backup, absl::Time taken_at,
                                            const std::function<bool()>& stopping)>
      save_beside_backup;
};

// Names for the audit row of a change.
struct AuditContext {
  std::string action;  // the RPC
  std::string object;
  std::string peer;
  std::string digest;  // SHA-256 of the redacted request, hexadecimal; may be empty
};

// Makes a submission idempotent and keeps its payload.
struct SubmitPayload {
  std::string idempotency_key;  // empty: none
  std::string payload;          // serialized berth.v1.JobSpec
  std::string payload_hash;
  std::string upload;  // SHA-256 of the manifest of its folder; empty: none
};

struct ChangeResult {
  Outcome outcome;
  bool existing = false;  // an earlier submission with the same key
};

struct ChangeRequest {
  Actor actor;
  UserEvent event;
  AuditContext audit;
  std::optional<SubmitPayload> submit;  // with a SubmitJob that is no dry run
  // Called once, on the loop's thread, after the change is durable. Must not block.
  std::function<void(const absl::StatusOr<ChangeResult>&)> done;
};

// Who did what, for the audit row of what is no change of the engine's.
struct LocalRequest {
  Actor actor;
  AuditContext audit;
};

// What `berth admin status` tells of the loop.
struct LoopStatus {
  bool recovery = false;
  bool disk_full = false;
  absl::Time last_backup_at;  // InfinitePast: never
  absl::Time serving_since;
  absl::Time resume_at;  // in recovery: from then on no unknown task can be alive
  int64_t queued_jobs = 0;
  int64_t held_jobs = 0;
  int64_t active_jobs = 0;
  int nodes = 0;
  std::vector<std::string> silent_nodes;  // without a connected agent
};

// Users and tokens as of the last durable turn; immutable.
struct AccessDirectory {
  std::map<std::string, Token> tokens;
  std::map<UserId, User> users;
  std::map<TenantId, std::string> tenants;  // names
  std::map<TenantId, bool> suspended;
  std::map<NodeId, std::string> nodes;  // names
};

class ControlLoop {
 public:
  // `on_access` is called on the loop's thread, before Run() returns control to anybody, and again
  // whenever users, tokens, tenants or node names changed, before the change is acknowledged.
  using AccessCallback = std::function<void(std::shared_ptr<const AccessDirectory>)>;
  // The same for allocations: with all that are live, then with those that changed, and with those
  // of a node whose agent has told what runs.
  using AllocationCallback = std::function<void(const std::vector<Allocation>&, const Cluster&)>;

  ControlLoop(std::unique_ptr<Store> store, Policy policy, ControlLoopOptions options,
              const Clock& clock);
  ControlLoop(const ControlLoop&) = delete;
  ControlLoop& operator=(const ControlLoop&) = delete;
  ~ControlLoop();

  // Loads the state, calls both once, starts the thread.
  absl::Status Start(AccessCallback on_access, AllocationCallback on_allocations);
  // Finishes the turn at hand, answers everything that waits with Unavailable, ends the thread.
  void Stop();

  // ---- From any thread. Full queue: `done` gets ResourceExhausted at once, on this thread; a read
  // is dropped without being called. ----
  void Post(ChangeRequest request) ABSL_LOCKS_EXCLUDED(mu_);
  void PostRead(std::function<void(const ReadView&)> read) ABSL_LOCKS_EXCLUDED(mu_);
  void PostWait(JobWait wait) ABSL_LOCKS_EXCLUDED(mu_);
  // A new session for the hello's node: older ones are closed. The session id in `hello` is set
  // here.
  SessionId PostHello(AgentHello hello, std::shared_ptr<AgentLink> link) ABSL_LOCKS_EXCLUDED(mu_);
  void PostAgent(AgentEvent event) ABSL_LOCKS_EXCLUDED(mu_);
  // Finds the link of a node's present session on the loop's thread; null: not connected.
  void PostToAgent(NodeId node, std::function<void(std::shared_ptr<AgentLink>)> use)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Records what changes nothing that the loop owns: `decision` is what the caller was told. `done`
  // is called on the loop's thread once that is durable, or with why it cannot be.
  void PostAudit(LocalRequest request, const absl::Status& decision,
                 std::function<void(const absl::Status&)> done);

  // ---- From any thread, for the local socket. `done` is called on the loop's thread, or never if
  // the loop stops. ----
  void PostStatus(std::function<void(const LoopStatus&)> done);
  void PostVerifyAudit(std::function<void(const absl::Status&)> done);
  // `at_once`: without waiting for the leases of nodes that the backup does not know.
  void PostResume(LocalRequest request, bool at_once,
                  std::function<void(const absl::Status&)> done);
  // The loop pauses for the copy; it is checked on a thread of its own.
  using BackupCallback = std::function<void(const absl::StatusOr<BackupFacts>&)>;
  void PostBackup(LocalRequest request, std::string path, BackupCallback done);

  const std::string& cluster_id() const { return cluster_id_; }
  uint64_t sched_epoch() const { return sched_epoch_; }

 private:
  struct HelloRequest {
    AgentHello hello;
    std::shared_ptr<AgentLink> link;
  };
  struct LinkUse {
    NodeId node;
    std::function<void(std::shared_ptr<AgentLink>)> use;
  };
  // Everything of one turn that must become durable together, and the answers that wait for it.
  struct Turn;
  using Task = std::function<void(Turn&)>;  // done before the turn's commit
  using Item = std::variant<ChangeRequest, std::function<void(const ReadView&)>, JobWait,
                            HelloRequest, AgentEvent, LinkUse, Task>;
  struct BackupRun {
    LocalRequest request;
    std::string path;
    absl::Time at;
    BackupCallback done;
  };

  absl::Status Restore();
  bool Push(Item item) ABSL_LOCKS_EXCLUDED(mu_);
  // Waits for work until `deadline`; at most events_per_turn_max items.
  std::vector<Item> Drain(absl::Time deadline) ABSL_LOCKS_EXCLUDED(mu_);
  bool IsStopping() ABSL_LOCKS_EXCLUDED(mu_);
  void Run();
  void RunTurn(std::vector<Item> items);
  void ApplyItem(Item& item, Turn& turn);
  void ApplyChange(ChangeRequest& request, Turn& turn);
  absl::StatusOr<ChangeResult> TryChange(ChangeRequest& request, Turn& turn);
  // An earlier submission with the same key: its result, or a conflict; nothing if there is none.
  absl::StatusOr<std::optional<ChangeResult>> FindExisting(const ChangeRequest& request,
                                                           TenantId tenant, const Turn& turn);
  absl::Status ExplainMissing(const ChangeRequest& request, const absl::Status& status) const;
  void OpenSession(HelloRequest& request, Turn& turn);
  void ApplyAgent(const AgentEvent& event, absl::Time now);
  // Ends a session that outlived its node's loss.
  void CloseIfLost(const AgentHeartbeat& heartbeat, absl::Time now);
  void PlanIfDue(absl::Time now);
  void CommitTurn(Turn& turn);
  void AuditDroppedEdits(Turn& turn) const;
  absl::Status WriteTurn(const Turn& turn);
  void Speak(Turn& turn);
  void FenceSilentNodes(absl::Time now);
  void NoteFenceEnd(const FenceOrder& order, const std::string& failure, Turn& turn);
  void SendCommands(std::vector<NodeCommand> commands);
  void CompleteAssignment(AssignTask& assign);
  void PublishAccess();
  LoopStatus MakeStatus(absl::Time now) const;
  absl::Status CheckResume(bool at_once, absl::Time now) const;
  absl::Status StartBackup(BackupRun run);
  absl::StatusOr<BackupFacts> RunBackup(const std::string& draft, const BackupRun& run);
  void EndBackup(const BackupRun& run, const absl::StatusOr<BackupFacts>& facts, Turn& turn);
  // Nothing is started in recovery.
  bool PlanDue() const { return engine_.PlanDue() && !store_->recovery(); }
  absl::Time Now() const;
  absl::Time NextWork() const;

  // Constant after construction.
  const ControlLoopOptions options_;
  const Clock& clock_;
  std::string cluster_id_;
  uint64_t sched_epoch_;

  // Loop thread only (and Start, before the thread exists).
  std::unique_ptr<Store> store_;
  Engine engine_;
  AccessCallback on_access_;
  AllocationCallback on_allocations_;
  struct Session {
    SessionId id;
    std::shared_ptr<AgentLink> link;
  };
  std::map<NodeId, Session> sessions_;
  JobWaiters waiters_;
  absl::Time last_round_ = absl::InfinitePast();
  NodeLog node_log_;
  Fencing fencing_;
  std::unique_ptr<FenceCommand> fence_command_;  // null: none is configured
  // The wall clock at the start; from then on time goes as CLOCK_BOOTTIME does, so that no step of
  // the wall clock can declare a node lost.
  absl::Time wall_at_start_;
  absl::Duration boot_at_start_;
  bool backup_runs_ = false;
  std::thread backup_thread_;  // checks the copy; joined by Stop

  absl::Mutex mu_;
  std::deque<Item> queue_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t last_session_ ABSL_GUARDED_BY(mu_) = 0;

  std::thread thread_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CONTROL_LOOP_H_
