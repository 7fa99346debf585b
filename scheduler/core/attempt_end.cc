#include "scheduler/core/attempt_end.h"

#include <string>

#include "absl/strings/str_format.h"

namespace berth {
namespace {

EndReason ToEndReason(StopReason reason) {
  switch (reason) {
    case StopReason::kCancelled:
      return EndReason::kCancelled;
    case StopReason::kTimeLimit:
      return EndReason::kTimeLimit;
    case StopReason::kPreempted:
    case StopReason::kShrink:
    case StopReason::kDrain:
    case StopReason::kMaintenance:
      return EndReason::kPreempted;
    case StopReason::kBudget:
      return EndReason::kBudget;
    case StopReason::kAdmin:
      return EndReason::kAdmin;
    case StopReason::kDiskLimit:
      return EndReason::kDiskLimit;
    case StopReason::kIdle:
      return EndReason::kIdle;
    case StopReason::kNone:
    case StopReason::kGang:
    case StopReason::kLease:
    case StopReason::kStale:
      return EndReason::kNodeFault;
  }
  return EndReason::kNodeFault;
}

JobEnd EndOfExit(const TaskReport& report) {
  JobEnd end{.exit_code = report.exit_code, .signal = report.signal, .message = report.message};
  if (report.exec_failed) {
    end.reason = EndReason::kLaunchError;
  } else if (report.out_of_memory) {
    end.reason = EndReason::kOom;
  } else {
    end.reason = report.signal != 0 ? EndReason::kSignal : EndReason::kExit;
  }
  return end;
}

JobEnd EndOfRefusal(const Cluster& cluster, const Allocation& allocation,
                    const TaskReport& report) {
  const std::string message =
      absl::StrFormat("node %s refused: %s", cluster.GetNode(allocation.node).name, report.message);
  switch (report.refusal) {
    case Refusal::kBadSpec:
      return {.reason = EndReason::kLaunchError, .exit_code = 126, .message = message};
    case Refusal::kImage:
      return {.reason = EndReason::kImageError, .message = message};
    case Refusal::kDevice:
      // It was on its way while an operator changed the node: nobody failed.
      return {.reason = EndReason::kAdmin, .message = message};
    case Refusal::kNone:
    case Refusal::kLockHeld:
    case Refusal::kDisk:
    case Refusal::kEpoch:
    case Refusal::kFenced:
    case Refusal::kLease:
    case Refusal::kLaunch:
      return {.reason = EndReason::kNodeFault, .message = message};
  }
  return {};
}

}  // namespace

std::optional<JobEnd> EndOf(const Cluster& cluster, const Allocation& allocation,
                            const TaskReport& report) {
  switch (report.kind) {
    case ReportKind::kExited:
      return report.exit_code == 0 && report.signal == 0 ? std::nullopt
                                                         : std::optional(EndOfExit(report));
    case ReportKind::kKilled:
      return JobEnd{.reason = ToEndReason(report.stop_reason),
                    .exit_code = report.exit_code,
                    .signal = report.signal,
                    .message = report.message};
    case ReportKind::kRefused:
      return EndOfRefusal(cluster, allocation, report);
    case ReportKind::kNeverRan:
    case ReportKind::kLostReboot:
    case ReportKind::kLostShim:
    case ReportKind::kPrepared:
    case ReportKind::kStarted:
    case ReportKind::kQuarantine:
      return JobEnd{.reason = EndReason::kNodeFault, .message = report.message};
  }
  return std::nullopt;
}

}  // namespace berth
