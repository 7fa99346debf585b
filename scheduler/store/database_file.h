#ifndef BERTH_SCHEDULER_STORE_DATABASE_FILE_H_
#define BERTH_SCHEDULER_STORE_DATABASE_FILE_H_

// The database as a file: what it must be before it is opened, and how a new one comes to be.

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "scheduler/store/database.h"

namespace berth {

// Opens the database at `path`, creates it (and its folder) if there is none, and migrates it.
// Refuses what is not a private, sound database of this program on a local disk. With
// `check_later`, whether a database of this version is sound is left to the caller.
absl::StatusOr<std::unique_ptr<Database>> OpenDatabaseFile(const std::string& path,
                                                           bool check_later = false);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_DATABASE_FILE_H_
