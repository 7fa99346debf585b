#include "scheduler/store/attempt_rows.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/status_macros.h"
#include "scheduler/store/column_codec.h"

namespace berth {
namespace {

void BindNotice(Statement& row, const JobNotice* notice) {
  row.BindTime(notice == nullptr ? absl::InfinitePast() : notice->at);
  row.BindText(notice == nullptr ? "" : notice->text);
  row.BindText(notice == nullptr ? "" : notice->checkpoint);
  row.BindInt(notice == nullptr ? -1 : notice->progress_milli.value_or(-1));
}

std::shared_ptr<const JobNotice> ReadNotice(Statement& row) {
  JobNotice notice{.at = row.ReadTime()};
  notice.text = row.ReadText();
  notice.checkpoint = row.ReadText();
  const int progress = row.ReadInt32();
  if (progress >= 0) {
    notice.progress_milli = progress;
  }
  return notice == JobNotice() ? nullptr : std::make_shared<const JobNotice>(std::move(notice));
}

}  // namespace

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
  row.BindTime(attempt.checkpoint_at);
  BindNotice(row, attempt.notice.get());
}

void ReadAttempt(Statement& row, Attempt& attempt) {
  attempt.number = row.ReadInt32();
  attempt.state = row.ReadWord(FindAttemptState);
  attempt.funding = row.ReadWord(FindFunding);
  attempt.device_class = row.ReadId<ClassId>();
  attempt.created_at = row.ReadTime();
  attempt.started_at = row.ReadTime();
  attempt.ended_at = row.ReadTime();
  attempt.end.reason = row.ReadWord(FindEndReason);
  attempt.end.exit_code = row.ReadInt32();
  attempt.end.signal = row.ReadInt32();
  attempt.end.failed_rank = row.ReadInt32();
  attempt.end.message = row.ReadText();
  attempt.rendezvous_address = row.ReadText();
  attempt.rendezvous_port = row.ReadInt32();
  attempt.checkpoint_at = row.ReadTime();
  attempt.notice = ReadNotice(row);
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

absl::StatusOr<std::vector<Attempt>> ListEndedAttemptRows(Database& database, JobId job) {
  static const std::string sql =
      absl::StrCat("SELECT ", kAttemptColumns, " FROM attempts WHERE job_id = ? ORDER BY attempt");
  Statement rows = database.Prepare(sql);
  rows.BindId(job);
  std::vector<Attempt> attempts;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) {
      return attempts;
    }
    ReadAttempt(rows, attempts.emplace_back());
  }
}

}  // namespace berth
