#ifndef BERTH_SCHEDULER_CORE_EVENT_H_
#define BERTH_SCHEDULER_CORE_EVENT_H_

// Everything that can happen to the cluster, as plain values: a recorded sequence of events with
// their times reproduces every decision.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

#include "scheduler/core/booking.h"
#include "scheduler/core/identity.h"
#include "scheduler/core/job.h"
#include "scheduler/core/node.h"
#include "scheduler/core/quota_tree.h"

namespace berth {

// ---- What people ask. Each is applied for an Actor, who may be refused. ----

// As the user wrote it: names are not resolved yet.
struct SubmitJob {
  JobSpec spec;         // tenant, project, user and classes are filled in by the engine
  std::string tenant;   // on behalf of; empty: the actor's
  std::string project;  // empty: "default"
  std::vector<std::string> device_classes;
  bool dry_run = false;
  // Of the jobs in spec.dependencies that are not live any more: their last state. The caller looks
  // them up, for its own tenant only; a dependency that is neither live nor here does not exist.
  std::map<JobId, JobState> ended_dependencies = {};
};

struct CancelJob {
  JobId job;
  std::string reason;
  bool now = false;                    // no grace
  std::vector<IndexRange> tasks = {};  // of an array: only these, which ascend; empty: all of it
  // The indexes of tasks that ended as cancelled jobs: the caller looks them up, if they are few.
  std::set<int> cancelled_before = {};
};

struct HoldJob {
  JobId job;
};

struct ReleaseJob {
  JobId job;
};

// Changes a job that waits. A running job's time limit may be shortened.
struct UpdateJob {
  JobId job;
  std::optional<absl::Duration> time_limit = std::nullopt;
  std::optional<int> priority = std::nullopt;
  std::optional<int> nodes = std::nullopt;
  std::optional<int> devices_per_node = std::nullopt;
  std::optional<bool> may_borrow = std::nullopt;
  std::optional<std::string> name = std::nullopt;
  std::optional<std::vector<std::string>> device_classes = std::nullopt;
};

// Stops a running job and queues it again, whatever its requeue policy says.
struct RequeueRunningJob {
  JobId job;
  std::string reason;
};

// What a job tells of itself: what it did up to `at` is not lost by a stop.
struct NoteCheckpoint {
  JobId job;
  absl::Time at = absl::InfinitePast();
};

struct AddTenant {
  std::string name;
  std::string display_name;
  absl::Duration default_time_limit;  // zero: 24 h
  int64_t queue_max = 0;              // 0: the default
};

struct AddProject {
  std::string tenant;  // empty: the actor's
  std::string name;
};

struct AddUser {
  std::string name;
  std::string tenant;  // empty: the actor's
  Role role = Role::kMember;
};

// A token whose secret was made by the caller; the engine sees the hash only.
struct AddToken {
  std::string id;
  std::string secret_hash;
  std::string user;         // empty: the actor
  std::string tenant;       // of the user; empty: the actor's
  std::string node;         // instead of a user: the agent of this node
  absl::Duration lifetime;  // zero: the default
};

struct RevokeToken {
  std::string id;
};

// An operator by this name and a token for it, from the local socket.
struct BootstrapOperator {
  std::string user;
  std::string token_id;
  std::string secret_hash;
};

struct SetQuota {
  std::string tenant;
  std::string project;  // empty: the whole tenant
  std::string device_class;
  QuotaLimits limits;
  bool allow_oversell = false;
  bool dry_run = false;
  absl::Time effective_at = absl::InfinitePast();  // in the future: applied then
};

// How a tenant's jobs queue. Operators only.
struct SetTenantQueue {
  std::string tenant;
  QueuePreset preset = QueuePreset::kEasy;
  absl::Duration stepped_timeout = absl::Hours(1);
};

// Nothing more of the tenant starts and it submits nothing, or that ends. What runs goes on.
// Operators only.
struct SuspendTenant {
  std::string tenant;
  bool suspended = true;
};

// Promises nodes away (booking.h). Operators only. A dry run tells the effect.
struct AddBooking {
  BookingKind kind = BookingKind::kMaintenance;
  std::string tenant;              // of a reservation
  std::vector<std::string> nodes;  // by name; empty: `node_count` nodes are chosen
  int node_count = 0;
  std::string device_class;  // of the nodes that are chosen
  absl::Time from = absl::InfinitePast();
  absl::Time to = absl::InfinitePast();
  std::string reason;
  bool dry_run = false;
};

struct EndBooking {
  BookingId booking;
};

struct DrainNode {
  std::string node;
  std::string reason;
};

// Ends a drain, and a quarantine.
struct UndrainNode {
  std::string node;
};

// The operator knows that the machine is off or wiped. Operators only.
struct ConfirmNodeDead {
  std::string node;
  std::string reason;
};

// What came of the fence command's run. From the control loop, as an operator.
struct NoteFence {
  NodeId node;
  absl::Time silent_since = absl::InfinitePast();  // when the run began
  std::string failure;                             // empty: the node is off
};

// Nodes that are held because many fell silent at once are lost after all. Operators only.
struct EndLossHold {
  std::string node;  // empty: all that are held
};

// ---- What agents tell. ----

enum class TaskState {
  kJournaled,
  kLocked,
  kPrepared,
  kSpawned,
  kRunning,
  kStopping,
  kExited,
  kAcked,
  kFenced,
  kLostShim,
  kLostReboot,
};

// A task as its agent knows it.
struct RunningTask {
  AllocationId allocation;
  JobId job;
  int attempt = 0;
  TaskState state = TaskState::kJournaled;
  int64_t assign_seq = 0;
};

enum class ReportKind {
  kPrepared,
  kRefused,
  kStarted,
  kExited,
  kKilled,
  kNeverRan,
  kLostReboot,
  kLostShim,
  kQuarantine,  // the node is not to be trusted; message says why
};

enum class Refusal {
  kNone,
  kLockHeld,
  kDisk,
  kImage,
  kBadSpec,
  kEpoch,
  kFenced,
  kLease,
  kLaunch,
  kDevice
};

// What a task told of itself so far. Ages count back from when the message was made.
struct TaskNotice {
  AllocationId allocation;
  JobId job;
  int attempt = 0;
  uint64_t count = 0;  // notices so far; 0: none
  absl::Duration age;
  std::string checkpoint = {};  // empty: none
  absl::Duration checkpoint_age;
  std::optional<int> progress_milli = std::nullopt;
  std::string text = {};
};

struct TaskReport {
  int64_t report_seq = 0;
  ReportKind kind = ReportKind::kStarted;
  AllocationId allocation;
  JobId job;
  int attempt = 0;
  std::string rendezvous_address;
  int rendezvous_port = 0;
  int exit_code = 0;
  int signal = 0;
  StopReason stop_reason = StopReason::kNone;
  bool out_of_memory = false;
  bool exec_failed = false;
  int failed_rank = -1;  // inside the task, under one process per device
  Refusal refusal = Refusal::kNone;
  std::string message;
  TaskNotice notice;  // kExited, kKilled; without ids, which are the report's
};

// As Device and NodeFacts, the class still by name.
struct ReportedDevice {
  Device device;
  std::string device_class;
};
struct ReportedFacts {
  NodeFacts facts;  // without devices
  std::vector<ReportedDevice> devices;
};

// The agent named by the credential opened a stream; `session` was given to it by the loop.
struct AgentHello {
  NodeId node;
  SessionId session;
  std::string boot_id;
  uint64_t incarnation = 0;
  int64_t assign_seq_max = 0;
  uint64_t journal_since = 0;
  uint64_t sched_epoch_max = 0;
  ReportedFacts facts;
  std::vector<RunningTask> tasks;
  std::vector<TaskReport> reports;
};

struct AgentHeartbeat {
  NodeId node;
  SessionId session;
  uint64_t heartbeat_seq = 0;
  int64_t assign_seq_max = 0;
  std::vector<RunningTask> tasks;
};

struct AgentReport {
  NodeId node;
  SessionId session;
  TaskReport report;
};

struct AgentNotices {
  NodeId node;
  SessionId session;
  std::vector<TaskNotice> notices;
};

struct AgentFacts {
  NodeId node;
  SessionId session;
  ReportedFacts facts;
};

// The stream ended. Evidence of nothing but silence.
struct AgentGone {
  NodeId node;
  SessionId session;
};

// Time passed: silent nodes, back-offs and time limits are looked at.
struct Tick {};

using UserEvent =
    std::variant<SubmitJob, CancelJob, HoldJob, ReleaseJob, UpdateJob, RequeueRunningJob,
                 NoteCheckpoint, AddTenant, AddProject, AddUser, AddToken, RevokeToken,
                 BootstrapOperator, SetQuota, SetTenantQueue, SuspendTenant, AddBooking, EndBooking,
                 DrainNode, UndrainNode, ConfirmNodeDead, NoteFence, EndLossHold>;
using AgentEvent = std::variant<AgentHello, AgentHeartbeat, AgentReport, AgentNotices, AgentFacts,
                                AgentGone, Tick>;

// A quota with its present use; see berth.v1.QuotaRow.
struct QuotaRow {
  QuotaKey key;
  QuotaLimits limits;
  QuotaUse use;
  int64_t lent = 0;
  int64_t pending = 0;
  int64_t capacity = 0;
};

// An allocation that a request released.
struct ReleasedShare {
  AllocationId allocation;
  JobId job;
  int devices = 0;
};

// What came of the tasks that a CancelJob named.
struct CancelledTasks {
  int stopping = 0;  // they ran
  int waiting = 0;   // they had not started, or waited to run again: it is done
  int before = 0;    // cancelled already
  int ended = 0;     // of themselves
};

// What came of a UserEvent; only the fields that its kind sets are meaningful.
struct Outcome {
  JobId job;                // of requests about one job; SubmitJob: none after a dry run
  CancelledTasks tasks;     // CancelJob
  std::vector<JobId> jobs;  // DrainNode: still running there
  NodeId node;              // of requests about one node
  std::vector<ReleasedShare> released;  // ConfirmNodeDead, NoteFence, EndLossHold
  TenantId tenant;
  ProjectId project;
  UserId user;
  BookingId booking;  // AddBooking (none after a dry run), EndBooking
  std::string token_id;
  std::vector<std::string> notes;  // what the caller should know
  QuotaRow quota_before;           // SetQuota
  QuotaRow quota_after;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_EVENT_H_
