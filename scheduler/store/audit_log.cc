#include "scheduler/store/audit_log.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "common/credentials.h"
#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {
namespace {

struct AuditRow {
  int64_t seq = 0;
  int64_t at_us = 0;
  int64_t user = 0;
  int64_t tenant = 0;
  std::string token_id;
  std::string peer;
  std::string action;
  std::string object;
  std::string decision;
  std::string digest;
};

// Every text is preceded by its length, so that no two rows have the same form.
std::string HashOf(const AuditRow& row, absl::string_view previous_hash) {
  std::string text(previous_hash);
  absl::StrAppend(&text, row.seq, " ", row.at_us, " ", row.user, " ", row.tenant);
  for (const std::string* field :
       {&row.token_id, &row.peer, &row.action, &row.object, &row.decision, &row.digest}) {
    absl::StrAppend(&text, " ", field->size(), ":", *field);
  }
  return Sha256(text);
}

AuditRow ReadAuditRow(Statement& rows) {
  AuditRow row;
  row.seq = rows.ReadInt();
  row.at_us = rows.ReadInt();
  row.user = rows.ReadInt();
  row.token_id = rows.ReadText();
  row.peer = rows.ReadText();
  row.action = rows.ReadText();
  row.object = rows.ReadText();
  row.tenant = rows.ReadInt();
  row.decision = rows.ReadText();
  row.digest = rows.ReadText();
  return row;
}

absl::Status BrokenChain(int64_t seq, absl::string_view why) {
  return MakeError(
      absl::StatusCode::kDataLoss,
      {"B8210", absl::StrCat("the audit record is broken at row ", seq), why,
       "keep the file for analysis, find out who could write it, and restore the last backup"});
}

}  // namespace

AuditHead EmptyAuditChain(const std::string& cluster_id) {
  return {.seq = 0, .hash = Sha256(absl::StrCat("berth audit ", cluster_id))};
}

absl::Status AppendAudit(Database& database, const AuditEntry& entry, AuditHead& head) {
  const AuditRow row = {.seq = head.seq + 1,
                        .at_us = absl::ToUnixMicros(entry.at),
                        .user = static_cast<int64_t>(entry.user.value()),
                        .tenant = static_cast<int64_t>(entry.tenant.value()),
                        .token_id = entry.token_id,
                        .peer = entry.peer,
                        .action = entry.action,
                        .object = entry.object,
                        .decision = entry.decision,
                        .digest = entry.digest};
  std::string hash = HashOf(row, head.hash);
  Statement statement = database.Prepare(
      "INSERT INTO audit (seq, at_us, user_id, token_id, peer, action, object, tenant_id, "
      "decision, digest, prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  statement.BindInt(row.seq);
  statement.BindInt(row.at_us);
  statement.BindInt(row.user);
  statement.BindText(row.token_id);
  statement.BindText(row.peer);
  statement.BindText(row.action);
  statement.BindText(row.object);
  statement.BindInt(row.tenant);
  statement.BindText(row.decision);
  statement.BindText(row.digest);
  statement.BindBlob(head.hash);
  statement.BindBlob(hash);
  RETURN_IF_ERROR(statement.Run());
  head = {.seq = row.seq, .hash = std::move(hash)};
  return absl::OkStatus();
}

absl::StatusOr<AuditHead> FindAuditHead(Database& database, const AuditHead& start) {
  Statement row = database.Prepare("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1");
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) {
    return start;
  }
  AuditHead head;
  head.seq = row.ReadInt();
  head.hash = row.ReadText();
  return head;
}

absl::StatusOr<AuditHead> FindAuditStart(Database& database, const AuditMilestones& milestones,
                                         int64_t rows) {
  const int64_t seq = milestones.head.seq - rows;
  if (seq <= 0) {
    return milestones.start;
  }
  Statement row = database.Prepare("SELECT hash FROM audit WHERE seq = ?");
  row.BindInt(seq);
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) {
    return BrokenChain(seq, "the row is missing");
  }
  return AuditHead{.seq = seq, .hash = row.ReadText()};
}

absl::Status VerifyAuditChain(Database& database, const AuditMilestones& milestones) {
  AuditHead last = milestones.start;
  Statement rows = database.Prepare(
      "SELECT seq, at_us, user_id, token_id, peer, action, object, tenant_id, decision, digest, "
      "prev_hash, hash FROM audit WHERE seq > ? ORDER BY seq");
  rows.BindInt(milestones.start.seq);
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) {
      break;
    }
    const AuditRow row = ReadAuditRow(rows);
    const std::string previous_hash = rows.ReadText();
    std::string hash = rows.ReadText();
    if (row.seq != last.seq + 1) {
      return BrokenChain(last.seq + 1, "the row is missing");
    }
    if (previous_hash != last.hash) {
      return BrokenChain(row.seq, "it does not follow the row before it");
    }
    if (hash != HashOf(row, previous_hash)) {
      return BrokenChain(row.seq, "its fields are not the ones that were recorded");
    }
    last = {.seq = row.seq, .hash = std::move(hash)};
    if (last.seq == milestones.recorded.seq && last.hash != milestones.recorded.hash) {
      return BrokenChain(last.seq, "it is not the row whose hash was kept apart");
    }
  }
  if (last.seq < milestones.head.seq) {
    return BrokenChain(last.seq + 1, "the newest rows are missing");
  }
  if (last.seq != milestones.head.seq || last.hash != milestones.head.hash) {
    return BrokenChain(last.seq, "the record does not end with the row that was written last");
  }
  return absl::OkStatus();
}

}  // namespace berth
