#include "scheduler/store/database.h"

#include <cerrno>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "sqlite3.h"

#include "common/check.h"
#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {
namespace {

bool IsDiskFull(sqlite3* connection, int result) {
  if ((result & 0xff) == SQLITE_FULL) {
    return true;
  }
  // A failed fsync leaves unknown what is on disk, whatever its cause.
  if ((result & 0xff) != SQLITE_IOERR || result == SQLITE_IOERR_FSYNC ||
      result == SQLITE_IOERR_DIR_FSYNC) {
    return false;
  }
  const int error = sqlite3_system_errno(connection);
  return error == ENOSPC || error == EDQUOT;
}

absl::Status StatusOf(sqlite3* connection, int result) {
  if (result == SQLITE_OK) {
    return absl::OkStatus();
  }
  const std::string why = absl::StrCat("SQLite says: ", sqlite3_errmsg(connection), " (",
                                       sqlite3_extended_errcode(connection), ")");
  if (IsDiskFull(connection, result)) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     {"B8208", "the disk of the database is full", why,
                      "free space on the file system of data_dir; berthd goes on by itself"});
  }
  switch (result & 0xff) {
    case SQLITE_NOTADB:
      return MakeError(absl::StatusCode::kFailedPrecondition,
                       {"B8203", "the database file is not a Berth database", why,
                        "point data_dir to the right folder, or restore a backup"});
    case SQLITE_CORRUPT:
      return MakeError(absl::StatusCode::kFailedPrecondition,
                       {"B8204", "the database is damaged", why,
                        "keep the file for analysis and restore the last backup"});
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return MakeError(absl::StatusCode::kFailedPrecondition,
                       {"B8206", "the database is in use by another process", why,
                        "stop the other berthd, or give this one its own data_dir"});
    default:
      return MakeError(absl::StatusCode::kInternal,
                       {"B8209", absl::StrCat("the database failed: ", sqlite3_errmsg(connection)),
                        why, "check the disk and the system's log"});
  }
}

constexpr int64_t kFrameBytes = 4096 + 24;  // a page in the log, with its header
constexpr int kReserveStepBytes = 1 << 16;  // SQLite takes no more than 128 KiB in one write

int NoteLogLength(void* log_pages, sqlite3* /*connection*/, const char* /*schema*/, int pages) {
  *static_cast<int64_t*>(log_pages) = pages;
  return SQLITE_OK;
}

// In this order: the lock's mode is set before the first access, so that the log's index stays in
// this process's memory and no second connection can exist.
constexpr char kSettings[] =
    "PRAGMA locking_mode = EXCLUSIVE;"
    "PRAGMA synchronous = FULL;"
    "PRAGMA foreign_keys = ON;"
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA cache_size = -65536;"
    "PRAGMA mmap_size = 0;"
    "PRAGMA wal_autocheckpoint = 0;";

}  // namespace

std::string Parameters(int count) {
  return absl::StrJoin(std::vector<std::string>(static_cast<size_t>(count), "?"), ", ");
}

Statement::Statement(sqlite3* connection, sqlite3_stmt* statement, absl::Status status)
    : connection_(connection), statement_(statement), status_(std::move(status)) {}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      bound_(other.bound_),
      read_(other.read_),
      status_(std::move(other.status_)) {}

Statement::~Statement() {
  if (statement_ != nullptr) {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
}

void Statement::Note(int result) {
  if (result != SQLITE_OK && status_.ok()) {
    status_ = StatusOf(connection_, result);
  }
}

void Statement::BindInt(int64_t value) {
  if (statement_ != nullptr) {
    Note(sqlite3_bind_int64(statement_, ++bound_, value));
  }
}

void Statement::BindText(absl::string_view value) {
  if (value.empty()) {
    BindLasting("");  // a null pointer would bind NULL
  } else if (statement_ != nullptr) {
    Note(sqlite3_bind_text64(statement_, ++bound_, value.data(), value.size(), SQLITE_TRANSIENT,
                             SQLITE_UTF8));
  }
}

void Statement::BindLasting(absl::string_view value) {
  if (statement_ != nullptr) {
    Note(sqlite3_bind_text64(statement_, ++bound_, value.data(), value.size(), SQLITE_STATIC,
                             SQLITE_UTF8));
  }
}

void Statement::BindBlob(absl::string_view value) {
  if (statement_ != nullptr) {
    const char* bytes = value.data() == nullptr ? "" : value.data();
    Note(sqlite3_bind_blob64(statement_, ++bound_, bytes, value.size(), SQLITE_TRANSIENT));
  }
}

void Statement::BindNull() {
  if (statement_ != nullptr) {
    Note(sqlite3_bind_null(statement_, ++bound_));
  }
}

void Statement::BindTime(absl::Time value) {
  if (value == absl::InfinitePast() || value == absl::InfiniteFuture()) {
    BindNull();
  } else {
    BindInt(absl::ToUnixMicros(value));
  }
}

absl::StatusOr<bool> Statement::Step() {
  RETURN_IF_ERROR(status_);
  BERTH_CHECK(bound_ == sqlite3_bind_parameter_count(statement_));
  read_ = 0;
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) {
    return true;
  }
  if (result != SQLITE_DONE) {
    Note(sqlite3_extended_errcode(connection_));
    return status_;
  }
  return false;
}

absl::Status Statement::Run() {
  const absl::StatusOr<bool> row = Step();
  RETURN_IF_ERROR(row.status());
  BERTH_CHECK(!*row);
  return absl::OkStatus();
}

int64_t Statement::ReadInt() {
  return sqlite3_column_int64(statement_, read_++);
}

bool Statement::NextIsNull() const {
  return sqlite3_column_type(statement_, read_) == SQLITE_NULL;
}

absl::string_view Statement::NextText() {
  const int column = read_++;
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr) {
    return absl::string_view();
  }
  return absl::string_view(static_cast<const char*>(bytes),
                           static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
}

std::string Statement::ReadText() {
  return std::string(NextText());
}

absl::Time Statement::ReadTime(absl::Time if_null) {
  if (NextIsNull()) {
    ++read_;
    return if_null;
  }
  return absl::FromUnixMicros(ReadInt());
}

void Statement::RefuseWord(absl::string_view word) {
  if (status_.ok()) {
    status_ =
        MakeError(absl::StatusCode::kFailedPrecondition,
                  {"B8204", "the database is damaged",
                   absl::StrCat("a row holds the unknown word \"", absl::CHexEscape(word), "\""),
                   "keep the file for analysis and restore the last backup"});
  }
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  return OpenWith(path, SQLITE_OPEN_READWRITE);
}

// "Uniform Resource Identifiers", https://sqlite.org/uri.html: an immutable file needs no lock,
// which a file that may only be read could not have, and no log.
absl::StatusOr<std::unique_ptr<Database>> Database::OpenToRead(const std::string& path) {
  const std::string escaped =
      absl::StrReplaceAll(path, {
                                    {"%", "%25"},
                                    {"?", "%3f"},
                                    {"#", "%23"}
  });
  return OpenWith(absl::StrCat("file:", escaped, "?immutable=1"),
                  SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

absl::StatusOr<std::unique_ptr<Database>> Database::OpenWith(const std::string& path, int flags) {
  sqlite3* connection = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &connection, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  if (result != SQLITE_OK) {
    absl::Status status = MakeError(
        absl::StatusCode::kFailedPrecondition,
        {"B8209", absl::StrCat("the database \"", path, "\" cannot be opened"),
         absl::StrCat("SQLite says: ", sqlite3_errstr(result)), "check the file's owner and mode"});
    sqlite3_close(connection);
    return status;
  }
  std::unique_ptr<Database> database(new Database(connection));
  sqlite3_extended_result_codes(connection, 1);
  // Three of the four harden against a file that was made to do harm; the last keeps a foreign file
  // as it is.
  for (const auto& [option, on] : {
           std::pair<int, int>{SQLITE_DBCONFIG_DEFENSIVE,             1},
           {SQLITE_DBCONFIG_TRUSTED_SCHEMA,        0},
           {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
           {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,      1}
  }) {
    if (const int refused = sqlite3_db_config(connection, option, on, nullptr);
        refused != SQLITE_OK) {
      return StatusOf(connection, refused);
    }
  }
  RETURN_IF_ERROR(database->Execute(kSettings));
  // After the settings: wal_autocheckpoint sets a hook of its own.
  sqlite3_wal_hook(connection, NoteLogLength, &database->log_pages_);
  return database;
}

Database::Database(sqlite3* connection) : connection_(connection) {}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) {
    sqlite3_finalize(statement);
  }
  sqlite3_close(connection_);
}

absl::Status Database::Execute(const std::string& sql) {
  return StatusOf(connection_, sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr));
}

absl::Status Database::ExecuteOnSchema(const std::string& sql) {
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
  const absl::Status status =
      Execute(absl::StrCat("PRAGMA writable_schema = ON;", sql, ";PRAGMA writable_schema = RESET"));
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  return status;
}

Statement Database::Prepare(absl::string_view sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) {
    BERTH_CHECK(sqlite3_stmt_busy(found->second) == 0);
    return Statement(connection_, found->second, absl::OkStatus());
  }
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v3(connection_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) {
    return Statement(connection_, nullptr, StatusOf(connection_, result));
  }
  statements_.emplace(std::string(sql), statement);
  return Statement(connection_, statement, absl::OkStatus());
}

absl::StatusOr<int64_t> Database::QueryInt(absl::string_view sql) {
  Statement statement = Prepare(sql);
  RETURN_IF_ERROR(statement.Step().status());
  return statement.ReadInt();
}

absl::StatusOr<std::string> Database::QueryText(absl::string_view sql) {
  Statement statement = Prepare(sql);
  RETURN_IF_ERROR(statement.Step().status());
  return statement.ReadText();
}

int64_t Database::changes() const {
  return sqlite3_changes64(connection_);
}

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(connection_) == 0;
}

absl::Status Database::Checkpoint() {
  int log_pages = 0;
  int moved_pages = 0;
  const int result = sqlite3_wal_checkpoint_v2(connection_, nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                               &log_pages, &moved_pages);
  RETURN_IF_ERROR(StatusOf(connection_, result));
  log_pages_ = log_pages - moved_pages;
  return absl::OkStatus();
}

absl::Status Database::ReserveLog(int64_t pages) {
  sqlite3_file* log = nullptr;
  RETURN_IF_ERROR(StatusOf(
      connection_, sqlite3_file_control(connection_, nullptr, SQLITE_FCNTL_JOURNAL_POINTER, &log)));
  sqlite3_int64 size = 0;
  if (log == nullptr || log->pMethods == nullptr ||
      log->pMethods->xFileSize(log, &size) != SQLITE_OK) {
    return absl::OkStatus();
  }
  // Recovery stops at the first frame that is not valid, and a frame of zeros never is.
  const std::string zeros(kReserveStepBytes, '\0');
  while (size < pages * kFrameBytes) {
    if (log->pMethods->xWrite(log, zeros.data(), kReserveStepBytes, size) != SQLITE_OK) {
      break;
    }
    size += kReserveStepBytes;
  }
  return StatusOf(connection_, log->pMethods->xSync(log, SQLITE_SYNC_NORMAL));
}

absl::Status Database::CheckpointOnClose() {
  return StatusOf(connection_,
                  sqlite3_db_config(connection_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr));
}

}  // namespace berth
