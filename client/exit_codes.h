#ifndef BERTH_CLIENT_EXIT_CODES_H_
#define BERTH_CLIENT_EXIT_CODES_H_

// What `berth` exits with. Frozen: scripts depend on these numbers.

#include "absl/status/status.h"

#include "proto/job.pb.h"

namespace berth {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNotFound = 3;
inline constexpr int kExitNotAllowed = 4;
inline constexpr int kExitConflict = 5;
inline constexpr int kExitRefusedByEntitlement = 6;
inline constexpr int kExitUnreachable = 7;
inline constexpr int kExitPartlyDone = 8;
inline constexpr int kExitIncompatible = 9;

// `submit --plan`: the job would be accepted, but not start at once.
inline constexpr int kExitWillWait = 10;

// `run` and `wait`, where the job has no exit code of its own.
inline constexpr int kExitNeverStarted = 120;
inline constexpr int kExitCancelled = 121;
inline constexpr int kExitTimeLimit = 122;
inline constexpr int kExitLost = 123;
inline constexpr int kExitClientTimeout = 124;
inline constexpr int kExitServerLost = 125;
inline constexpr int kExitNotExecutable = 126;
inline constexpr int kExitCommandNotFound = 127;
inline constexpr int kExitSignalBase = 128;

// For a command that ended with `status`.
int ExitCodeOfStatus(const absl::Status& status);

// For a job that ended: its own code where it has one.
int ExitCodeOfJob(const v1::Job& job);

}  // namespace berth

#endif  // BERTH_CLIENT_EXIT_CODES_H_
