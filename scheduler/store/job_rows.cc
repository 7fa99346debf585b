#include "scheduler/store/job_rows.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "common/status_macros.h"
#include "scheduler/store/column_codec.h"

namespace berth {
namespace {

// Written once, when the job is submitted. BindSpec and ReadSpec follow this order.
constexpr char kSpecColumns[] =
    "id, name, tenant_id, project_id, user_id, nodes, devices_per_node, cpu_milli, memory_mib, "
    "classes, node_labels, excluded_nodes, time_limit_us, grace_us, priority, preemptible, "
    "may_borrow, hold, launch_per_device, on_node_loss, lease_us, requeue_on_node_fault, "
    "requeue_on_preempt, "
    "requeue_on_error, max_requeues, requeue_exit_codes, submitted_us";
constexpr int kSpecColumnCount = 27;
// Written with every change: BindProgress and ReadProgress.
constexpr char kProgressColumns[] =
    "state, ended_us, not_before_us, requeues, cancel_requested, version";
constexpr int kProgressColumnCount = 6;
// The current attempt: BindAttempt and ReadAttempt.
constexpr char kAttemptColumns[] =
    "attempt, attempt_state, funding, class_id, attempt_created_us, started_us, attempt_ended_us, "
    "end_reason, exit_code, signal, failed_rank, end_message, rendezvous_address, rendezvous_port";
constexpr int kAttemptColumnCount = 14;
constexpr int kJobColumnCount = kSpecColumnCount + kProgressColumnCount + kAttemptColumnCount;

std::string JobColumns() {
  return absl::StrCat(kSpecColumns, ", ", kProgressColumns, ", ", kAttemptColumns);
}

// "?, ?, ?"
std::string Parameters(int count) {
  return absl::StrJoin(std::vector<std::string>(static_cast<size_t>(count), "?"), ", ");
}

void BindSpec(Statement& row, const Job& job) {
  const JobSpec& spec = job.spec;
  row.BindId(job.id);
  row.BindText(spec.name);
  row.BindId(spec.tenant);
  row.BindId(spec.project);
  row.BindId(spec.user);
  row.BindInt(spec.gang.nodes);
  row.BindInt(spec.gang.devices_per_node);
  row.BindInt(spec.gang.per_node.cpu_milli);
  row.BindInt(spec.gang.per_node.memory_mib);
  row.BindText(EncodeClasses(spec.gang.classes));
  row.BindText(EncodePairs(spec.gang.node_labels));
  row.BindText(EncodeLines(spec.gang.excluded_nodes));
  row.BindDuration(spec.time_limit);
  row.BindDuration(spec.grace);
  row.BindInt(spec.priority);
  row.BindInt(spec.preemptible ? 1 : 0);
  row.BindInt(spec.may_borrow ? 1 : 0);
  row.BindInt(spec.hold ? 1 : 0);
  row.BindInt(spec.launch_per_device ? 1 : 0);
  row.BindWord(spec.on_node_loss);
  row.BindDuration(spec.lease);
  row.BindInt(spec.requeue.on_node_fault ? 1 : 0);
  row.BindInt(spec.requeue.on_preempt ? 1 : 0);
  row.BindInt(spec.requeue.on_error ? 1 : 0);
  row.BindInt(spec.requeue.max_requeues);
  row.BindText(EncodeInts(spec.requeue.exit_codes));
  row.BindTime(job.submitted_at);
}

void BindProgress(Statement& row, const Job& job) {
  row.BindWord(job.state);
  row.BindTime(job.ended_at);
  row.BindTime(job.not_before);
  row.BindInt(job.requeues);
  row.BindInt(job.cancel_requested ? 1 : 0);
  row.BindInt(static_cast<int64_t>(job.version));
}

void BindAttempt(Statement& row, const Attempt& attempt) {
  row.BindInt(attempt.number);
  row.BindWord(attempt.state);
  row.BindWord(attempt.funding);
  row.BindId(attempt.device_class);
  row.BindTime(attempt.created_at);
  row.BindTime(attempt.started_at);
  row.BindTime(attempt.ended_at);
  row.BindWord(attempt.end.reason);
  row.BindInt(attempt.end.exit_code);
  row.BindInt(attempt.end.signal);
  row.BindInt(attempt.end.failed_rank);
  row.BindText(attempt.end.message);
  row.BindText(attempt.rendezvous_address);
  row.BindInt(attempt.rendezvous_port);
}

void ReadSpec(Statement& row, Job& job) {
  JobSpec& spec = job.spec;
  job.id = row.ReadId<JobId>();
  spec.name = row.ReadText();
  spec.tenant = row.ReadId<TenantId>();
  spec.project = row.ReadId<ProjectId>();
  spec.user = row.ReadId<UserId>();
  spec.gang.nodes = static_cast<int>(row.ReadInt());
  spec.gang.devices_per_node = static_cast<int>(row.ReadInt());
  spec.gang.per_node.cpu_milli = row.ReadInt();
  spec.gang.per_node.memory_mib = row.ReadInt();
  spec.gang.classes = DecodeClasses(row.ReadText());
  spec.gang.node_labels = DecodePairs(row.ReadText());
  spec.gang.excluded_nodes = DecodeLines(row.ReadText());
  spec.time_limit = row.ReadDuration();
  spec.grace = row.ReadDuration();
  spec.priority = static_cast<int>(row.ReadInt());
  spec.preemptible = row.ReadBool();
  spec.may_borrow = row.ReadBool();
  spec.hold = row.ReadBool();
  spec.launch_per_device = row.ReadBool();
  spec.on_node_loss = row.ReadWord(FindNodeLossPolicy);
  spec.lease = row.ReadDuration();
  spec.requeue.on_node_fault = row.ReadBool();
  spec.requeue.on_preempt = row.ReadBool();
  spec.requeue.on_error = row.ReadBool();
  spec.requeue.max_requeues = static_cast<int>(row.ReadInt());
  spec.requeue.exit_codes = DecodeInts(row.ReadText());
  job.submitted_at = row.ReadTime();
}

void ReadProgress(Statement& row, Job& job) {
  job.state = row.ReadWord(FindJobState);
  job.ended_at = row.ReadTime();
  job.not_before = row.ReadTime();
  job.requeues = static_cast<int>(row.ReadInt());
  job.cancel_requested = row.ReadBool();
  job.version = static_cast<uint64_t>(row.ReadInt());
}

void ReadAttempt(Statement& row, Attempt& attempt) {
  attempt.number = static_cast<int>(row.ReadInt());
  attempt.state = row.ReadWord(FindAttemptState);
  attempt.funding = row.ReadWord(FindFunding);
  attempt.device_class = row.ReadId<ClassId>();
  attempt.created_at = row.ReadTime();
  attempt.started_at = row.ReadTime();
  attempt.ended_at = row.ReadTime();
  attempt.end.reason = row.ReadWord(FindEndReason);
  attempt.end.exit_code = static_cast<int>(row.ReadInt());
  attempt.end.signal = static_cast<int>(row.ReadInt());
  attempt.end.failed_rank = static_cast<int>(row.ReadInt());
  attempt.end.message = row.ReadText();
  attempt.rendezvous_address = row.ReadText();
  attempt.rendezvous_port = static_cast<int>(row.ReadInt());
}

Job ReadJob(Statement& row) {
  Job job;
  ReadSpec(row, job);
  ReadProgress(row, job);
  ReadAttempt(row, job.attempt);
  return job;
}

absl::StatusOr<std::vector<Job>> ReadJobs(Statement& rows) {
  std::vector<Job> jobs;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) {
      return jobs;
    }
    jobs.push_back(ReadJob(rows));
  }
}

absl::Status InsertJob(Statement row, const Job& job) {
  BindSpec(row, job);
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
  static const std::string sql =
      absl::StrCat("UPDATE jobs SET (", kProgressColumns, ", ", kAttemptColumns, ") = (",
                   Parameters(kProgressColumnCount + kAttemptColumnCount), ") WHERE id = ?");
  Statement row = database.Prepare(sql);
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

absl::Status SaveEndedAttempt(Database& database, const EndedAttempt& ended) {
  static const std::string sql =
      absl::StrCat("INSERT INTO attempts (job_id, ", kAttemptColumns, ") VALUES (",
                   Parameters(1 + kAttemptColumnCount), ")");
  Statement row = database.Prepare(sql);
  row.BindId(ended.job);
  BindAttempt(row, ended.attempt);
  return row.Run();
}

absl::StatusOr<std::vector<Job>> LoadJobs(Database& database) {
  Statement rows =
      database.Prepare(absl::StrCat("SELECT ", JobColumns(), " FROM jobs ORDER BY id"));
  return ReadJobs(rows);
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

absl::StatusOr<std::vector<Job>> ListEndedJobRows(Database& database, const EndedJobQuery& query) {
  Statement rows = database.Prepare(EndedJobsSql(query));
  BindFilters(rows, query);
  return ReadJobs(rows);
}

absl::Status SaveSubmissionRow(Database& database, const Submission& submission) {
  Statement row = database.Prepare(
      "INSERT INTO submissions (job_id, tenant_id, idempotency_key, payload_hash, payload) "
      "VALUES (?, ?, ?, ?, ?)");
  row.BindId(submission.job);
  row.BindId(submission.tenant);
  row.BindText(submission.idempotency_key);
  row.BindBlob(submission.payload_hash);
  row.BindBlob(submission.payload);
  return row.Run();
}

}  // namespace berth
