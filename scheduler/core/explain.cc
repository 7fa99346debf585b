#include "scheduler/core/explain.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"

#include "common/status_macros.h"
#include "scheduler/core/admission.h"
#include "scheduler/core/explain_parts.h"
#include "scheduler/core/job_requests.h"
#include "scheduler/core/step.h"

namespace berth {
namespace {

ExplainedBlocker InWords(const Cluster& cluster, const JobSpec& spec, const Blocker& blocker) {
  return {blocker, cluster.Describe(spec, blocker).message};
}

// Of devices that nobody was asked for, as the job may not start yet.
ExplainedBlocker WouldBeRecalled(const Cluster& cluster, const Blocker& blocker, absl::Time now) {
  return {blocker, absl::StrFormat("%d %s would be given back for it, within %s", blocker.asked,
                                   cluster.ClassName(blocker.device_class),
                                   absl::FormatDuration(blocker.until - now))};
}

std::string BorrowNote(const Stuck& stuck, ClassId device_class) {
  const JobSpec& spec = stuck.job.spec;
  const QuotaKey key{spec.tenant, ProjectId(), device_class};
  const int64_t entitlement = stuck.cluster.quota().Limits(key).entitlement;
  const int64_t used = stuck.cluster.quota().Use(key).used();
  // An elastic gang starts on what is owned, if that is enough.
  const int64_t devices = spec.gang.least_devices();
  const int64_t would_use = used + devices;
  const bool may_borrow = spec.may_borrow && spec.preemptible;
  if (would_use <= entitlement || !may_borrow) {
    return "";
  }
  return absl::StrFormat(
      "tenant \"%s\" owns %d %s and would use %s%d: %d are borrowed, and the job can be recalled "
      "with %s notice",
      stuck.cluster.quota().FindTenant(spec.tenant)->name, entitlement,
      stuck.cluster.ClassName(device_class), spec.gang.is_elastic() ? "at least " : "", would_use,
      std::min(would_use - entitlement, devices), absl::FormatDuration(spec.grace));
}

// Not blockers: the job could do without, or has itself to blame.
void AddNotes(const Stuck& stuck, ClassId device_class, Explanation& explanation) {
  explanation.notes = AdmissionNotes(stuck.cluster, stuck.job.spec);
  if (!device_class) {
    return;
  }
  if (std::string note = BorrowNote(stuck, device_class); !note.empty()) {
    explanation.notes.push_back(std::move(note));
  }
  const QuotaView quota(stuck.cluster);
  const QuotaView::Position& own = quota.Of(stuck.key().tenant, device_class);
  for (const Blocker& blocker : quota.Objections(stuck.key(), device_class, Phase::kOwned)) {
    if (blocker.code == ReasonCode::kShortfall && own.share < own.limits.entitlement) {
      explanation.notes.push_back(stuck.cluster.Describe(stuck.job.spec, blocker).message +
                                  ": it starts on what is free, and recalls nothing");
    }
  }
}

Holding HoldingOf(const Cluster& cluster, const Job& job) {
  Holding holding;
  holding.device_class = job.attempt.device_class;
  holding.funding = job.attempt.funding;
  holding.devices = cluster.HeldDevices(job);
  for (AllocationId id : job.allocations) {
    const Allocation& allocation = cluster.GetAllocation(id);
    if (allocation.state != AllocationState::kReleased) {
      holding.nodes.push_back(allocation.node);
    }
  }
  holding.since = std::max(job.attempt.started_at, job.attempt.created_at);
  holding.ends_by = holding.since + job.spec.time_limit;
  holding.for_priority = job.spec.preemptible;
  holding.for_owners = job.spec.preemptible && holding.funding == Funding::kBorrowed;
  holding.notice = job.spec.grace;
  holding.shrinks_to = job.spec.gang.is_elastic() ? job.spec.gang.least_nodes() : 0;
  holding.attempt = job.attempt.number;
  for (const auto& [claim, reclaim] : cluster.open_reclaims()) {
    for (const ReclaimCandidate& candidate : reclaim.candidates) {
      if (candidate.chosen && candidate.job == job.id && candidate.attempt == job.attempt.number) {
        holding.stopped_for = claim;
      }
    }
  }
  return holding;
}

// What the last round has nominated for the job, or for a new task of it, in `after`; nothing if
// nothing was.
std::optional<Blocker> RecallFor(const Cluster& before, const Cluster& after, JobId job) {
  for (const auto& [claim, start] : after.nominations()) {
    const bool new_task = after.GetJob(claim).array == job && !before.nominations().contains(claim);
    if (claim == job || new_task) {
      return after.BlockerOf(after.GetJob(claim));
    }
  }
  return std::nullopt;
}

// Whether the job starts where others make room for it, once they have: quotas and nodes may have
// changed since they were asked. `after` becomes that time.
bool StartsAfterRecall(Cluster& after, const Policy& policy, JobId job, absl::Time now) {
  EndRecalled(after, policy, now);
  // In the first round a claim may lapse that the second one starts as a borrower.
  const bool starts = RunForkRound(after, policy, job, now).has_value() ||
                      RunForkRound(after, policy, job, now).has_value();
  // An array whose last task is the one that waits is not in the queue any more.
  return starts || !after.GetJob(job).group || RecallFor(after, after, job).has_value();
}

// The nodes, and, if it `stays`, all that stands against each class.
void AddClasses(const Cluster& cluster, const Stuck& stuck, bool stays, Explanation& explanation) {
  const JobSpec& spec = stuck.job.spec;
  const std::vector<ClassId> classes = ClassOrder(stuck.cluster, spec.tenant, spec.gang);
  if (classes.empty()) {
    explanation.blockers.push_back(
        InWords(cluster, spec, {.code = ReasonCode::kNoNodes, .have = 0}));
    return;
  }
  explanation.device_class = classes.front();
  explanation.parts = PartsOf(stuck, classes.front());
  for (const NodePart& part : explanation.parts) {
    explanation.pool_nodes += part.nodes;
  }
  explanation.ahead = AheadOf(cluster, stuck, classes.front());
  AddNotes(stuck, classes.front(), explanation);
  if (!stays) {
    return;
  }
  for (const Blocker& blocker : ClassBlockers(stuck, classes.front())) {
    explanation.blockers.push_back(InWords(stuck.cluster, spec, blocker));
  }
  for (size_t i = 1; i < classes.size(); ++i) {
    const Blocker first = ClassBlockers(stuck, classes[i]).front();
    explanation.alternatives.push_back({classes[i], InWords(stuck.cluster, spec, first)});
  }
}

void ExplainPending(const Cluster& cluster, const Policy& policy, const Job& job,
                    const ExplainOptions& options, Explanation& explanation) {
  const absl::Time now = explanation.as_of;
  for (const Blocker& blocker : OwnBlockers(cluster, job, now)) {
    explanation.blockers.push_back(InWords(cluster, job.spec, blocker));
  }
  const bool waits = !explanation.blockers.empty();
  Fork fork = MakeFork(cluster, job.id, options.forecast.pending_max, waits);
  fork.cluster.WakeJobs(now);
  Cluster after = fork.cluster;
  const bool starts = RunForkRound(after, policy, job.id, now).has_value();
  explanation.starts_now = starts && !waits;
  const std::optional<Blocker> recall = RecallFor(fork.cluster, after, job.id);
  // Where it has its places, the nodes are shown as they were before.
  const bool stays =
      !starts && !(recall.has_value() && StartsAfterRecall(after, policy, job.id, now));
  const Cluster& shown = stays ? after : fork.cluster;
  AddClasses(cluster, {shown, policy, shown.GetJob(job.id), now}, stays, explanation);
  if (!starts && recall.has_value()) {
    explanation.blockers.push_back(waits ? WouldBeRecalled(cluster, *recall, now)
                                         : InWords(cluster, job.spec, *recall));
    std::stable_sort(explanation.blockers.begin(), explanation.blockers.end(),
                     [](const auto& a, const auto& b) { return a.blocker.code < b.blocker.code; });
  }
  if (options.with_forecast && waits) {
    Fork truth = MakeFork(cluster, job.id, options.forecast.pending_max, false);
    explanation.forecast =
        ForecastStart(std::move(truth.cluster), policy, job.id, now, options.forecast);
    explanation.forecast.complete = truth.complete;
  } else if (options.with_forecast) {
    // It goes on where this round ended, unless that is to be seen once more.
    const bool goes_on = stays && !recall.has_value();
    explanation.forecast = ForecastStart(goes_on ? std::move(after) : Cluster(fork.cluster), policy,
                                         job.id, now, options.forecast);
    explanation.forecast.complete = fork.complete;
  }
  if (options.with_advice && !waits && !starts) {
    explanation.advice = FindAdvice(std::move(fork), policy, explanation, options.forecast);
  }
}

}  // namespace

Explanation Explain(const Cluster& cluster, const Policy& policy, JobId id, absl::Time now,
                    const ExplainOptions& options) {
  const Job& job = cluster.GetJob(id);
  Explanation explanation;
  explanation.job = id;
  explanation.state = job.state;
  explanation.as_of = now;
  if (job.attempt.state == AttemptState::kEnded) {
    explanation.last_end = job.attempt.end;
    explanation.last_attempt = job.attempt.number;
  }
  if (job.state == JobState::kQueued || job.state == JobState::kHeld) {
    ExplainPending(cluster, policy, job, options, explanation);
  } else if (IsActive(job.state) && !job.is_array()) {
    explanation.holding = HoldingOf(cluster, job);
    explanation.doing = cluster.ReasonOf(job).message;
  }
  return explanation;
}

absl::StatusOr<SubmissionPlan> ExplainSubmission(const Cluster& cluster, const Policy& policy,
                                                 const Submission& submission, absl::Time now,
                                                 const ExplainOptions& options) {
  Cluster fork = cluster;
  std::vector<NodeCommand> commands;
  SubmitJob submit = submission.request;
  submit.dry_run = false;
  Outcome outcome;
  ASSIGN_OR_RETURN(outcome,
                   HandleRequest(Step{fork, policy, 0, now, commands}, submission.actor, submit));
  SubmissionPlan plan;
  plan.explanation = Explain(fork, policy, outcome.job, now, options);
  plan.spec = fork.GetJob(outcome.job).spec;
  plan.notes = std::move(outcome.notes);
  return plan;
}

absl::StatusOr<Explanation> ExplainChange(const Cluster& cluster, const Policy& policy,
                                          const Change& change, absl::Time now,
                                          const ExplainOptions& options) {
  Cluster fork = cluster;
  std::vector<NodeCommand> commands;
  RETURN_IF_ERROR(
      HandleRequest(Step{fork, policy, 0, now, commands}, change.actor, change.request).status());
  return Explain(fork, policy, change.request.job, now, options);
}

}  // namespace berth
