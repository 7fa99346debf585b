#ifndef BERTH_SCHEDULER_READ_VIEW_H_
#define BERTH_SCHEDULER_READ_VIEW_H_

// What a reader sees between two turns: live nouns from memory, ended jobs from the store. Lives on
// the loop's thread, during one callback.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "scheduler/core/engine.h"
#include "scheduler/store/store.h"

namespace berth {

// A job with all that a reader may want, live or ended.
struct JobRecord {
  Job job;
  std::vector<Allocation> allocations;  // of the current or last attempt, by rank
  PendingReason reason;
};

struct JobListQuery {
  std::optional<TenantId> tenant;
  std::optional<UserId> user;
  std::optional<ProjectId> project;
  std::optional<std::string> name;
  std::vector<JobState> states;  // empty: as all_states says
  bool all_states = false;
  JobId array;                 // only tasks of this one; none: any job
  bool without_tasks = false;  // no tasks of arrays
  JobId before;                // none: from the newest
  int limit = 1000;
};

// The tenant that a submission is for; none if the engine will refuse it anyway.
TenantId SubmitTenant(const Cluster& cluster, const Actor& actor, const SubmitJob& submit);

class ReadView {
 public:
  ReadView(const Engine& engine, Store& store, absl::Time now)
      : engine_(engine), store_(store), now_(now) {}
  const Cluster& cluster() const { return engine_.cluster(); }
  const Policy& policy() const { return engine_.policy(); }
  // A copy for another thread, as of this turn: the same one for all who ask in it.
  std::shared_ptr<const Cluster> Fork() const;
  absl::Time now() const { return now_; }
  // NotFound also if the actor may not know of it.
  absl::StatusOr<JobRecord> FindJob(const Actor& actor, JobId id) const;
  // Newest first; at most query.limit.
  absl::StatusOr<std::vector<JobRecord>> ListJobs(const JobListQuery& query) const;
  absl::StatusOr<std::vector<AllocationRecord>> ListAllocations(const AllocationQuery& query) const;
  // Of a task: its array's.
  absl::StatusOr<std::string> GetJobPayload(const Job& job) const;
  // The job that a task of an array is. NotFound: the actor may not know of the array, or there is
  // no such index; FailedPrecondition: the task is no job yet.
  absl::StatusOr<JobId> FindArrayTask(const Actor& actor, JobId array, int index) const;
  // The engine knows live jobs only: those dependencies that ended are looked up for it, of the
  // submission's own tenant.
  absl::Status FindEndedDependencies(const Actor& actor, SubmitJob& submit) const;
  // The engine knows live jobs only: which of the tasks named were cancelled is looked up for it,
  // of a hundred at most.
  absl::Status FindCancelledTasks(CancelJob& cancel) const;
  // Whether a live job works in this uploaded folder of the tenant's.
  absl::StatusOr<bool> IsUploadInUse(TenantId tenant, absl::string_view upload) const {
    return store_.IsUploadInUse(tenant, upload);
  }
  // The attempts before the current or last one.
  absl::StatusOr<std::vector<Attempt>> ListEndedAttempts(JobId id) const;
  // The certificates of what was claimed for the job and taken from it, the newest first.
  absl::StatusOr<std::vector<Reclaim>> ListReclaims(JobId id) const;
  // Rows of one tenant or of all, per class; projects after their tenant.
  std::vector<QuotaRow> ListQuota(std::optional<TenantId> tenant) const;

 private:
  JobRecord LiveRecord(const Job& job) const;
  absl::StatusOr<JobRecord> EndedRecord(Job job) const;

  const Engine& engine_;
  Store& store_;
  absl::Time now_;
  mutable std::shared_ptr<const Cluster> fork_;  // made when first asked for
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_READ_VIEW_H_
