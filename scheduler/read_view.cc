#include "scheduler/read_view.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/core/job_requests.h"
#include "scheduler/core/quota_requests.h"

namespace berth {
namespace {

// Of one job: more than anybody reads.
constexpr int kReclaimsMax = 100;
// Each takes a search in the store.
constexpr int64_t kTasksLookedUpMax = 100;

bool Matches(const JobListQuery& query, const Job& job) {
  const bool state =
      query.states.empty() || std::count(query.states.begin(), query.states.end(), job.state) > 0;
  return state && !(query.without_tasks && job.array) &&
         (!query.array || query.array == job.array) && (!query.before || job.id < query.before) &&
         (!query.tenant.has_value() || *query.tenant == job.spec.tenant) &&
         (!query.user.has_value() || *query.user == job.spec.user) &&
         (!query.project.has_value() || *query.project == job.spec.project) &&
         (!query.name.has_value() || *query.name == job.spec.name);
}

bool WantsEnded(const JobListQuery& query) {
  return query.states.empty() ? query.all_states
                              : std::any_of(query.states.begin(), query.states.end(), IsTerminal);
}

}  // namespace

TenantId SubmitTenant(const Cluster& cluster, const Actor& actor, const SubmitJob& submit) {
  if (!actor.IsCenter()) {
    return actor.tenant;
  }
  const Tenant* tenant =
      cluster.quota().FindTenantByName(submit.tenant.empty() ? kCenterTenant : submit.tenant);
  return tenant == nullptr ? TenantId() : tenant->id;
}

JobRecord ReadView::LiveRecord(const Job& job) const {
  JobRecord record{.job = job, .allocations = {}, .reason = cluster().ReasonOf(job)};
  if (store_.recovery() && job.state == JobState::kQueued) {
    record.reason.message =
        "the center was restored from a backup: nothing starts until its operator resumes it";
  }
  for (AllocationId id : job.allocations) {
    record.allocations.push_back(cluster().GetAllocation(id));
  }
  return record;
}

absl::StatusOr<JobRecord> ReadView::EndedRecord(Job job) const {
  JobRecord record{.job = std::move(job), .allocations = {}, .reason = {}};
  if (record.job.attempt.state != AttemptState::kNone) {
    ASSIGN_OR_RETURN(std::vector<AllocationRecord> allocations,
                     store_.ListAllocations({.tenant = std::nullopt,
                                             .job = record.job.id,
                                             .attempt = record.job.attempt.number,
                                             .limit = engine_.policy().nodes_per_job_max}));
    for (AllocationRecord& allocation : allocations) {
      record.allocations.push_back(std::move(allocation.allocation));
    }
  }
  return record;
}

absl::StatusOr<JobRecord> ReadView::FindJob(const Actor& actor, JobId id) const {
  const absl::Status none =
      MakeError(absl::StatusCode::kNotFound, {.code = "B4001",
                                              .message = absl::StrCat("no job ", id.value()),
                                              .why = "",
                                              .fix = "berth ps -a"});
  if (const Job* live = cluster().FindJob(id); live != nullptr) {
    return actor.MaySee(live->spec.tenant) ? absl::StatusOr<JobRecord>(LiveRecord(*live)) : none;
  }
  ASSIGN_OR_RETURN(std::optional<Job> ended, store_.FindEndedJob(id));
  if (!ended.has_value() || !actor.MaySee(ended->spec.tenant)) {
    return none;
  }
  return EndedRecord(*std::move(ended));
}

absl::StatusOr<std::vector<JobRecord>> ReadView::ListJobs(const JobListQuery& query) const {
  std::vector<JobRecord> records;
  const auto& jobs = cluster().jobs();
  // Pages go on where the last one ended.
  const auto behind = query.before ? jobs.lower_bound(query.before) : jobs.end();
  for (auto job = std::make_reverse_iterator(behind); job != jobs.rend(); ++job) {
    if (static_cast<int>(records.size()) == query.limit) {
      break;
    }
    if (Matches(query, job->second)) {
      records.push_back(LiveRecord(job->second));
    }
  }
  if (WantsEnded(query)) {
    EndedJobQuery ended_query{.tenant = query.tenant,
                              .user = query.user,
                              .project = query.project,
                              .name = query.name,
                              .states = query.states,
                              .without_tasks = query.without_tasks,
                              .array = query.array,
                              .before = query.before,
                              .limit = query.limit};
    ASSIGN_OR_RETURN(std::vector<Job> ended, store_.ListEndedJobs(ended_query));
    for (Job& job : ended) {
      ASSIGN_OR_RETURN(JobRecord record, EndedRecord(std::move(job)));
      records.push_back(std::move(record));
    }
    std::sort(records.begin(), records.end(),
              [](const JobRecord& a, const JobRecord& b) { return a.job.id > b.job.id; });
    records.resize(std::min(records.size(), static_cast<size_t>(query.limit)));
  }
  return records;
}

absl::StatusOr<std::vector<AllocationRecord>> ReadView::ListAllocations(
    const AllocationQuery& query) const {
  return store_.ListAllocations(query);
}

absl::StatusOr<std::string> ReadView::GetJobPayload(const Job& job) const {
  return store_.GetJobPayload(job.array ? job.array : job.id);
}

absl::StatusOr<JobId> ReadView::FindArrayTask(const Actor& actor, JobId array, int index) const {
  ASSIGN_OR_RETURN(const JobRecord record, FindJob(actor, array));
  const ArrayRange& range = record.job.spec.array;
  if (!range.PositionOf(index).has_value()) {
    return NoSuchTask(record.job, index);
  }
  ASSIGN_OR_RETURN(const JobId task, store_.FindArrayTask(array, index));
  if (!task) {
    const JobState state = record.job.state;
    const bool never =
        range.IsCancelled(index) || (state != JobState::kQueued && state != JobState::kHeld);
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        {.code = "B4005",
         .message = absl::StrCat("task ", index, " of job ", array.value(),
                                 never ? " was cancelled before it started" : " has not started"),
         .why = "a task becomes a job of its own when it starts",
         .fix = absl::StrCat(never ? "berth show " : "berth explain ", array.value())});
  }
  return task;
}

absl::Status ReadView::FindEndedDependencies(const Actor& actor, SubmitJob& submit) const {
  const TenantId tenant = SubmitTenant(cluster(), actor, submit);
  for (const Dependency& dependency : submit.spec.dependencies) {
    if (cluster().FindJob(dependency.job) != nullptr) {
      continue;
    }
    ASSIGN_OR_RETURN(const std::optional<Job> ended, store_.FindEndedJob(dependency.job));
    if (ended.has_value() && ended->spec.tenant == tenant) {
      submit.ended_dependencies[dependency.job] = ended->state;
    }
  }
  return absl::OkStatus();
}

absl::Status ReadView::FindCancelledTasks(CancelJob& cancel) const {
  const int64_t count =
      std::accumulate(cancel.tasks.begin(), cancel.tasks.end(), int64_t{0},
                      [](int64_t sum, const IndexRange& range) { return sum + range.count; });
  if (count > kTasksLookedUpMax) {
    return absl::OkStatus();
  }
  for (int index : IndexesOf(cancel.tasks)) {
    ASSIGN_OR_RETURN(const JobId task, store_.FindArrayTask(cancel.job, index));
    ASSIGN_OR_RETURN(const std::optional<Job> ended, store_.FindEndedJob(task));
    if (ended.has_value() && ended->state == JobState::kCancelled) {
      cancel.cancelled_before.insert(index);
    }
  }
  return absl::OkStatus();
}

std::shared_ptr<const Cluster> ReadView::Fork() const {
  if (fork_ == nullptr) {
    fork_ = std::make_shared<const Cluster>(cluster());
  }
  return fork_;
}

absl::StatusOr<std::vector<Attempt>> ReadView::ListEndedAttempts(JobId id) const {
  return store_.ListEndedAttempts(id);
}

absl::StatusOr<std::vector<Reclaim>> ReadView::ListReclaims(JobId id) const {
  return store_.ListReclaims(id, kReclaimsMax);
}

std::vector<QuotaRow> ReadView::ListQuota(std::optional<TenantId> tenant) const {
  return ListQuotaRows(cluster(), tenant);
}

}  // namespace berth
