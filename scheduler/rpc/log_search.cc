#include "scheduler/rpc/log_search.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "proto/job.pb.h"

namespace berth {
namespace {

// As agents tell it of nodes whose archive works.
constexpr char kFacilityLogArchive[] = "log-archive";
constexpr size_t kArchiveReadersMax = 3;

absl::Status NoLog(absl::StatusCode code, absl::string_view message, absl::string_view why,
                   absl::string_view fix) {
  return MakeError(code, {.code = "B4301", .message = message, .why = why, .fix = fix});
}

absl::Status CheckReader(const Actor& actor, const Job& job) {
  const bool is_own = actor.user && actor.user == job.spec.user;
  const bool is_admin = actor.role == Role::kTenantAdmin && actor.tenant == job.spec.tenant;
  if (is_own || is_admin) {
    return absl::OkStatus();
  }
  return MakeError(absl::StatusCode::kPermissionDenied,
                   {.code = "B7207",
                    .message = absl::StrCat("the log of job ", job.id.value(), " is not yours"),
                    .why = "a log is open to the job's user and to the admins of its tenant",
                    .fix = "ask one of them"});
}

// How many logs each node of the job writes.
absl::StatusOr<int> RanksPerNode(const ReadView& view, const Job& job) {
  ASSIGN_OR_RETURN(const std::string payload, view.GetJobPayload(job));
  v1::JobSpec spec;
  if (!spec.ParseFromString(payload)) {
    return absl::InternalError(
        absl::StrCat("the specification of job ", job.id.value(), " cannot be read"));
  }
  return spec.launch() == v1::LAUNCH_MODE_DEVICE ? std::max(1, job.spec.gang.devices_per_node) : 1;
}

absl::StatusOr<int> ChooseRank(const Job& job, int asked, int ranks_per_node) {
  const int rank_count = job.spec.gang.nodes * ranks_per_node;
  if (asked == -1) {
    const bool failed = IsTerminal(job.state) && job.state != JobState::kSucceeded;
    return failed ? std::max(0, job.attempt.end.failed_rank) : 0;
  }
  if (asked < 0 || asked >= rank_count) {
    return NoLog(absl::StatusCode::kInvalidArgument,
                 absl::StrCat("job ", job.id.value(), " has no rank ", asked),
                 absl::StrCat("its ranks are 0 to ", rank_count - 1), "");
  }
  return asked;
}

// Of one attempt, by rank.
absl::StatusOr<std::vector<Allocation>> AllocationsOf(const ReadView& view, const JobRecord& record,
                                                      int attempt) {
  if (attempt == record.job.attempt.number && !record.allocations.empty()) {
    return record.allocations;
  }
  ASSIGN_OR_RETURN(std::vector<AllocationRecord> records,
                   view.ListAllocations({.tenant = record.job.spec.tenant,
                                         .job = record.job.id,
                                         .attempt = attempt,
                                         .limit = record.job.spec.gang.nodes}));
  std::vector<Allocation> allocations;
  allocations.reserve(records.size());
  for (AllocationRecord& found : records) {
    allocations.push_back(std::move(found.allocation));
  }
  return allocations;
}

bool HasStarted(const Job& job, int attempt) {
  if (attempt < job.attempt.number || IsTerminal(job.state)) {
    return true;
  }
  switch (job.state) {
    case JobState::kRunning:
    case JobState::kStopping:
    case JobState::kWaitNode:
    case JobState::kSucceeded:
    case JobState::kFailed:
    case JobState::kCancelled:
    case JobState::kTimedOut:
    case JobState::kDependencyFailed:
      return true;
    case JobState::kHeld:
    case JobState::kQueued:
    case JobState::kDispatching:
    case JobState::kStarting:
      return false;
  }
  return false;
}

// Whether the caller asks for an attempt by its number that is over, though no other has begun yet.
bool IsPast(const Job& job, const v1::StreamLogsRequest& request) {
  return request.attempt() == job.attempt.number && job.attempt.state == AttemptState::kEnded &&
         job.attempt.started_at > absl::InfinitePast();
}

// All nodes share one archive: any of them may be asked for what is there.
std::vector<LogNode> FindArchiveReaders(const Cluster& cluster) {
  std::vector<LogNode> readers;
  for (const auto& [id, node] : cluster.nodes()) {
    const std::vector<std::string>& facilities = node.facts.facilities;
    if (node.session && readers.size() < kArchiveReadersMax &&
        std::find(facilities.begin(), facilities.end(), kFacilityLogArchive) != facilities.end()) {
      readers.push_back({id, node.name});
    }
  }
  return readers;
}

absl::Status NotStarted(const JobRecord& record) {
  return NoLog(absl::StatusCode::kFailedPrecondition,
               absl::StrCat("job ", record.job.id.value(), " has not started: there is no log yet"),
               record.reason.message,
               absl::StrCat("berth logs -f ", record.job.id.value(), " waits for it"));
}

}  // namespace

absl::Status CheckNoArray(const Job& job, absl::string_view code) {
  if (job.spec.array.count == 0) {
    return absl::OkStatus();
  }
  const uint64_t id = job.id.value();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = code,
                    .message = absl::StrCat("job ", id, " is an array: name one of its tasks"),
                    .why = job.attempt.end.message,
                    .fix = absl::StrCat(id, ".", job.spec.array.first,
                                        " is its first; berth ps -a --tasks shows all")});
}

absl::StatusOr<LogPlace> FindLog(const ReadView& view, const Actor& actor,
                                 const v1::StreamLogsRequest& request) {
  ASSIGN_OR_RETURN(const JobRecord record, view.FindJob(actor, JobId(request.job_id())));
  const Job& job = record.job;
  RETURN_IF_ERROR(CheckReader(actor, job));
  RETURN_IF_ERROR(CheckNoArray(job, "B4301"));
  const int attempt = request.attempt() == -1 ? job.attempt.number : request.attempt();
  if (attempt < 0 || attempt > job.attempt.number) {
    return NoLog(absl::StatusCode::kNotFound,
                 absl::StrCat("job ", job.id.value(), " has no attempt ", request.attempt()),
                 absl::StrCat("its newest attempt is ", job.attempt.number), "");
  }
  ASSIGN_OR_RETURN(const int ranks_per_node, RanksPerNode(view, job));
  ASSIGN_OR_RETURN(const int rank, ChooseRank(job, request.rank(), ranks_per_node));
  if (!HasStarted(job, attempt) && !IsPast(job, request)) {
    return request.follow() ? absl::StatusOr<LogPlace>(LogPlace{.started = false})
                            : absl::StatusOr<LogPlace>(NotStarted(record));
  }
  ASSIGN_OR_RETURN(const std::vector<Allocation> allocations, AllocationsOf(view, record, attempt));
  for (const Allocation& allocation : allocations) {
    if (allocation.rank == rank / ranks_per_node) {
      const Node* node = view.cluster().FindNode(allocation.node);
      const bool is_away = node == nullptr || !node->session;
      const bool is_over = allocation.state == AllocationState::kReleased;
      return LogPlace{
          .started = true,
          .node = {allocation.node, node == nullptr ? "" : node->name},
          .readers =
              is_away && is_over ? FindArchiveReaders(view.cluster()) : std::vector<LogNode>(),
          .allocation = allocation.id,
          .attempt = attempt,
          .rank = rank
      };
    }
  }
  return NoLog(absl::StatusCode::kFailedPrecondition,
               absl::StrCat("job ", job.id.value(), " never started: it has no log"),
               "it ended before any node was given to it", "");
}

}  // namespace berth
