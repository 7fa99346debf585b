#include "scheduler/store/store.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/check.h"
#include "common/error_detail.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "scheduler/store/allocation_rows.h"
#include "scheduler/store/audit_log.h"
#include "scheduler/store/ballast.h"
#include "scheduler/store/database_file.h"
#include "scheduler/store/identity_rows.h"
#include "scheduler/store/job_rows.h"
#include "scheduler/store/node_rows.h"

namespace berth {
namespace {

// An idle loop checkpoints a log longer than this part of its bound, so that busy turns seldom do.
constexpr int64_t kIdleLogShare = 8;

// What only grows.
struct Marks {
  JobId last_job;
  AllocationId last_allocation;
  AuditHead audit;
};

}  // namespace

// The open database and the turn in progress. Owned by the store.
class Store::Connection {
 public:
  Connection(std::unique_ptr<Database> database, const StoreOptions& options)
      : options_(options),
        database_(std::move(database)),
        nodes_(*database_),
        ballast_(absl::StrCat(options.path, ".ballast"), options.ballast_bytes) {}

  ~Connection();
  absl::Status Start();
  Database& database() { return *database_; }
  NodeRows& nodes() { return nodes_; }
  const std::string& cluster_id() const { return cluster_id_; }
  uint64_t sched_epoch() const { return sched_epoch_; }
  bool disk_full() const { return disk_full_; }
  bool in_turn() const { return in_turn_; }
  // As the next commit will make them.
  Marks& marks() { return turn_; }
  // The audit head that the database keeps apart from the chain.
  const AuditHead& recorded_audit() const { return recorded_.audit; }

  absl::Status Begin();
  absl::Status Commit();
  void Rollback();
  // Passes a status of the turn on; for a full disk, ends the turn and makes room first.
  absl::Status Settle(absl::Status status);
  absl::Status Checkpoint();
  void Maintain();

 private:
  absl::Status RaiseEpoch();
  absl::Status ReadMarks();
  absl::Status ReadNewestRows();
  absl::Status RecordMarks();
  void MakeRoom();

  const StoreOptions options_;
  const std::unique_ptr<Database> database_;
  NodeRows nodes_;
  Ballast ballast_;
  std::string cluster_id_;
  uint64_t sched_epoch_ = 0;
  Marks recorded_;  // in `meta`
  Marks durable_;   // as of the last commit
  Marks turn_;      // inside the turn
  bool in_turn_ = false;
  bool disk_full_ = false;
};

Store::Connection::~Connection() {
  if (in_turn_) {
    Rollback();
  }
  if (const absl::Status status = RecordMarks(); !status.ok()) {
    LogError("marks not recorded", {
                                       {"error", status.message()}
    });
  }
}

absl::Status Store::Connection::Start() {
  RETURN_IF_ERROR(ReadMarks());
  disk_full_ = !ballast_.Take();
  absl::Status status = RaiseEpoch();
  if (absl::IsResourceExhausted(status)) {
    MakeRoom();
    status = RaiseEpoch();
  }
  RETURN_IF_ERROR(status);
  return disk_full_ ? absl::OkStatus() : database_->ReserveLog(options_.wal_pages_max);
}

absl::Status Store::Connection::ReadMarks() {
  Statement row = database_->Prepare(
      "SELECT cluster_id, sched_epoch, last_job, last_allocation, audit_seq, audit_hash FROM meta "
      "WHERE id = 1");
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {"B8204", "the database is damaged", "the record of the cluster is missing",
                      "restore the last backup"});
  }
  cluster_id_ = row.ReadText();
  sched_epoch_ = static_cast<uint64_t>(row.ReadInt());
  recorded_.last_job = row.ReadId<JobId>();
  recorded_.last_allocation = row.ReadId<AllocationId>();
  recorded_.audit.seq = row.ReadInt();
  recorded_.audit.hash = row.ReadText();
  return ReadNewestRows();
}

// The record in `meta` is as of some checkpoint; the rows may be newer. If they are older, rows are
// missing: then the numbers go on behind the record, and the audit chain shows the gap.
absl::Status Store::Connection::ReadNewestRows() {
  ASSIGN_OR_RETURN(const int64_t last_job,
                   database_->QueryInt("SELECT max((SELECT ifnull(max(id), 0) FROM jobs), "
                                       "(SELECT ifnull(max(id), 0) FROM job_history))"));
  ASSIGN_OR_RETURN(const int64_t last_allocation,
                   database_->QueryInt("SELECT ifnull(max(id), 0) FROM allocations"));
  ASSIGN_OR_RETURN(const AuditHead audit, FindAuditHead(*database_, EmptyAuditChain(cluster_id_)));
  durable_.last_job = std::max(recorded_.last_job, JobId(static_cast<uint64_t>(last_job)));
  durable_.last_allocation =
      std::max(recorded_.last_allocation, AllocationId(static_cast<uint64_t>(last_allocation)));
  durable_.audit = audit.seq >= recorded_.audit.seq ? audit : recorded_.audit;
  turn_ = durable_;
  return absl::OkStatus();
}

absl::Status Store::Connection::RaiseEpoch() {
  Statement row = database_->Prepare("UPDATE meta SET sched_epoch = ? WHERE id = 1");
  row.BindInt(static_cast<int64_t>(sched_epoch_ + 1));
  RETURN_IF_ERROR(row.Run());
  ++sched_epoch_;
  return absl::OkStatus();
}

absl::Status Store::Connection::Begin() {
  BERTH_CHECK(!in_turn_);
  RETURN_IF_ERROR(database_->Prepare("BEGIN IMMEDIATE").Run());
  in_turn_ = true;
  return absl::OkStatus();
}

absl::Status Store::Connection::RecordMarks() {
  if (durable_.last_job == recorded_.last_job && durable_.audit.seq == recorded_.audit.seq &&
      durable_.last_allocation == recorded_.last_allocation) {
    return absl::OkStatus();
  }
  Statement row = database_->Prepare(
      "UPDATE meta SET last_job = ?, last_allocation = ?, audit_seq = ?, audit_hash = ? "
      "WHERE id = 1");
  row.BindInt(static_cast<int64_t>(durable_.last_job.value()));
  row.BindInt(static_cast<int64_t>(durable_.last_allocation.value()));
  row.BindInt(durable_.audit.seq);
  row.BindBlob(durable_.audit.hash);
  RETURN_IF_ERROR(row.Run());
  recorded_ = durable_;
  return absl::OkStatus();
}

absl::Status Store::Connection::Commit() {
  BERTH_CHECK(in_turn_);
  RETURN_IF_ERROR(Settle(database_->Prepare("COMMIT").Run()));
  in_turn_ = false;
  durable_ = turn_;
  if (database_->log_pages() > options_.wal_pages_max) {
    return Checkpoint();
  }
  return absl::OkStatus();
}

void Store::Connection::Rollback() {
  // SQLite has rolled back already after some errors.
  if (database_->in_transaction()) {
    if (const absl::Status status = database_->Execute("ROLLBACK"); !status.ok()) {
      LogError("rollback failed", {
                                      {"error", status.message()}
      });
    }
  }
  in_turn_ = false;
  turn_ = durable_;
  nodes_.Forget();
}

absl::Status Store::Connection::Settle(absl::Status status) {
  if (absl::IsResourceExhausted(status)) {
    Rollback();
    MakeRoom();
  }
  return status;
}

void Store::Connection::MakeRoom() {
  const bool was_full = std::exchange(disk_full_, true);
  if (!was_full) {
    LogError("disk full: new work is refused until there is room", {
                                                                       {"path", options_.path}
    });
  }
  if (const absl::Status status = ballast_.Release(); !status.ok()) {
    LogError("ballast not released", {
                                         {"error", status.message()}
    });
  }
  // With the log brought in, what follows is written over it and takes no room from the disk.
  if (const absl::Status status = database_->Checkpoint(); !status.ok() && !was_full) {
    LogError("checkpoint failed", {
                                      {"error", status.message()}
    });
  }
}

absl::Status Store::Connection::Checkpoint() {
  absl::Status status = RecordMarks();
  if (status.ok()) {
    status = database_->Checkpoint();
  }
  if (absl::IsResourceExhausted(status)) {
    // Every turn is durable in the log; the next checkpoint goes on where this one ended.
    MakeRoom();
    return absl::OkStatus();
  }
  return status;
}

void Store::Connection::Maintain() {
  BERTH_CHECK(!in_turn_);
  const int64_t pages_max = disk_full_ ? 0 : options_.wal_pages_max / kIdleLogShare;
  if (database_->log_pages() > pages_max) {
    if (const absl::Status status = Checkpoint(); !status.ok()) {
      LogError("checkpoint failed", {
                                        {"error", status.message()}
      });
      return;
    }
  }
  if (ballast_.Take() && disk_full_ && database_->log_pages() == 0) {
    disk_full_ = false;
    LogInfo("disk has room again", {
                                       {"path", options_.path}
    });
  }
}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const StoreOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database, OpenDatabaseFile(options.path));
  auto connection = std::make_unique<Connection>(std::move(database), options);
  RETURN_IF_ERROR(connection->Start());
  return std::unique_ptr<Store>(new Store(std::move(connection)));
}

Store::Store(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

Store::~Store() = default;

uint64_t Store::sched_epoch() const {
  return connection_->sched_epoch();
}
const std::string& Store::cluster_id() const {
  return connection_->cluster_id();
}
bool Store::disk_full() const {
  return connection_->disk_full();
}

absl::StatusOr<StoredState> Store::Load() {
  Database& database = connection_->database();
  StoredState state;
  state.last_job = connection_->marks().last_job;
  state.last_allocation = connection_->marks().last_allocation;
  RETURN_IF_ERROR(LoadIdentities(database, state.nouns));
  ASSIGN_OR_RETURN(state.nouns.nodes, connection_->nodes().Load());
  ASSIGN_OR_RETURN(state.nouns.jobs, LoadJobs(database));
  ASSIGN_OR_RETURN(state.nouns.allocations, LoadAllocations(database));
  std::map<std::pair<JobId, int>, AllocationId> by_rank;
  for (const Allocation& allocation : state.nouns.allocations) {
    by_rank[{allocation.job, allocation.rank}] = allocation.id;
  }
  for (Job& job : state.nouns.jobs) {
    for (auto i = by_rank.lower_bound({job.id, 0}); i != by_rank.end() && i->first.first == job.id;
         ++i) {
      job.allocations.push_back(i->second);
    }
  }
  return state;
}

absl::Status Store::Begin() {
  return connection_->Begin();
}
absl::Status Store::Commit() {
  return connection_->Commit();
}
void Store::Rollback() {
  connection_->Rollback();
}
void Store::Maintain() {
  connection_->Maintain();
}

absl::Status Store::SaveChanges(const Changes& changes) {
  BERTH_CHECK(connection_->in_turn());
  Database& database = connection_->database();
  Marks& marks = connection_->marks();
  RETURN_IF_ERROR(connection_->Settle(SaveIdentities(database, changes)));
  for (const Node& node : changes.nodes) {
    RETURN_IF_ERROR(connection_->Settle(connection_->nodes().Save(node)));
  }
  RETURN_IF_ERROR(connection_->Settle(SaveTokens(database, changes.tokens)));
  for (const Job& job : changes.jobs) {
    RETURN_IF_ERROR(connection_->Settle(SaveJob(database, job, job.id > marks.last_job)));
    marks.last_job = std::max(marks.last_job, job.id);
  }
  for (const EndedAttempt& ended : changes.attempts) {
    RETURN_IF_ERROR(connection_->Settle(SaveEndedAttempt(database, ended)));
  }
  RETURN_IF_ERROR(
      connection_->Settle(SaveAllocations(database, changes.allocations, marks.last_allocation)));
  for (const Allocation& allocation : changes.allocations) {
    marks.last_allocation = std::max(marks.last_allocation, allocation.id);
  }
  return absl::OkStatus();
}

absl::Status Store::SaveSubmission(const Submission& submission) {
  BERTH_CHECK(connection_->in_turn());
  return connection_->Settle(SaveSubmissionRow(connection_->database(), submission));
}

absl::Status Store::SaveAudit(const AuditEntry& entry) {
  BERTH_CHECK(connection_->in_turn());
  return connection_->Settle(
      AppendAudit(connection_->database(), entry, connection_->marks().audit));
}

absl::StatusOr<std::optional<Store::KnownSubmission>> Store::FindSubmission(TenantId tenant,
                                                                            absl::string_view key) {
  // The second condition tells SQLite that the partial index applies.
  Statement row = connection_->database().Prepare(
      "SELECT job_id, payload_hash FROM submissions "
      "WHERE tenant_id = ? AND idempotency_key = ? AND idempotency_key <> ''");
  row.BindId(tenant);
  row.BindText(key);
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) {
    return std::nullopt;
  }
  KnownSubmission known;
  known.job = row.ReadId<JobId>();
  known.payload_hash = row.ReadText();
  return known;
}

absl::StatusOr<std::string> Store::GetJobPayload(JobId job) {
  Statement row =
      connection_->database().Prepare("SELECT payload FROM submissions WHERE job_id = ?");
  row.BindId(job);
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) {
    return absl::NotFoundError(absl::StrCat("job ", job.value(), " has no payload"));
  }
  return row.ReadText();
}

absl::StatusOr<std::optional<Job>> Store::FindEndedJob(JobId job) {
  return FindEndedJobRow(connection_->database(), job);
}

absl::StatusOr<std::vector<Job>> Store::ListEndedJobs(const EndedJobQuery& query) {
  return ListEndedJobRows(connection_->database(), query);
}

absl::StatusOr<std::vector<Allocation>> Store::ListAllocations(const AllocationQuery& query) {
  return ListAllocationRows(connection_->database(), query);
}

absl::Status Store::VerifyAudit() {
  return VerifyAuditChain(connection_->database(),
                          {.start = EmptyAuditChain(connection_->cluster_id()),
                           .recorded = connection_->recorded_audit(),
                           .head = connection_->marks().audit});
}

}  // namespace berth
