#ifndef BERTH_SCHEDULER_CORE_JOB_H_
#define BERTH_SCHEDULER_CORE_JOB_H_

// A job as the scheduler sees it. Scripts, environment and command are not here: they stay in the
// database and are read when the job is dispatched.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "scheduler/core/array_range.h"
#include "scheduler/core/ids.h"
#include "scheduler/core/lifecycle.h"
#include "scheduler/core/resources.h"

namespace berth {

enum class Funding : uint8_t { kNone, kOwned, kBorrowed };
enum class NodeLossPolicy : uint8_t { kRequeue, kHold, kFail };

// Why an attempt ended, apart from the state its job is in then.
enum class EndReason {
  kNone,
  kExit,
  kSignal,
  kOom,
  kNodeFault,
  kPreempted,
  kTimeLimit,
  kBudget,
  kImageError,
  kPrepareTimeout,
  kAdmin,
  kCancelled,
  kDependency,
  kLaunchError,
  kDiskLimit,
  kIdle,
};

// What the members of a gang are told when they are stopped.
enum class StopReason : uint8_t {
  kNone,
  kCancelled,
  kTimeLimit,
  kPreempted,
  kGang,
  kLease,
  kDrain,
  kBudget,
  kAdmin,
  kStale,
  kShrink,       // an elastic gang gives this member back and goes on without it
  kMaintenance,  // the node is promised to a booking that begins
  kDiskLimit,    // only from the agent: it has more on the node's disk than it may
  kIdle,         // only from the agent: nobody used the interactive job for long enough
};

// How close together a gang's devices must or should be. Ring: fast links inside a node.
enum class TopologyLevel { kNone, kRing, kRack, kBlock, kPod };

// `nodes` nodes with `devices_per_node` whole devices of one class each, all or nothing. An elastic
// gang takes min_nodes to nodes of them.
struct GangShape {
  int nodes = 1;
  int min_nodes = 0;  // 0: not elastic
  int devices_per_node = 1;
  // 1..999: that share of one device on one node, beside other shares of the same project.
  // 0: whole devices.
  int device_share_milli = 0;
  HostResources per_node;        // 0: no explicit need
  std::vector<ClassId> classes;  // ordered alternatives; empty: any class
  TopologyLevel topology = TopologyLevel::kNone;
  bool topology_required = false;  // else a preference
  std::map<std::string, std::string> node_labels;
  std::vector<std::string> excluded_nodes;

  int64_t devices() const { return static_cast<int64_t>(nodes) * devices_per_node; }
  bool is_elastic() const { return min_nodes > 0 && min_nodes < nodes; }
  int least_nodes() const { return is_elastic() ? min_nodes : nodes; }
  int64_t least_devices() const { return static_cast<int64_t>(least_nodes()) * devices_per_node; }
  friend auto operator<=>(const GangShape&, const GangShape&) = default;
};

struct RequeuePolicy {
  bool on_node_fault = true;
  bool on_preempt = true;
  bool on_error = false;
  int max_requeues = 5;
  std::vector<int> exit_codes;
};

enum class DependencyKind { kOk, kAny, kFail, kStarted };

struct Dependency {
  DependencyKind kind = DependencyKind::kOk;
  JobId job;
  friend auto operator<=>(const Dependency&, const Dependency&) = default;
};

// Immutable once acknowledged, but for what `berth update` may change.
struct JobSpec {
  std::string name;
  TenantId tenant;
  ProjectId project;
  UserId user;
  GangShape gang;
  absl::Duration time_limit;
  absl::Duration grace;
  int priority = 0;
  bool preemptible = true;
  bool may_borrow = true;
  bool hold = false;
  bool launch_per_device = false;  // ranks are devices, else nodes
  NodeLossPolicy on_node_loss = NodeLossPolicy::kRequeue;
  int64_t lease_ms = 0;  // 0: the center's
  RequeuePolicy requeue;
  absl::Time begin_at = absl::InfinitePast();  // not before
  std::vector<Dependency> dependencies;        // not decided yet; all must hold
  ArrayRange array;
};

struct JobEnd {
  EndReason reason = EndReason::kNone;
  int exit_code = 0;
  int signal = 0;
  int failed_rank =
      -1;  // of the rank whose log says most: a device or a node, as the job is launched
  std::string message = {};
};

// What an attempt told of itself: of each part the last.
struct JobNotice {
  absl::Time at = absl::InfinitePast();  // when it told anything last
  std::string text = {};
  std::string checkpoint = {};  // the name of the one of Attempt::checkpoint_at
  std::optional<int> progress_milli = std::nullopt;  // 0 to 1000
  // Not durable: whose notice it was, and its how manieth, so that it is taken once.
  AllocationId from = {};
  uint64_t count = 0;

  friend bool operator==(const JobNotice&, const JobNotice&) = default;
};

// One try at running a job.
struct Attempt {
  int number = 0;
  AttemptState state = AttemptState::kNone;
  Funding funding = Funding::kNone;
  // Not durable: how it is being stopped, or shrunk. None: by `end`.
  StopReason stop_reason = StopReason::kNone;
  ClassId device_class;  // the alternative taken; none for a job without devices
  int rendezvous_port = 0;
  absl::Time created_at = absl::InfinitePast();
  absl::Time started_at = absl::InfinitePast();
  absl::Time ended_at = absl::InfinitePast();
  JobEnd end;                 // as soon as it is known why this attempt ends
  absl::Duration stop_grace;  // between stop signal and kill; not durable
  std::string rendezvous_address;
  absl::Time checkpoint_at = absl::InfinitePast();  // the last that the job told of
  std::shared_ptr<const JobNotice> notice;          // null: it told nothing, as all that only wait
};

// How far an array is. Its started tasks are jobs of their own.
struct ArrayProgress {
  int next = 0;  // position of the first task that is no job yet
  int live = 0;  // tasks that are jobs now, queued again ones included; not durable
  int succeeded = 0;
  int failed = 0;  // ended otherwise, cancelled ones apart
  int cancelled = 0;

  int ended() const { return succeeded + failed + cancelled; }
};

// There are hundreds of thousands of them: no member is larger than it has to be.
struct Job {
  JobId id;
  JobSpec spec;
  Attempt attempt;                        // the current or last one
  std::vector<AllocationId> allocations;  // of the current attempt, by rank; empty while queued
  absl::Time submitted_at = absl::InfinitePast();
  absl::Time ended_at = absl::InfinitePast();
  absl::Time not_before = absl::InfinitePast();  // back-off after a requeue
  int requeues = 0;
  JobState state = JobState::kQueued;
  bool cancel_requested = false;
  JobId array;           // the array this is a task of
  int array_index = -1;  // its index in it
  ArrayProgress tasks;   // of an array
  // Nodes where an attempt of it ended by their fault; the next attempts avoid them.
  std::vector<NodeId> suspect_nodes;
  // While it holds devices: when it has ended at the latest, by its time limit; InfinitePast: it is
  // stopping. Not durable.
  absl::Time ends_by = absl::InfiniteFuture();
  GroupId group;         // of those that look alike, while it is queued; not durable
  uint64_t version = 1;  // grows with every change

  bool is_array() const { return spec.array.count > 0; }
};

// What makes two pending jobs look alike to the scheduler.
struct GroupKey {
  TenantId tenant;
  ProjectId project;
  int priority = 0;
  bool preemptible = true;
  bool may_borrow = true;
  int64_t time_limit_ms = 0;
  int64_t grace_ms = 0;
  GangShape gang;
  std::vector<NodeId> suspect_nodes;

  // Its jobs are owned from the first to the last: nobody recalls them, and they borrow nothing.
  bool must_own() const { return !preemptible || !may_borrow; }
  absl::Duration time_limit() const { return absl::Milliseconds(time_limit_ms); }

  friend auto operator<=>(const GroupKey&, const GroupKey&) = default;
};

// Whether a dependency on a job in this state holds; nothing while that is open. "ok": it
// succeeded; "fail": it ended otherwise; "any": it ended; "started": it started, or ended of
// itself. An ended job's last state is all there is to know of it, so nothing else counts.
std::optional<bool> DependencyHolds(DependencyKind kind, JobState ended);
std::optional<bool> DependencyHolds(DependencyKind kind, const Job& parent);
// Why a job ends whose dependency cannot hold any more.
JobEnd DependencyEnd(const Dependency& dependency, JobState parent);

absl::string_view Name(TopologyLevel level);
absl::string_view Name(DependencyKind kind);
std::optional<TopologyLevel> FindTopologyLevel(absl::string_view name);
std::optional<DependencyKind> FindDependencyKind(absl::string_view name);
absl::string_view Name(Funding funding);
absl::string_view Name(EndReason reason);
absl::string_view Name(NodeLossPolicy policy);
std::optional<Funding> FindFunding(absl::string_view name);
std::optional<EndReason> FindEndReason(absl::string_view name);
std::optional<NodeLossPolicy> FindNodeLossPolicy(absl::string_view name);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_JOB_H_
