#ifndef BERTH_SCHEDULER_SERVER_OFFLINE_H_
#define BERTH_SCHEDULER_SERVER_OFFLINE_H_

// What berthd does to its database without serving: checking a backup, restoring one, migrating.

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "common/clock.h"
#include "scheduler/server.h"

namespace berth {

// Each returns what it did, as sentences for the operator's terminal.

absl::StatusOr<std::string> DescribeBackup(const std::string& path);

// Requires no running berthd on the data folder. `cluster_name` is what the operator typed; it must
// be the configured one if there is a database to be put aside.
absl::StatusOr<std::string> RestoreOffline(const ServerOptions& options, const std::string& backup,
                                           absl::string_view cluster_name, const Clock& clock);

// Brings the database to this program's schema version, with all checks of a start.
absl::StatusOr<std::string> MigrateOffline(const ServerOptions& options);

}  // namespace berth

#endif  // BERTH_SCHEDULER_SERVER_OFFLINE_H_
