#ifndef BERTH_SCHEDULER_CORE_EXPLAIN_H_
#define BERTH_SCHEDULER_CORE_EXPLAIN_H_

// Why a job does not run, when it will, and what would make it start sooner (ux.md 2.11). Pure
// functions of a snapshot: they fork what they change, so they may run on any thread that owns or
// may read a copy of the cluster; a copy of the cluster, its policy and the time of the copy are
// all they need. At 1,000 nodes and 5,000 jobs a call takes tens of milliseconds: not for the loop.
//
// Who may see what is the caller's business. Ids of other tenants' jobs stand in `Ahead::others`
// and in `Forecast::waits_for` only: members see "another tenant" and a count there.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/event.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/identity.h"
#include "scheduler/core/pending_reason.h"
#include "scheduler/core/policy.h"

namespace berth {

// One constraint that alone would keep the job from starting. Code(blocker.code) is its "B3201",
// Name(blocker.code) its "fragmentation".
struct ExplainedBlocker {
  Blocker blocker;       // the numbers
  std::string sentence;  // with the numbers in words
};

// An ordered alternative after the first, with the first thing that stops it.
struct AlternativeClass {
  ClassId device_class;
  ExplainedBlocker first;
};

// What stands first between a node and a member of the gang, in this order.
enum class NodeStanding {
  kOut,            // not ready: node.state and node.state_detail say why
  kLabels,         // its labels do not suit
  kExcluded,       // the job leaves it out by name
  kSuspect,        // an attempt of the job ended there by the node's fault
  kBooked,         // promised away before the job would end
  kTooSmall,       // fewer healthy devices of the class than a member needs
  kHostResources,  // too few free cores or memory
  kBusy,           // no device of the class is free
  kPartlyBusy,     // some are free, too few for a member
  kNominated,      // would have enough, but for those kept for a claim
  kFree,           // a member fits
};
absl::string_view Name(NodeStanding standing);  // "partly-busy"

struct NodePart {
  static constexpr size_t kNamedMax = 64;
  struct Named {
    NodeId node;
    int64_t free_devices = 0;  // of the class
  };
  NodeStanding standing = NodeStanding::kOut;
  int64_t nodes = 0;
  int64_t free_devices = 0;  // on them, of the class
  std::vector<Named> named;  // by id, at most kNamedMax
};

// Pending jobs that the planner considers before this one for devices of its class. They may take
// what becomes free.
struct Ahead {
  static constexpr size_t kNamedMax = 32;
  int64_t jobs = 0;           // an array counts as one
  int64_t devices = 0;        // that they ask, the tasks of arrays included
  std::vector<JobId> own;     // of the job's tenant, in their order, at most kNamedMax
  std::vector<JobId> others;  // of other tenants, at most kNamedMax: for operators only
};

// What a change promises, seen to come true by the real planner on a fork.
enum class Verdict {
  kStartsNow,  // in the next round
  kStartsBy,   // at `by` at the latest, by the time limits of what runs and waits now
  kUnknown,    // not within the forecast's bounds
};
struct Promise {
  Verdict verdict = Verdict::kUnknown;
  absl::Time by = absl::InfiniteFuture();
  Funding funding = Funding::kNone;  // borrowed: the whole job may be recalled with its grace
};

enum class AdviceKind { kFewerNodes, kOtherShape, kOtherClass, kShorterLimit, kNoBorrowing };

// A change of the job that was verified: `berth update ID OPTION`, or OPTION at submit.
struct Advice {
  AdviceKind kind = AdviceKind::kFewerNodes;
  std::string option;  // "--nodes 3"
  Promise promise;
  JobSpec spec;  // the job with the change
};

// Of a job that holds devices.
struct Holding {
  ClassId device_class;
  Funding funding = Funding::kNone;
  int64_t devices = 0;
  std::vector<NodeId> nodes;  // by rank
  absl::Time since = absl::InfinitePast();
  absl::Time ends_by = absl::InfiniteFuture();  // by its time limit
  // What could make it give devices back, and how long it has then.
  bool for_owners = false;    // borrowed and preemptible: any owner's claim on the class
  bool for_priority = false;  // preemptible: a job of its own tenant with a higher priority
  absl::Duration notice;  // its grace; the devices are free after the kill timeout at the latest
  int shrinks_to = 0;     // elastic: nodes it keeps, as long as that is enough; else 0
  // The open reclaim that it is stopped for, as claim; none: none that is still open. After that
  // the store has the certificate: look for this job and `attempt` among its candidates.
  JobId stopped_for;
  int attempt = 0;
};

struct Explanation {
  JobId job;
  JobState state = JobState::kQueued;
  absl::Time as_of = absl::InfinitePast();

  // ---- Queued and held jobs ----
  bool starts_now = false;  // the next round starts it: then there are no blockers
  // All of them, in the order of ReasonCode: the job's own, then those of the first class that it
  // may use. Empty and not starts_now: never.
  std::vector<ExplainedBlocker> blockers;
  ClassId device_class;  // the class they speak of; none: a job without devices
  std::vector<AlternativeClass> alternatives;
  // Every known node that has devices of the class (all nodes for a job without devices), once.
  std::vector<NodePart> parts;  // in the order of NodeStanding, without empty ones
  int64_t pool_nodes = 0;       // the sum of their nodes
  Ahead ahead;
  std::vector<std::string> notes;  // not blockers: what will hold once it starts
  Forecast forecast;
  std::vector<Advice> advice;
  // Of the last attempt, if there was one: why the job waits again. kPreempted: the store has the
  // certificate.
  std::optional<JobEnd> last_end;
  int last_attempt = 0;

  // ---- Jobs that hold devices ----
  std::optional<Holding> holding;
  std::string doing;  // preparing, stopping, its node is silent: as Cluster::ReasonOf says; or ""
};

struct ExplainOptions {
  ForecastLimits forecast;
  bool with_forecast = true;
  bool with_advice = true;
};

// Requires: the job is live in the cluster, and `now` is not before the cluster's last event.
Explanation Explain(const Cluster& cluster, const Policy& policy, JobId job, absl::Time now,
                    const ExplainOptions& options = {});

// `berth submit --plan`: what would become of this job. An error is the refusal of admission, as
// submitting would give it (refused_by_entitlement: never); else explanation.starts_now: now; else
// explanation.forecast says until when it waits. `explanation.job` exists nowhere.
struct SubmissionPlan {
  Explanation explanation;
  JobSpec spec;                    // resolved, with defaults
  std::vector<std::string> notes;  // as submitting would give them
};
// Who would submit what.
struct Submission {
  Actor actor;
  SubmitJob request;
};
absl::StatusOr<SubmissionPlan> ExplainSubmission(const Cluster& cluster, const Policy& policy,
                                                 const Submission& submission, absl::Time now,
                                                 const ExplainOptions& options = {});

// `berth explain --what-if`: the same of a live job after a change by this user. Errors: those that
// the change would give.
struct Change {
  Actor actor;
  UpdateJob request;
};
absl::StatusOr<Explanation> ExplainChange(const Cluster& cluster, const Policy& policy,
                                          const Change& change, absl::Time now,
                                          const ExplainOptions& options = {});

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_EXPLAIN_H_
