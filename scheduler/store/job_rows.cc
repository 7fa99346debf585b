#include "scheduler/store/job_rows.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "common/status_macros.h"
#include "scheduler/store/attempt_rows.h"
#include "scheduler/store/column_codec.h"

namespace berth {
namespace {

// Written once, when the job is submitted. BindSpec and ReadSpec follow this order.
constexpr char kSpecColumns[] =
    "id, tenant_id, project_id, user_id, cpu_milli, memory_mib, node_labels, excluded_nodes, "
    "preemptible, hold, launch_per_device, on_node_loss, lease_us, requeue_on_node_fault, "
    "requeue_on_preempt, requeue_on_error, max_requeues, requeue_exit_codes, submitted_us, "
    "device_share_milli, topology, topology_required, begin_us, array_first, array_count, "
    "array_step, array_concurrent_max, array_fails_max, array_ranges, array_id, array_index";
constexpr int kSpecColumnCount = 31;
// What `berth update` may change: BindEditable and ReadEditable.
constexpr char kEditableColumns[] =
    "name, nodes, min_nodes, devices_per_node, classes, time_limit_us, grace_us, priority, "
    "may_borrow";
constexpr int kEditableColumnCount = 9;
// Written with every change: BindProgress and ReadProgress.
constexpr char kProgressColumns[] =
    "state, ended_us, not_before_us, requeues, cancel_requested, version, dependencies, "
    "tasks_next, tasks_succeeded, tasks_failed, tasks_cancelled, array_cancelled, suspect_nodes";
constexpr int kProgressColumnCount = 13;
constexpr int kJobColumnCount =
    kSpecColumnCount + kEditableColumnCount + kProgressColumnCount + kAttemptColumnCount;

std::string JobColumns() {
  return absl::StrCat(kSpecColumns, ", ", kEditableColumns, ", ", kProgressColumns, ", ",
                      kAttemptColumns);
}

// "ok:4811,any:4812"
std::string EncodeDependencies(const std::vector<Dependency>& dependencies) {
  return absl::StrJoin(dependencies, ",", [](std::string* out, const Dependency& dependency) {
    absl::StrAppend(out, Name(dependency.kind), ":", dependency.job.value());
  });
}

std::vector<Dependency> DecodeDependencies(absl::string_view column) {
  std::vector<Dependency> dependencies;
  for (const absl::string_view item : absl::StrSplit(column, ',', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(item, absl::MaxSplits(':', 1));
    const auto kind = FindDependencyKind(parts.first);
    const std::vector<JobId> job = DecodeIds<JobId>(parts.second);
    if (kind.has_value() && job.size() == 1) {
      dependencies.push_back({*kind, job[0]});
    }
  }
  return dependencies;
}

// First, count and step of each.
std::string EncodeRanges(const ArrayRange& array, std::vector<IndexRange> ArrayLists::*list) {
  std::vector<int> numbers;
  if (array.lists != nullptr) {
    for (const IndexRange& range : (*array.lists).*list) {
      numbers.insert(numbers.end(), {range.first, range.count, range.step});
    }
  }
  return EncodeInts(numbers);
}

std::vector<IndexRange> DecodeRanges(absl::string_view column) {
  const std::vector<int> numbers = DecodeInts(column);
  std::vector<IndexRange> ranges;
  for (size_t i = 0; i + 2 < numbers.size(); i += 3) {
    ranges.push_back({numbers[i], numbers[i + 1], numbers[i + 2]});
  }
  return ranges;
}

void BindSpec(Statement& row, const Job& job) {
  const JobSpec& spec = job.spec;
  row.BindId(job.id);
  row.BindId(spec.tenant);
  row.BindId(spec.project);
  row.BindId(spec.user);
  row.BindInt(spec.gang.per_node.cpu_milli);
  row.BindInt(spec.gang.per_node.memory_mib);
  row.BindText(EncodePairs(spec.gang.node_labels));
  row.BindText(EncodeLines(spec.gang.excluded_nodes));
  row.BindInt(spec.preemptible ? 1 : 0);
  row.BindInt(spec.hold ? 1 : 0);
  row.BindInt(spec.launch_per_device ? 1 : 0);
  row.BindWord(spec.on_node_loss);
  row.BindDuration(absl::Milliseconds(spec.lease_ms));
  row.BindInt(spec.requeue.on_node_fault ? 1 : 0);
  row.BindInt(spec.requeue.on_preempt ? 1 : 0);
  row.BindInt(spec.requeue.on_error ? 1 : 0);
  row.BindInt(spec.requeue.max_requeues);
  row.BindText(EncodeInts(spec.requeue.exit_codes));
  row.BindTime(job.submitted_at);
  row.BindInt(spec.gang.device_share_milli);
  row.BindWord(spec.gang.topology);
  row.BindInt(spec.gang.topology_required ? 1 : 0);
  row.BindTime(spec.begin_at);
  row.BindInt(spec.array.first);
  row.BindInt(spec.array.count);
  row.BindInt(spec.array.step);
  row.BindInt(spec.array.concurrent_max);
  row.BindInt(spec.array.fails_max);
  row.BindText(EncodeRanges(spec.array, &ArrayLists::ranges));
  row.BindId(job.array);
  row.BindInt(job.array_index);
}

void BindEditable(Statement& row, const JobSpec& spec) {
  row.BindText(spec.name);
  row.BindInt(spec.gang.nodes);
  row.BindInt(spec.gang.min_nodes);
  row.BindInt(spec.gang.devices_per_node);
  row.BindText(EncodeIds(spec.gang.classes));
  row.BindDuration(spec.time_limit);
  row.BindDuration(spec.grace);
  row.BindInt(spec.priority);
  row.BindInt(spec.may_borrow ? 1 : 0);
}

void BindProgress(Statement& row, const Job& job) {
  row.BindWord(job.state);
  row.BindTime(job.ended_at);
  row.BindTime(job.not_before);
  row.BindInt(job.requeues);
  row.BindInt(job.cancel_requested ? 1 : 0);
  row.BindInt(static_cast<int64_t>(job.version));
  row.BindText(EncodeDependencies(job.spec.dependencies));
  row.BindInt(job.tasks.next);
  row.BindInt(job.tasks.succeeded);
  row.BindInt(job.tasks.failed);
  row.BindInt(job.tasks.cancelled);
  row.BindText(EncodeRanges(job.spec.array, &ArrayLists::cancelled));
  row.BindText(EncodeIds(job.suspect_nodes));
}

void ReadSpec(Statement& row, Job& job) {
  JobSpec& spec = job.spec;
  job.id = row.ReadId<JobId>();
  spec.tenant = row.ReadId<TenantId>();
  spec.project = row.ReadId<ProjectId>();
  spec.user = row.ReadId<UserId>();
  spec.gang.per_node.cpu_milli = row.ReadInt();
  spec.gang.per_node.memory_mib = row.ReadInt();
  spec.gang.node_labels = DecodePairs(row.ReadText());
  spec.gang.excluded_nodes = DecodeLines(row.ReadText());
  spec.preemptible = row.ReadBool();
  spec.hold = row.ReadBool();
  spec.launch_per_device = row.ReadBool();
  spec.on_node_loss = row.ReadWord(FindNodeLossPolicy);
  spec.lease_ms = absl::ToInt64Milliseconds(row.ReadDuration());
  spec.requeue.on_node_fault = row.ReadBool();
  spec.requeue.on_preempt = row.ReadBool();
  spec.requeue.on_error = row.ReadBool();
  spec.requeue.max_requeues = row.ReadInt32();
  spec.requeue.exit_codes = DecodeInts(row.ReadText());
  job.submitted_at = row.ReadTime();
  spec.gang.device_share_milli = row.ReadInt32();
  spec.gang.topology = row.ReadWord(FindTopologyLevel);
  spec.gang.topology_required = row.ReadBool();
  spec.begin_at = row.ReadTime();
  spec.array.first = row.ReadInt32();
  spec.array.count = row.ReadInt32();
  spec.array.step = row.ReadInt32();
  spec.array.concurrent_max = row.ReadInt32();
  spec.array.fails_max = row.ReadInt32();
  if (std::vector<IndexRange> ranges = DecodeRanges(row.ReadText()); !ranges.empty()) {
    spec.array.lists = std::make_shared<const ArrayLists>(ArrayLists{.ranges = std::move(ranges)});
  }
  job.array = row.ReadId<JobId>();
  job.array_index = row.ReadInt32();
}

void ReadEditable(Statement& row, JobSpec& spec) {
  spec.name = row.ReadText();
  spec.gang.nodes = row.ReadInt32();
  spec.gang.min_nodes = row.ReadInt32();
  spec.gang.devices_per_node = row.ReadInt32();
  spec.gang.classes = DecodeIds<ClassId>(row.ReadText());
  spec.time_limit = row.ReadDuration();
  spec.grace = row.ReadDuration();
  spec.priority = row.ReadInt32();
  spec.may_borrow = row.ReadBool();
}

void ReadProgress(Statement& row, Job& job) {
  job.state = row.ReadWord(FindJobState);
  job.ended_at = row.ReadTime();
  job.not_before = row.ReadTime();
  job.requeues = row.ReadInt32();
  job.cancel_requested = row.ReadBool();
  job.version = static_cast<uint64_t>(row.ReadInt());
  job.spec.dependencies = DecodeDependencies(row.ReadText());
  job.tasks.next = row.ReadInt32();
  job.tasks.succeeded = row.ReadInt32();
  job.tasks.failed = row.ReadInt32();
  job.tasks.cancelled = row.ReadInt32();
  if (std::vector<IndexRange> cancelled = DecodeRanges(row.ReadText()); !cancelled.empty()) {
    SetCancelled(job.spec.array, std::move(cancelled));
  }
  job.suspect_nodes = DecodeIds<NodeId>(row.ReadText());
}

void ReadJob(Statement& row, Job& job) {
  ReadSpec(row, job);
  ReadEditable(row, job.spec);
  ReadProgress(row, job);
  ReadAttempt(row, job.attempt);
}

absl::StatusOr<std::vector<Job>> ReadJobs(Statement& rows, size_t expected = 0) {
  std::vector<Job> jobs;
  jobs.reserve(expected);
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) {
      return jobs;
    }
    ReadJob(rows, jobs.emplace_back());
  }
}

absl::Status InsertJob(Statement row, const Job& job) {
  BindSpec(row, job);
  BindEditable(row, job.spec);
  BindProgress(row, job);
  BindAttempt(row, job.attempt);
  return row.Run();
}

absl::Status InsertLiveJob(Database& database, const Job& job) {
  static const std::string sql = absl::StrCat("INSERT INTO jobs (", JobColumns(), ") VALUES (",
                                              Parameters(kJobColumnCount), ")");
  return InsertJob(database.Prepare(sql), job);
}

absl::Status UpdateLiveJob(Database& database, const Job& job) {
  static const std::string sql = absl::StrCat(
      "UPDATE jobs SET (", kEditableColumns, ", ", kProgressColumns, ", ", kAttemptColumns, ") = (",
      Parameters(kEditableColumnCount + kProgressColumnCount + kAttemptColumnCount),
      ") WHERE id = ?");
  Statement row = database.Prepare(sql);
  BindEditable(row, job.spec);
  BindProgress(row, job);
  BindAttempt(row, job.attempt);
  row.BindId(job.id);
  return row.Run();
}

absl::Status MoveToHistory(Database& database, const Job& job) {
  static const std::string sql = absl::StrCat("INSERT INTO job_history (", JobColumns(),
                                              ") VALUES (", Parameters(kJobColumnCount), ")");
  RETURN_IF_ERROR(InsertJob(database.Prepare(sql), job));
  Statement live = database.Prepare("DELETE FROM jobs WHERE id = ?");
  live.BindId(job.id);
  return live.Run();
}

// One condition for every filter that is set; BindFilters binds in the same order.
std::string EndedJobsSql(const EndedJobQuery& query) {
  std::string sql = absl::StrCat("SELECT ", JobColumns(), " FROM job_history WHERE 1");
  const auto add = [&sql](bool is_set, absl::string_view condition) {
    if (is_set) {
      absl::StrAppend(&sql, " AND ", condition);
    }
  };
  add(query.tenant.has_value(), "tenant_id = ?");
  add(query.user.has_value(), "user_id = ?");
  add(query.project.has_value(), "project_id = ?");
  add(query.name.has_value(), "name = ?");
  add(!query.states.empty(),
      absl::StrCat("state IN (", Parameters(static_cast<int>(query.states.size())), ")"));
  add(query.without_tasks, "array_id IS NULL");
  add(static_cast<bool>(query.array), "array_id = ?");
  add(static_cast<bool>(query.before), "id < ?");
  absl::StrAppend(&sql, " ORDER BY id DESC LIMIT ?");
  return sql;
}

void BindFilters(Statement& rows, const EndedJobQuery& query) {
  if (query.tenant.has_value()) {
    rows.BindId(*query.tenant);
  }
  if (query.user.has_value()) {
    rows.BindId(*query.user);
  }
  if (query.project.has_value()) {
    rows.BindId(*query.project);
  }
  if (query.name.has_value()) {
    rows.BindText(*query.name);
  }
  for (const JobState state : query.states) {
    rows.BindWord(state);
  }
  if (query.array) {
    rows.BindId(query.array);
  }
  if (query.before) {
    rows.BindId(query.before);
  }
  rows.BindInt(query.limit);
}

}  // namespace

absl::Status SaveJob(Database& database, const Job& job, bool is_new) {
  if (IsTerminal(job.state)) {
    return MoveToHistory(database, job);
  }
  if (!is_new) {
    RETURN_IF_ERROR(UpdateLiveJob(database, job));
    if (database.changes() == 1) {
      return absl::OkStatus();
    }
  }
  return InsertLiveJob(database, job);
}

absl::StatusOr<std::vector<Job>> LoadJobs(Database& database) {
  ASSIGN_OR_RETURN(const int64_t count, database.QueryInt("SELECT count(*) FROM jobs"));
  Statement rows =
      database.Prepare(absl::StrCat("SELECT ", JobColumns(), " FROM jobs ORDER BY id"));
  return ReadJobs(rows, static_cast<size_t>(count));
}

absl::StatusOr<std::optional<Job>> FindEndedJobRow(Database& database, JobId id) {
  static const std::string sql =
      absl::StrCat("SELECT ", JobColumns(), " FROM job_history WHERE id = ?");
  Statement row = database.Prepare(sql);
  row.BindId(id);
  ASSIGN_OR_RETURN(std::vector<Job> jobs, ReadJobs(row));
  if (jobs.empty()) {
    return std::nullopt;
  }
  return std::move(jobs.front());
}

absl::StatusOr<JobId> FindArrayTaskRow(Database& database, JobId array, int index) {
  Statement row = database.Prepare(
      "SELECT id FROM jobs WHERE array_id = ?1 AND array_index = ?2 UNION ALL "
      "SELECT id FROM job_history WHERE array_id = ?1 AND array_index = ?2");
  row.BindId(array);
  row.BindInt(index);
  ASSIGN_OR_RETURN(const bool found, row.Step());
  return found ? row.ReadId<JobId>() : JobId();
}

absl::StatusOr<std::vector<Job>> ListEndedJobRows(Database& database, const EndedJobQuery& query) {
  Statement rows = database.Prepare(EndedJobsSql(query));
  BindFilters(rows, query);
  return ReadJobs(rows);
}

absl::Status SaveSubmissionRow(Database& database, const SubmissionRecord& submission) {
  Statement row = database.Prepare(
      "INSERT INTO submissions (job_id, tenant_id, idempotency_key, payload_hash, payload, upload) "
      "VALUES (?, ?, ?, ?, ?, ?)");
  row.BindId(submission.job);
  row.BindId(submission.tenant);
  row.BindText(submission.idempotency_key);
  row.BindBlob(submission.payload_hash);
  row.BindBlob(submission.payload);
  if (submission.upload.empty()) {
    row.BindNull();
  } else {
    row.BindBlob(submission.upload);
  }
  return row.Run();
}

}  // namespace berth
