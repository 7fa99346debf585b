// What the operator on the scheduler's machine asks of the loop: status, backups, the audit's
// check, the end of a recovery.

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "common/error_detail.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "scheduler/control_loop.h"
#include "scheduler/control_loop_turn.h"
#include "scheduler/core/utc_text.h"
#include "scheduler/store/backup.h"
#include <unistd.h>

namespace berth {
namespace {

constexpr size_t kNodesNamedMax = 8;

absl::Status CannotDo(absl::string_view code, absl::string_view message, absl::string_view why,
                      absl::string_view fix) {
  return MakeError(absl::StatusCode::kFailedPrecondition, {code, message, why, fix});
}

AuditEntry EntryOf(const LocalRequest& request, absl::Time now) {
  return {.at = now,
          .user = request.actor.user,
          .token_id = "",
          .peer = request.audit.peer,
          .action = request.audit.action,
          .object = request.audit.object,
          .tenant = TenantId(),
          .decision = "ok",
          .digest = request.audit.digest};
}

std::string Names(const std::vector<std::string>& nodes) {
  const size_t shown = std::min(nodes.size(), kNodesNamedMax);
  const std::string names =
      absl::StrJoin(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(shown), ", ");
  return shown == nodes.size() ? names
                               : absl::StrCat(names, " and ", nodes.size() - shown, " more");
}

}  // namespace

LoopStatus ControlLoop::MakeStatus(absl::Time now) const {
  LoopStatus status;
  status.recovery = store_->recovery();
  status.disk_full = store_->disk_full();
  status.last_backup_at = store_->last_backup_at();
  status.serving_since = wall_at_start_;
  status.resume_at = status.recovery ? wall_at_start_ + engine_.policy().lost_after : now;
  for (const auto& [id, job] : engine_.cluster().jobs()) {
    ++(job.state == JobState::kHeld     ? status.held_jobs
       : job.state == JobState::kQueued ? status.queued_jobs
                                        : status.active_jobs);
  }
  for (const auto& [id, node] : engine_.cluster().nodes()) {
    if (node.state == NodeState::kRemoved) {
      continue;
    }
    ++status.nodes;
    if (!node.session) {
      status.silent_nodes.push_back(node.name);
    }
  }
  return status;
}

void ControlLoop::PostStatus(std::function<void(const LoopStatus&)> done) {
  Push(Task([this, done = std::move(done)](Turn& turn) {
    turn.replies.emplace_back([this, done, now = turn.now] { done(MakeStatus(now)); });
  }));
}

void ControlLoop::PostVerifyAudit(std::function<void(const absl::Status&)> done) {
  Push(Task([this, done = std::move(done)](Turn& turn) {
    turn.replies.emplace_back([this, done] { done(store_->VerifyAudit()); });
  }));
}

absl::Status ControlLoop::CheckResume(bool at_once, absl::Time now) const {
  if (!store_->recovery()) {
    return CannotDo("B8215", "the scheduler is not in recovery", "it was not restored, or resumed",
                    "berth admin status");
  }
  const LoopStatus status = MakeStatus(now);
  if (now >= status.resume_at || (at_once && status.silent_nodes.empty())) {
    return absl::OkStatus();
  }
  const std::string when = UtcText(status.resume_at);
  const std::string silent =
      status.silent_nodes.empty()
          ? "a node that joined after the backup"
          : absl::StrFormat("a node that is not connected (%s)", Names(status.silent_nodes));
  return CannotDo(
      "B8215",
      absl::StrCat("it is too early to resume: tasks that the backup does not know may run"),
      absl::StrCat(silent, " may run a job that would be started again; by ", when,
                   " its lease has ended every task there"),
      status.silent_nodes.empty()
          ? absl::StrCat("wait until ", when,
                         ", or, if no node joined since the backup: berth admin resume --now")
          : absl::StrCat("wait until ", when, ", or start the agents there"));
}

void ControlLoop::PostResume(LocalRequest request, bool at_once,
                             std::function<void(const absl::Status&)> done) {
  Push(Task([this, request = std::move(request), at_once, done = std::move(done)](Turn& turn) {
    const absl::Status status = CheckResume(at_once, turn.now);
    if (status.ok()) {
      turn.ends_recovery = true;
      turn.audits.push_back(EntryOf(request, turn.now));
      LogWarning("recovery ended, jobs are started again", {});
    }
    turn.replies.emplace_back([done, status] { done(status); });
  }));
}

void ControlLoop::PostAudit(LocalRequest request, const absl::Status& decision,
                            std::function<void(const absl::Status&)> done) {
  Push(Task([this, request = std::move(request), decision, done = std::move(done)](Turn& turn) {
    const absl::Status status = store_->disk_full() ? DiskFull() : absl::OkStatus();
    if (status.ok()) {
      AuditEntry entry = EntryOf(request, turn.now);
      entry.token_id = request.actor.token_id;
      entry.tenant = request.actor.tenant;
      entry.decision = absl::IsPermissionDenied(decision) ? "permission-denied" : "ok";
      turn.audits.push_back(std::move(entry));
    }
    turn.replies.emplace_back([done, status] { done(status); });
  }));
}

void ControlLoop::PostBackup(LocalRequest request, std::string path, BackupCallback done) {
  Push(Task([this, request = std::move(request), path = std::move(path),
             done = std::move(done)](Turn& turn) {
    const absl::Status status = StartBackup({request, path, turn.now, done});
    if (!status.ok()) {
      turn.replies.emplace_back([done, status] { done(status); });
    }
  }));
}

absl::Status ControlLoop::StartBackup(BackupRun run) {
  if (backup_runs_) {
    return CannotDo("B8212", "another backup is being made", "", "wait for it, then try again");
  }
  ASSIGN_OR_RETURN(const std::string draft, MakeBackupDraft(run.path));
  if (absl::Status copied = store_->CopyTo(draft); !copied.ok()) {
    DropBackupDraft(draft);
    return absl::IsResourceExhausted(copied)
               ? CannotDo("B8212", absl::StrCat("no room for the backup \"", run.path, "\""),
                          copied.message(), "name a file on a larger file system")
               : copied;
  }
  if (backup_thread_.joinable()) {
    backup_thread_.join();
  }
  backup_runs_ = true;
  backup_thread_ = std::thread([this, draft, run = std::move(run)] {
    auto facts = RunBackup(draft, run);
    Push(Task([this, run, facts = std::move(facts)](Turn& turn) { EndBackup(run, facts, turn); }));
  });
  return absl::OkStatus();
}

// The backup gets its name last: then all that belongs to it is there.
absl::StatusOr<BackupFacts> ControlLoop::RunBackup(const std::string& draft, const BackupRun& run) {
  absl::StatusOr<std::string> beside = std::string();
  if (options_.save_beside_backup) {
    beside = options_.save_beside_backup(run.path, run.at, [this] { return IsStopping(); });
  }
  if (!beside.ok()) {
    DropBackupDraft(draft);
    return beside.status();
  }
  auto facts = FinishBackup(draft, run.path, run.at);
  if (!facts.ok() && !beside->empty()) {
    unlink(beside->c_str());
  }
  return facts;
}

void ControlLoop::EndBackup(const BackupRun& run, const absl::StatusOr<BackupFacts>& facts,
                            Turn& turn) {
  backup_runs_ = false;
  if (facts.ok()) {
    if (const absl::Status noted = store_->NoteBackup(run.at); !noted.ok()) {
      LogError("the time of the backup is not recorded", {
                                                             {"error", noted.message()}
      });
    }
    turn.audits.push_back(EntryOf(run.request, turn.now));
    LogInfo("backup made", {
                               {"path",  run.path         },
                               {"bytes", facts->size_bytes}
    });
  }
  turn.replies.emplace_back([done = run.done, facts] { done(facts); });
}

}  // namespace berth
