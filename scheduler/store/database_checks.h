#ifndef BERTH_SCHEDULER_STORE_DATABASE_CHECKS_H_
#define BERTH_SCHEDULER_STORE_DATABASE_CHECKS_H_

// Whether an open database is ours, whole and sound. Every refusal says what, why and what to do.

#include <string>

#include "absl/status/status.h"

#include "scheduler/store/database.h"

namespace berth {

// Of a Berth scheduler, and not newer than this program.
absl::Status CheckIdentity(Database& database, const std::string& path);

// kQuick leaves out whether indexes agree with their tables; kFull is for copies.
enum class CheckDepth { kQuick, kFull };
absl::Status CheckSoundness(Database& database, const std::string& path, CheckDepth depth);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_DATABASE_CHECKS_H_
