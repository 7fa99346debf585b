#ifndef BERTH_SCHEDULER_STORE_DATABASE_H_
#define BERTH_SCHEDULER_STORE_DATABASE_H_

// One SQLite connection and its statements. The only place that calls SQLite.

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace berth {

// The places of so many values in a statement: "?, ?, ?".
std::string Parameters(int count);

// One use of a prepared statement: bind in order, step, read in order. The first error sticks and
// comes out of Step() or status(). Made by Database::Prepare; must not outlive the database.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  void BindInt(int64_t value);
  void BindText(absl::string_view value);
  void BindBlob(absl::string_view value);
  void BindNull();
  // The infinities are NULL.
  void BindTime(absl::Time value);
  void BindDuration(absl::Duration value) { BindInt(absl::ToInt64Microseconds(value)); }
  // None is NULL.
  template <typename Id>
  void BindId(Id id) {
    if (id) {
      BindInt(static_cast<int64_t>(id.value()));
    } else {
      BindNull();
    }
  }
  template <typename Enum>
  void BindWord(Enum value) {
    BindLasting(Name(value));
  }

  // Returns: whether there is a row. Requires: every parameter is bound.
  absl::StatusOr<bool> Step();
  // For statements without rows.
  absl::Status Run();

  int64_t ReadInt();
  int32_t ReadInt32() { return static_cast<int32_t>(ReadInt()); }
  bool ReadBool() { return ReadInt() != 0; }
  bool NextIsNull() const;
  std::string ReadText();
  absl::Time ReadTime(absl::Time if_null = absl::InfinitePast());
  absl::Duration ReadDuration() { return absl::Microseconds(ReadInt()); }
  template <typename Id>
  Id ReadId() {
    return Id(static_cast<typename Id::value_type>(ReadInt()));
  }
  // `find` turns a word into an optional enumerator.
  template <typename Find>
  auto ReadWord(Find find) {
    const absl::string_view word = NextText();
    const auto value = find(word);
    if (!value.has_value()) {
      RefuseWord(word);
    }
    return value.value_or(typename decltype(value)::value_type{});
  }
  const absl::Status& status() const { return status_; }

 private:
  friend class Database;
  Statement(sqlite3* connection, sqlite3_stmt* statement, absl::Status status);
  void Note(int result);
  // Text that outlives the statement's use: SQLite takes no copy.
  void BindLasting(absl::string_view value);
  absl::string_view NextText();
  void RefuseWord(absl::string_view word);

  sqlite3* connection_;
  sqlite3_stmt* statement_;  // owned by the database's cache; null after an error
  int bound_ = 0;
  int read_ = 0;
  absl::Status status_;
};

// Owned by the store; one thread. Errors: ResourceExhausted for a full disk, FailedPrecondition for
// a file that is damaged, foreign or in use, Internal for the rest.
class Database {
 public:
  // Opens an existing file and takes its lock with the first access.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  // Changes nothing of the file and makes none beside it.
  static absl::StatusOr<std::unique_ptr<Database>> OpenToRead(const std::string& path);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  // Statements without rows or parameters.
  absl::Status Execute(const std::string& sql);
  // The same for a migration that changes the schema's own text, which is else refused.
  absl::Status ExecuteOnSchema(const std::string& sql);
  // The statement is compiled once and kept. Requires: no other use of the same text is alive.
  Statement Prepare(absl::string_view sql);
  absl::StatusOr<int64_t> QueryInt(absl::string_view sql);
  absl::StatusOr<std::string> QueryText(absl::string_view sql);

  // Rows touched by the last statement that ran.
  int64_t changes() const;
  bool in_transaction() const;
  // Length of the write-ahead log after the last commit or checkpoint.
  int64_t log_pages() const { return log_pages_; }
  // Writes zeros to the end of the log's room: writing over room costs half of what growing the
  // file does, and needs no free disk. A full disk is no error.
  absl::Status ReserveLog(int64_t pages);
  // Brings the log into the database file; the log is then written again from its start.
  absl::Status Checkpoint();
  // Until this is called, closing leaves the file as it was found.
  absl::Status CheckpointOnClose();

 private:
  explicit Database(sqlite3* connection);
  static absl::StatusOr<std::unique_ptr<Database>> OpenWith(const std::string& path, int flags);

  sqlite3* connection_;
  absl::flat_hash_map<std::string, sqlite3_stmt*> statements_;
  int64_t log_pages_ = 0;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_DATABASE_H_
