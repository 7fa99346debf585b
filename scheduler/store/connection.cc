#include "scheduler/store/connection.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/check.h"
#include "common/error_detail.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "scheduler/store/allocation_rows.h"
#include "scheduler/store/booking_rows.h"
#include "scheduler/store/identity_rows.h"
#include "scheduler/store/job_rows.h"
#include "scheduler/store/reclaim_rows.h"

namespace berth {
namespace {

// An idle loop checkpoints a log longer than this part of its bound, so that busy turns seldom do.
constexpr int64_t kIdleLogShare = 8;

// Every job gets the ids of its allocations, by rank.
void ListAllocationsOfJobs(Changes& nouns) {
  std::map<std::pair<JobId, int>, AllocationId> by_rank;
  for (const Allocation& allocation : nouns.allocations) {
    by_rank[{allocation.job, allocation.rank}] = allocation.id;
  }
  for (Job& job : nouns.jobs) {
    for (auto i = by_rank.lower_bound({job.id, 0}); i != by_rank.end() && i->first.first == job.id;
         ++i) {
      job.allocations.push_back(i->second);
    }
  }
}

}  // namespace

Store::Connection::Connection(std::unique_ptr<Database> database, const StoreOptions& options)
    : options_(options),
      database_(std::move(database)),
      nodes_(*database_),
      ballast_(absl::StrCat(options.path, ".ballast"), options.ballast_bytes) {}

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

absl::StatusOr<StoredState> Store::Connection::Load() {
  StoredState state;
  state.last_job = turn_.last_job;
  state.last_allocation = turn_.last_allocation;
  RETURN_IF_ERROR(LoadIdentities(*database_, state.nouns));
  ASSIGN_OR_RETURN(state.nouns.nodes, nodes_.Load());
  ASSIGN_OR_RETURN(state.nouns.jobs, LoadJobs(*database_));
  ASSIGN_OR_RETURN(state.nouns.allocations, LoadAllocations(*database_));
  ASSIGN_OR_RETURN(state.nouns.bookings, LoadBookings(*database_));
  ASSIGN_OR_RETURN(state.nouns.reclaims, LoadReclaims(*database_));
  ASSIGN_OR_RETURN(state.last_booking, FindLastBooking(*database_));
  ASSIGN_OR_RETURN(state.last_reclaim, FindLastReclaim(*database_));
  ListAllocationsOfJobs(state.nouns);
  return state;
}

absl::Status Store::Connection::Save(const Changes& changes) {
  BERTH_CHECK(in_turn_);
  RETURN_IF_ERROR(Settle(SaveCenter(changes)));
  RETURN_IF_ERROR(Settle(SaveJobs(changes)));
  return Settle(SaveHeld(changes.allocations));
}

absl::Status Store::Connection::SaveCenter(const Changes& changes) {
  RETURN_IF_ERROR(SaveIdentities(*database_, changes));
  for (const Node& node : changes.nodes) {
    RETURN_IF_ERROR(nodes_.Save(node));
  }
  for (const Booking& booking : changes.bookings) {
    RETURN_IF_ERROR(SaveBooking(*database_, booking));
  }
  for (const Reclaim& reclaim : changes.reclaims) {
    RETURN_IF_ERROR(SaveReclaim(*database_, reclaim));
  }
  return SaveTokens(*database_, changes.tokens);
}

absl::Status Store::Connection::SaveJobs(const Changes& changes) {
  for (const Job& job : changes.jobs) {
    RETURN_IF_ERROR(SaveJob(*database_, job, job.id > turn_.last_job));
    turn_.last_job = std::max(turn_.last_job, job.id);
  }
  for (const EndedAttempt& ended : changes.attempts) {
    RETURN_IF_ERROR(SaveEndedAttempt(*database_, ended));
  }
  return absl::OkStatus();
}

absl::Status Store::Connection::SaveHeld(const std::vector<Allocation>& allocations) {
  RETURN_IF_ERROR(SaveAllocations(*database_, allocations, turn_.last_allocation));
  for (const Allocation& allocation : allocations) {
    turn_.last_allocation = std::max(turn_.last_allocation, allocation.id);
  }
  return absl::OkStatus();
}

absl::Status Store::Connection::Save(const Submission& submission) {
  BERTH_CHECK(in_turn_);
  return Settle(SaveSubmissionRow(*database_, submission));
}

absl::Status Store::Connection::Save(const AuditEntry& entry) {
  BERTH_CHECK(in_turn_);
  return Settle(AppendAudit(*database_, entry, turn_.audit));
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

}  // namespace berth
