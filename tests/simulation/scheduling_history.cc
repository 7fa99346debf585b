#include "tests/simulation/scheduling_history.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"

#include "scheduler/core/admission.h"
#include "scheduler/core/booking_progress.h"
#include "scheduler/core/center_requests.h"
#include "scheduler/core/invariants.h"
#include "scheduler/core/job_progress.h"
#include "scheduler/core/job_requests.h"
#include "scheduler/core/node_protocol.h"
#include "scheduler/core/node_requests.h"
#include "scheduler/core/plan_application.h"
#include "scheduler/core/quota_requests.h"
#include "tests/simulation/history_story.h"
#include "tests/simulation/plan_checks.h"

namespace berth {
namespace {

constexpr int kRoundsMax = 12;     // after one event; more is a loop
constexpr int kMomentsMax = 4000;  // until everything has ended

bool Decides(const Plan& plan) {
  return !plan.starts.empty() || !plan.recalls.empty() || !plan.lapsed.empty();
}

}  // namespace

TaskReport SchedulingHistory::ReportOf(const Allocation& allocation, ReportKind kind) {
  TaskReport report;
  report.kind = kind;
  report.allocation = allocation.id;
  report.job = allocation.job;
  report.attempt = allocation.attempt;
  report.rendezvous_address = "127.0.0.1";
  report.rendezvous_port = 20000;
  return report;
}

SchedulingHistory::SchedulingHistory(HistoryOptions options)
    : options_(std::move(options)), random_(options_.seed) {
  policy_.suspect_after = absl::Hours(100000);
  policy_.lost_after = absl::Hours(200000);
  policy_.borrow_age = Chance(50) ? absl::Minutes(10) : absl::Hours(1);
  policy_.reclaim_min_run = Chance(15) ? absl::Minutes(2) : absl::ZeroDuration();
  policy_.nomination_timeout = Chance(20) ? absl::Seconds(20) : absl::Minutes(10);
  operator_.role = Role::kOperator;
  edits_quotas_ = Chance(40);
  loses_nodes_ = Chance(30);
  kinds_ = {Chance(25), Chance(25), Chance(25), Chance(15)};
  block_levels_ = Pick(2);
  BuildNodes();
  if (options_.rare_events) {
    LabelNodes();
  }
  BuildTenants();
}

const Findings& SchedulingHistory::Run() {
  if (options_.listener) {
    options_.listener(DescribeCenter(cluster_));
  }
  for (int i = 0; i < options_.events && findings_.ok(); ++i) {
    RandomEvent();
    Settle();
  }
  if (findings_.ok()) {
    DrainOut();
  }
  return findings_;
}

absl::Time SchedulingHistory::NextMoment() const {
  absl::Time next = std::min(next_look_, cluster_.NextWake().value_or(absl::InfiniteFuture()));
  for (const auto& [id, end] : ends_at_) {
    next = std::min(next, end);
  }
  for (const auto& [id, end] : released_at_) {
    next = std::min(next, end);
  }
  return next;
}

void SchedulingHistory::Advance(absl::Duration step) {
  now_ = std::max(now_, std::min(NextMoment(), now_ + step));
  DoWhatIsDue();
}

void SchedulingHistory::DoWhatIsDue() {
  const std::optional<absl::Time> wake = cluster_.NextWake();
  const size_t edits = cluster_.quota_edits().size();
  HandleTick(MakeStep());
  HandleBookings(MakeStep());
  ApplyQuotaEdits(MakeStep());
  cluster_.RefreshBookings(now_);
  if ((kinds_.windows && wake != cluster_.NextWake()) || edits != cluster_.quota_edits().size()) {
    Disturb();  // nodes go out of service, or come back; or a quota is another
  }
  std::vector<AllocationId> released;
  for (const auto& [id, time] : released_at_) {
    if (time <= now_) {
      released.push_back(id);
    }
  }
  for (AllocationId id : released) {
    released_at_.erase(id);
    const Allocation* allocation = cluster_.FindAllocation(id);
    if (allocation != nullptr && allocation->state == AllocationState::kReleasing) {
      TaskReport report = ReportOf(*allocation, ReportKind::kKilled);
      report.stop_reason = StopReason::kPreempted;
      ApplyReport(MakeStep(), report);
    }
  }
  std::vector<JobId> ended;
  for (const auto& [id, time] : ends_at_) {
    if (time <= now_) {
      ended.push_back(id);
    }
  }
  for (JobId id : ended) {
    EndRunning(id);
  }
}

void SchedulingHistory::EndRunning(JobId id) {
  ends_at_.erase(id);
  const Job* job = cluster_.FindJob(id);
  if (job == nullptr || job->state != JobState::kRunning) {
    return;
  }
  const bool late = job->attempt.started_at + job->spec.time_limit <= now_;
  const int exit_code = Chance(options_.rare_events ? 20 : 5) ? 1 : 0;
  for (AllocationId member : std::vector<AllocationId>(job->allocations)) {
    const Allocation* allocation = cluster_.FindAllocation(member);
    if (allocation == nullptr || allocation->state == AllocationState::kReleased) {
      continue;
    }
    TaskReport report = ReportOf(*allocation, late ? ReportKind::kKilled : ReportKind::kExited);
    report.exit_code = exit_code;
    report.stop_reason = late ? StopReason::kTimeLimit : StopReason::kNone;
    ApplyReport(MakeStep(), report);
  }
}

void SchedulingHistory::Obey() {
  for (JobId id : std::set<JobId>(cluster_.active_jobs())) {
    const Job& job = cluster_.GetJob(id);
    const std::vector<AllocationId> members = job.allocations;
    const bool starts = job.state == JobState::kDispatching || job.state == JobState::kStarting;
    if (starts && !Refuses(job)) {
      for (const ReportKind kind : {ReportKind::kPrepared, ReportKind::kStarted}) {
        for (AllocationId member : members) {
          if (kind == ReportKind::kStarted || members.size() > 1) {
            ApplyReport(MakeStep(), ReportOf(cluster_.GetAllocation(member), kind));
          }
        }
      }
      const int64_t limit = absl::ToInt64Seconds(cluster_.GetJob(id).spec.time_limit);
      const bool full = Chance(30);
      ends_at_[id] = now_ + absl::Seconds(full ? limit : 1 + Pick(static_cast<int>(limit)));
    }
    for (AllocationId member : members) {
      const Allocation* allocation = cluster_.FindAllocation(member);
      if (allocation == nullptr || allocation->state != AllocationState::kReleasing ||
          released_at_.contains(member)) {
        continue;
      }
      const int64_t notice =
          absl::ToInt64Seconds(cluster_.GetJob(id).attempt.stop_grace + policy_.kill_timeout);
      released_at_[member] =
          now_ + absl::Seconds(Chance(30) ? 0 : Pick(static_cast<int>(notice) + 1));
    }
  }
  commands_.clear();
  orders_.NoteProgress(cluster_, cluster_.TakeChanges(), findings_);
}

void SchedulingHistory::CompareForks(const Plan& plan) {
  Cluster fork = cluster_;
  const Plan again = options_.planner(fork, policy_, now_);
  findings_.Expect("fork plans the same",
                   plan.starts.size() == again.starts.size() &&
                       plan.recalls.size() == again.recalls.size() &&
                       plan.next_look == again.next_look,
                   "a copy of the cluster gives another plan");
  if (plan.whole) {
    return;
  }
  // Where nothing has happened everybody waits as before; a swap for a priority may wait for the
  // next round of its class.
  fork.StirAll();
  const Plan whole = options_.planner(fork, policy_, now_);
  const auto starts_same = [](const Start& a, const Start& b) {
    return a.job == b.job && a.device_class == b.device_class && a.funding == b.funding;
  };
  const bool enough = plan.recalls.size() != whole.recalls.size() ||
                      std::equal(plan.starts.begin(), plan.starts.end(), whole.starts.begin(),
                                 whole.starts.end(), starts_same);
  findings_.Expect("a round looks at enough", enough, "a look at all classes gives other starts");
  if (options_.listener && !enough) {
    options_.listener(DescribeRound({fork, policy_, now_, whole}));
  }
}

bool SchedulingHistory::Round() {
  if (next_look_ <= now_ || cluster_.stirred().empty()) {
    cluster_.StirAll();
  }
  Plan plan = options_.planner(cluster_, policy_, now_);
  findings_.Saw("rounds");
  CheckPlan({cluster_, policy_, now_, plan}, findings_);
  orders_.CheckPlan({cluster_, policy_, now_, plan}, findings_);
  if (options_.listener) {
    options_.listener(DescribeRound({cluster_, policy_, now_, plan}));
  }
  MixPlan(plan);
  if (options_.compare_forks) {
    CompareForks(plan);
  }
  if (!findings_.ok()) {
    return false;
  }
  findings_.Saw("lapsed claims", static_cast<int64_t>(plan.lapsed.size()));
  const bool decides = Decides(plan);
  const bool again = plan.again;
  const bool disturbs = !plan.lapsed.empty() || !plan.recalls.empty();
  Watch(plan);
  next_look_ = plan.whole ? plan.next_look : std::min(next_look_, plan.next_look);
  const uint64_t version = cluster_.stirred().version();
  ApplyPlan(MakeStep(), std::move(plan));
  if (!again || cluster_.stirred().version() == version) {
    cluster_.SettleStirred();
  }
  if (disturbs) {
    Disturb();
  }
  NoteLabels();
  orders_.CheckStarted(cluster_, now_, findings_);
  Obey();
  const absl::Status sound = CheckInvariants(cluster_);
  findings_.Expect("invariants", sound.ok(), std::string(sound.message()));
  return decides;
}

// Rounds as the engine runs them; what it would not look at must not change anything either.
void SchedulingHistory::Settle() {
  Obey();
  int rounds = 0;
  while (findings_.ok() && (!cluster_.stirred().empty() || next_look_ <= now_)) {
    Round();
    if (++rounds > kRoundsMax) {
      findings_.Expect("quiescence", false, "rounds go on changing things");
      return;
    }
  }
  if (findings_.ok() && options_.compare_forks) {
    const Plan plan = options_.planner(cluster_, policy_, now_);
    const bool starts = !plan.starts.empty() || !plan.lapsed.empty();
    // One that asks nobody only notes what comes by itself, and a round is due when it has come.
    // What started in the last round may be swapped for a higher priority in the next.
    const bool recalls =
        std::any_of(plan.recalls.begin(), plan.recalls.end(), [](const Recall& recall) {
          const auto& rows = recall.certificate.candidates;
          return !recall.certificate.within_tenant &&
                 std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.chosen; });
        });
    findings_.Expect("a round is due when it would decide", !starts && !recalls,
                     "a round that nobody asks for would decide something");
    if (options_.listener && !findings_.ok()) {
      options_.listener(DescribeRound({cluster_, policy_, now_, plan}));
    }
    findings_.Saw("swaps left to the next round", plan.recalls.empty() ? 0 : 1);
  }
  findings_.Saw("rests");
  if (findings_.ok()) {
    CheckOwnedClaims(cluster_, policy_, now_, findings_);
    CheckStarvation(cluster_, policy_, now_, findings_);
    orders_.CheckRest(cluster_, now_, findings_);
  }
  for (const auto& [claim, certificate] : cluster_.open_reclaims()) {
    findings_.Expect("nominations end", now_ < certificate.due + policy_.nomination_timeout,
                     "a nomination outlives its time");
  }
}

void SchedulingHistory::Disturb() {
  for (auto& [device_class, watched] : watched_) {
    watched.undisturbed = false;
  }
}

// Nobody comes any more, the center is whole, the quotas are as they were at first: what can run
// must run.
void SchedulingHistory::DrainOut() {
  drains_out_ = true;
  orders_.CheckSuspensions(cluster_, findings_);
  for (NodeId id : nodes_) {
    if (cluster_.GetNode(id).state == NodeState::kLost) {
      RejoinNode(id);
    }
    HandleRequest(MakeStep(), operator_, UndrainNode{cluster_.GetNode(id).name}).IgnoreError();
  }
  for (const auto& [id, booking] : std::map<BookingId, Booking>(cluster_.bookings())) {
    if (!booking.ended) {
      cluster_.EndBooking(id, now_);
    }
  }
  EndRareEvents();
  Disturb();
  for (const auto& [id, job] : std::map<JobId, Job>(cluster_.jobs())) {
    if (!CheckAdmission(cluster_, job.spec).ok() || !job.suspect_nodes.empty() ||
        !CouldStart(job.spec)) {
      Ask(operator_, CancelJob{id, "", false}).IgnoreError();
    }
  }
  Settle();
  for (int i = 0; i < kMomentsMax && findings_.ok() && !cluster_.jobs().empty(); ++i) {
    const absl::Time next = NextMoment();
    if (next == absl::InfiniteFuture()) {
      break;
    }
    Advance(next - now_);
    Settle();
  }
  for (const auto& [id, job] : cluster_.jobs()) {
    // Or it owns what could only be had by breaking a block that others own, or waits behind such a
    // head. An array without a task that may start, and who depends on others, waits for those that
    // are judged themselves.
    const ReasonCode reason = cluster_.ReasonOf(job).code;
    const bool behind_others =
        !job.spec.dependencies.empty() ||
        (job.is_array() && cluster_.StartableTasks(id) == 0 && !cluster_.TasksOf(id).empty());
    const bool may_wait =
        !CheckAdmission(cluster_, job.spec).ok() || !job.suspect_nodes.empty() || behind_others ||
        (kinds_.blocks && (reason == ReasonCode::kBlocksOwed || reason == ReasonCode::kQueueHead));
    findings_.Expect(
        "everything ends", may_wait,
        absl::StrFormat("job %d of tenant %d is %s: %s", id.value(), job.spec.tenant.value(),
                        std::string(Name(job.state)), cluster_.ReasonOf(job).message));
  }
  findings_.Expect("nominations end", !findings_.ok() || cluster_.nominations().empty(),
                   "a nomination is left");
}

void SchedulingHistory::Mix(uint64_t value) {
  hash_ = (hash_ ^ value) * 1099511628211ULL;
}

void SchedulingHistory::MixPlan(const Plan& plan) {
  Mix(static_cast<uint64_t>(absl::ToUnixMillis(now_)));
  const auto mix_start = [this](const Start& start) {
    Mix(start.job.value());
    Mix(start.device_class.value());
    Mix(static_cast<uint64_t>(start.funding));
    for (const Placement& member : start.members) {
      Mix(member.node.value());
      for (const DeviceShare& share : member.devices) {
        Mix(static_cast<uint64_t>(share.index));
      }
    }
  };
  std::for_each(plan.starts.begin(), plan.starts.end(), mix_start);
  for (const Recall& recall : plan.recalls) {
    mix_start(recall.claim);
    for (const ReclaimCandidate& candidate : recall.certificate.candidates) {
      Mix(candidate.job.value() * 2 + (candidate.chosen ? 1 : 0));
    }
  }
  for (const Anchor& anchor : plan.anchors) {
    Mix(anchor.job.value());
    Mix(static_cast<uint64_t>(absl::ToUnixMillis(anchor.shadow)));
  }
}

}  // namespace berth
