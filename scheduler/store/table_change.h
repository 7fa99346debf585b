#ifndef BERTH_SCHEDULER_STORE_TABLE_CHANGE_H_
#define BERTH_SCHEDULER_STORE_TABLE_CHANGE_H_

// The changes of a table that SQLite's ALTER TABLE does not know. New columns need none of this:
// ALTER TABLE ... ADD COLUMN, NOT NULL with a DEFAULT.

#include <string>
#include <vector>

#include "absl/status/status.h"

#include "scheduler/store/database.h"

namespace berth {

// Makes the enumeration in `column` of `table` (a CHECK of equalities, see schema_v1.cc) take
// `words` too. The table is written anew under its name, with its rows, indexes and triggers.
// Requires: inside Migrate's transaction, which has foreign keys off and checks them at its end.
// Source: "Making Other Kinds Of Table Schema Changes", https://sqlite.org/lang_altertable.html.
absl::Status AllowWords(Database& database, const std::string& table, const std::string& column,
                        const std::vector<std::string>& words);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_TABLE_CHANGE_H_
