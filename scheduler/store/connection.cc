#include "scheduler/store/connection.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/check.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "scheduler/store/allocation_rows.h"
#include "scheduler/store/attempt_rows.h"
#include "scheduler/store/booking_rows.h"
#include "scheduler/store/database_checks.h"
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
  if (!is_claimed_) {
    return;  // a file that may be damaged stays as it is
  }
  if (const absl::Status status = RecordMarks(); !status.ok()) {
    LogError("marks not recorded", {
                                       {"error", status.message()}
    });
  }
}

absl::Status Store::Connection::Start() {
  RETURN_IF_ERROR(ReadMarks());
  ++record_.sched_epoch;
  return VerifyNewestAudit();
}

absl::Status Store::Connection::CheckSound() {
  return CheckSoundness(*database_, options_.path, CheckDepth::kQuick);
}

absl::Status Store::Connection::Claim() {
  RETURN_IF_ERROR(database_->CheckpointOnClose());
  is_claimed_ = true;
  disk_full_ = !ballast_.Take();
  absl::Status status = WriteEpoch();
  if (absl::IsResourceExhausted(status)) {
    RETURN_IF_ERROR(MakeRoom());
    status = WriteEpoch();
  }
  RETURN_IF_ERROR(status);
  return disk_full_ ? absl::OkStatus() : database_->ReserveLog(options_.wal_pages_max);
}

absl::Status Store::Connection::ReadMarks() {
  ASSIGN_OR_RETURN(record_, ReadClusterRecord(*database_));
  ASSIGN_OR_RETURN(durable_, FindNewestMarks(*database_, record_));
  turn_ = durable_;
  return absl::OkStatus();
}

AuditMilestones Store::Connection::audit_milestones() const {
  return {.start = EmptyAuditChain(record_.cluster_id),
          .recorded = record_.marks.audit,
          .head = turn_.audit};
}

absl::Status Store::Connection::VerifyNewestAudit() {
  if (options_.audit_rows_at_start == 0) {
    return absl::OkStatus();
  }
  AuditMilestones milestones = audit_milestones();
  ASSIGN_OR_RETURN(milestones.start,
                   FindAuditStart(*database_, milestones, options_.audit_rows_at_start));
  return VerifyAuditChain(*database_, milestones);
}

absl::Status Store::Connection::WriteEpoch() {
  Statement row = database_->Prepare("UPDATE meta SET sched_epoch = ? WHERE id = 1");
  row.BindInt(static_cast<int64_t>(record_.sched_epoch));
  return row.Run();
}

absl::Status Store::Connection::Begin() {
  BERTH_CHECK(!in_turn_);
  RETURN_IF_ERROR(database_->Prepare("BEGIN IMMEDIATE").Run());
  in_turn_ = true;
  return absl::OkStatus();
}

absl::Status Store::Connection::RecordMarks() {
  const Marks& recorded = record_.marks;
  if (durable_.last_job == recorded.last_job && durable_.audit.seq == recorded.audit.seq &&
      durable_.last_allocation == recorded.last_allocation) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(WriteMarks(*database_, durable_));
  record_.marks = durable_;
  return absl::OkStatus();
}

absl::StatusOr<StoredState> Store::Connection::Load() {
  StoredState state;
  state.last_job = turn_.last_job;
  state.last_allocation = turn_.last_allocation;
  state.restored_allocation = record_.restored_allocation;
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

absl::Status Store::Connection::Save(const SubmissionRecord& submission) {
  BERTH_CHECK(in_turn_);
  return Settle(SaveSubmissionRow(*database_, submission));
}

absl::Status Store::Connection::Save(const AuditEntry& entry) {
  BERTH_CHECK(in_turn_);
  return Settle(AppendAudit(*database_, entry, turn_.audit));
}

absl::Status Store::Connection::EndRecovery() {
  BERTH_CHECK(in_turn_);
  turn_ends_recovery_ = true;
  return Settle(database_->Prepare("UPDATE meta SET recovery = 0 WHERE id = 1").Run());
}

absl::Status Store::Connection::CopyTo(const std::string& path) {
  BERTH_CHECK(!in_turn_);
  RETURN_IF_ERROR(RecordMarks());
  Statement copy = database_->Prepare("VACUUM INTO ?");
  copy.BindText(path);
  return copy.Run();
}

absl::Status Store::Connection::NoteBackup(absl::Time at) {
  BERTH_CHECK(!in_turn_);
  Statement row = database_->Prepare("UPDATE meta SET last_backup_us = ? WHERE id = 1");
  row.BindTime(at);
  RETURN_IF_ERROR(row.Run());
  record_.last_backup_at = at;
  return absl::OkStatus();
}

absl::Status Store::Connection::Commit() {
  BERTH_CHECK(in_turn_);
  RETURN_IF_ERROR(Settle(database_->Prepare("COMMIT").Run()));
  in_turn_ = false;
  durable_ = turn_;
  record_.recovery = record_.recovery && !std::exchange(turn_ends_recovery_, false);
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
  turn_ends_recovery_ = false;
  turn_ = durable_;
  nodes_.Forget();
}

absl::Status Store::Connection::Settle(absl::Status status) {
  if (absl::IsResourceExhausted(status)) {
    Rollback();
    RETURN_IF_ERROR(MakeRoom());
  }
  return status;
}

absl::Status Store::Connection::MakeRoom() {
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
  const absl::Status status = database_->Checkpoint();
  if (!status.ok() && !was_full) {
    LogError("checkpoint failed", {
                                      {"error", status.message()}
    });
  }
  // Anything but that: after a failed sync nobody knows what is on the disk.
  return absl::IsResourceExhausted(status) ? absl::OkStatus() : status;
}

absl::Status Store::Connection::Checkpoint() {
  absl::Status status = RecordMarks();
  if (status.ok()) {
    status = database_->Checkpoint();
  }
  if (absl::IsResourceExhausted(status)) {
    // Every turn is durable in the log; the next checkpoint goes on where this one ended.
    return MakeRoom();
  }
  return status;
}

absl::Status Store::Connection::Maintain() {
  BERTH_CHECK(!in_turn_);
  const int64_t pages_max = disk_full_ ? 0 : options_.wal_pages_max / kIdleLogShare;
  if (database_->log_pages() > pages_max) {
    RETURN_IF_ERROR(Checkpoint());
  }
  if (ballast_.Take() && disk_full_ && database_->log_pages() == 0) {
    disk_full_ = false;
    LogInfo("disk has room again", {
                                       {"path", options_.path}
    });
  }
  return absl::OkStatus();
}

}  // namespace berth
