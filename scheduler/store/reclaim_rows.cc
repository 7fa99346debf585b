#include "scheduler/store/reclaim_rows.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/status_macros.h"

namespace berth {
namespace {

constexpr char kColumns[] =
    "id, at_us, claim_id, tenant_id, class_id, within_tenant, nodes, devices_per_node, "
    "entitlement, used, free_devices, lost_device_seconds, due_us, outcome, settled_us";

const char* Outcome(const Reclaim& reclaim) {
  if (reclaim.settled_at == absl::InfinitePast()) {
    return "open";
  }
  return reclaim.settled_at == absl::InfiniteFuture() ? "given-up" : "settled";
}

// Returns: whether the reclaim was not there.
absl::StatusOr<bool> InsertOrSettle(Database& database, const Reclaim& reclaim) {
  {
    Statement row = database.Prepare(
        "UPDATE reclaims SET outcome = ?, settled_us = ? WHERE id = ? AND outcome = 'open'");
    row.BindText(Outcome(reclaim));
    row.BindTime(reclaim.settled_at);
    row.BindId(reclaim.id);
    RETURN_IF_ERROR(row.Run());
  }
  if (database.changes() == 1) {
    return false;
  }
  static const std::string sql = absl::StrCat("INSERT INTO reclaims (", kColumns,
                                              ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                                              "?)");
  Statement row = database.Prepare(sql);
  row.BindId(reclaim.id);
  row.BindTime(reclaim.at);
  row.BindId(reclaim.claim);
  row.BindId(reclaim.tenant);
  row.BindId(reclaim.device_class);
  row.BindInt(reclaim.within_tenant ? 1 : 0);
  row.BindInt(reclaim.nodes);
  row.BindInt(reclaim.devices_per_node);
  row.BindInt(reclaim.entitlement);
  row.BindInt(reclaim.used);
  row.BindInt(reclaim.free_devices);
  row.BindInt(reclaim.lost_device_seconds);
  row.BindTime(reclaim.due);
  row.BindText(Outcome(reclaim));
  row.BindTime(reclaim.settled_at);
  RETURN_IF_ERROR(row.Run());
  return true;
}

absl::Status InsertCandidate(Database& database, ReclaimId reclaim, size_t position,
                             const ReclaimCandidate& candidate) {
  Statement row = database.Prepare(
      "INSERT INTO reclaim_candidates (reclaim_id, position, job_id, attempt, tenant_id, devices, "
      "members, shrink, chosen, tenant_excess, tenant_weight, priority, lost_work_us, started_us, "
      "notice_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  row.BindId(reclaim);
  row.BindInt(static_cast<int64_t>(position));
  row.BindId(candidate.job);
  row.BindInt(candidate.attempt);
  row.BindId(candidate.tenant);
  row.BindInt(candidate.devices);
  row.BindInt(candidate.members);
  row.BindInt(candidate.shrink ? 1 : 0);
  row.BindInt(candidate.chosen ? 1 : 0);
  row.BindInt(candidate.tenant_excess);
  row.BindInt(candidate.tenant_weight);
  row.BindInt(candidate.priority);
  row.BindDuration(candidate.lost_work);
  row.BindTime(candidate.started_at);
  row.BindDuration(candidate.notice);
  return row.Run();
}

Reclaim ReadReclaim(Statement& row) {
  Reclaim reclaim;
  reclaim.id = row.ReadId<ReclaimId>();
  reclaim.at = row.ReadTime();
  reclaim.claim = row.ReadId<JobId>();
  reclaim.tenant = row.ReadId<TenantId>();
  reclaim.device_class = row.ReadId<ClassId>();
  reclaim.within_tenant = row.ReadBool();
  reclaim.nodes = row.ReadInt32();
  reclaim.devices_per_node = row.ReadInt32();
  reclaim.entitlement = row.ReadInt();
  reclaim.used = row.ReadInt();
  reclaim.free_devices = row.ReadInt();
  reclaim.lost_device_seconds = row.ReadInt();
  reclaim.due = row.ReadTime();
  const bool given_up = row.ReadText() == "given-up";
  reclaim.settled_at = row.ReadTime(given_up ? absl::InfiniteFuture() : absl::InfinitePast());
  return reclaim;
}

absl::Status LoadCandidates(Database& database, Reclaim& reclaim) {
  Statement rows = database.Prepare(
      "SELECT job_id, attempt, tenant_id, devices, members, shrink, chosen, tenant_excess, "
      "tenant_weight, priority, lost_work_us, started_us, notice_us FROM reclaim_candidates "
      "WHERE reclaim_id = ? ORDER BY position");
  rows.BindId(reclaim.id);
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) {
      return absl::OkStatus();
    }
    ReclaimCandidate& candidate = reclaim.candidates.emplace_back();
    candidate.job = rows.ReadId<JobId>();
    candidate.attempt = rows.ReadInt32();
    candidate.tenant = rows.ReadId<TenantId>();
    candidate.devices = rows.ReadInt();
    candidate.members = rows.ReadInt32();
    candidate.shrink = rows.ReadBool();
    candidate.chosen = rows.ReadBool();
    candidate.tenant_excess = rows.ReadInt();
    candidate.tenant_weight = rows.ReadInt();
    candidate.priority = rows.ReadInt32();
    candidate.lost_work = rows.ReadDuration();
    candidate.started_at = rows.ReadTime();
    candidate.notice = rows.ReadDuration();
  }
}

absl::StatusOr<std::vector<Reclaim>> ReadReclaims(Database& database, Statement& rows) {
  std::vector<Reclaim> reclaims;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) {
      return reclaims;
    }
    RETURN_IF_ERROR(LoadCandidates(database, reclaims.emplace_back(ReadReclaim(rows))));
  }
}

}  // namespace

absl::Status SaveReclaim(Database& database, const Reclaim& reclaim) {
  ASSIGN_OR_RETURN(const bool is_new, InsertOrSettle(database, reclaim));
  for (size_t i = 0; is_new && i < reclaim.candidates.size(); ++i) {
    RETURN_IF_ERROR(InsertCandidate(database, reclaim.id, i, reclaim.candidates[i]));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Reclaim>> LoadReclaims(Database& database) {
  Statement rows = database.Prepare(
      absl::StrCat("SELECT ", kColumns, " FROM reclaims WHERE outcome = 'open' ORDER BY id"));
  return ReadReclaims(database, rows);
}

absl::StatusOr<std::vector<Reclaim>> ListReclaimRows(Database& database, JobId job, int limit) {
  Statement rows = database.Prepare(
      absl::StrCat("SELECT ", kColumns,
                   " FROM reclaims WHERE id IN (SELECT id FROM reclaims WHERE claim_id = ?1 UNION "
                   "SELECT reclaim_id FROM reclaim_candidates WHERE job_id = ?1 AND chosen = 1) "
                   "ORDER BY id DESC LIMIT ?2"));
  rows.BindId(job);
  rows.BindInt(limit);
  return ReadReclaims(database, rows);
}

absl::StatusOr<ReclaimId> FindLastReclaim(Database& database) {
  ASSIGN_OR_RETURN(const int64_t last,
                   database.QueryInt("SELECT ifnull(max(id), 0) FROM reclaims"));
  return ReclaimId(static_cast<uint64_t>(last));
}

}  // namespace berth
