#include "client/exit_codes.h"

#include "common/error_detail.h"

namespace berth {
namespace {

constexpr int kSignalKill = 9;

int ExitCodeOfEnd(const v1::JobEnd& end) {
  switch (end.reason()) {
    case v1::END_REASON_EXIT:
      return end.exit_code() != 0 ? end.exit_code() : kExitFailed;
    case v1::END_REASON_SIGNAL:
      return kExitSignalBase + end.signal();
    case v1::END_REASON_OOM:
    case v1::END_REASON_DISK_LIMIT:
      return kExitSignalBase + kSignalKill;
    case v1::END_REASON_NODE_FAULT:
    case v1::END_REASON_PREEMPTED:
    case v1::END_REASON_BUDGET:
      return kExitLost;
    case v1::END_REASON_TIME_LIMIT:
    case v1::END_REASON_IDLE:
      return kExitTimeLimit;
    case v1::END_REASON_IMAGE_ERROR:
    case v1::END_REASON_PREPARE_TIMEOUT:
    case v1::END_REASON_DEPENDENCY:
      return kExitNeverStarted;
    case v1::END_REASON_ADMIN:
    case v1::END_REASON_CANCELLED:
      return kExitCancelled;
    case v1::END_REASON_LAUNCH_ERROR:
      return end.exit_code() == kExitCommandNotFound ? kExitCommandNotFound : kExitNotExecutable;
    default:  // a reason that this version does not know yet
      return kExitFailed;
  }
}

}  // namespace

int ExitCodeOfStatus(const absl::Status& status) {
  if (status.ok()) {
    return kExitDone;
  }
  const auto detail = FindDetail(status);
  if (detail.has_value() && detail->refused_by_entitlement) {
    return kExitRefusedByEntitlement;
  }
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return kExitUsage;
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return kExitNotAllowed;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
      return kExitConflict;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kExitUnreachable;
    case absl::StatusCode::kResourceExhausted:
      return detail.has_value() && detail->retryable ? kExitUnreachable : kExitFailed;
    case absl::StatusCode::kUnimplemented:
      return kExitIncompatible;
    case absl::StatusCode::kOk:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kDoNotUseReservedForFutureExpansionUseDefaultInSwitchInstead_:
      return kExitFailed;
  }
  return kExitFailed;
}

int ExitCodeOfJob(const v1::Job& job) {
  switch (job.state()) {
    case v1::JOB_STATE_SUCCEEDED:
      return kExitDone;
    case v1::JOB_STATE_CANCELLED:
      return kExitCancelled;
    case v1::JOB_STATE_TIMED_OUT:
      return kExitTimeLimit;
    case v1::JOB_STATE_DEPENDENCY_FAILED:
      return kExitNeverStarted;
    default:  // failed
      return ExitCodeOfEnd(job.end());
  }
}

}  // namespace berth
