#ifndef BERTH_COMMON_PLANTED_BUG_H_
#define BERTH_COMMON_PLANTED_BUG_H_

// Switches that break one rule of the protocol each, so that a test can show that the simulation of
// faults finds it. They exist only in what is built with BERTH_PLANTED_BUGS; everywhere else
// Planted() is false for the compiler.

namespace berth {

enum class PlantedBug {
  kNone,
  kAckBeforeDurable,     // replies and commands leave before the commit
  kNoIdempotencyKey,     // a repeated submission is another job
  kLeaseNotEnforced,     // the shim has no timer for it
  kLeaseHeldByAgent,     // the shim's timer works only while the agent lives
  kLeaseFromAckArrival,  // it counts from the answer instead of from the send
  kNoRestartGrace,       // silence counts from before the restart
  kLostAfterLease,       // T_S = T_A
  kNoAssignSeq,          // a repeated assignment is taken again
  kRefusedTakenLater,    // an assignment that was refused is taken when it comes again
  kAbsentMeansLost,      // what the node does not know is gone, delivered or not
  kFreedAtKill,          // devices are given away when the kill is sent
  kStartBeforePrepared,  // a gang starts with its first member
  kNoTombstone,          // a kill of what is unknown leaves no trace
  kOldEpochObeyed,       // any scheduler is obeyed
  kOldSessionHeard,      // what an older stream says counts
  kOldLifeHeard,         // so does the hello of an earlier life of the agent
  kReportOnce,           // a report is not repeated until it is acknowledged
  kLostBeforeItIsGone,   // a task is reported lost while its processes still run
  kDirtyDevice,          // a task starts on a device with processes on it
  kNoDeviceLock,         // a shim takes no locks
  kCancelForgotten,      // a cancelled job may be queued again
  kNoReleaseOnReboot,    // a new boot id means nothing
  kGraceOutlivesLease,   // a stop's grace postpones the end that the lease sets
  kNoMassLossHold,       // nodes are lost however many fall silent at once
  kFailedFenceCounts,    // a fence command that failed has switched the node off
  kLateFenceCounts,      // so has one of a node that was heard of since
  kUnwrittenForgotten,   // what a full disk held back is never said
  kJournalLossIgnored,   // what a lost journal may have accepted is sent again
  kTaskBeforeDurable,    // a task starts before its assignment is on the disk
  kStopOvertakes,        // a stop does not wait for the disk behind its task
  kUnwrittenTold,        // a heartbeat that does not wait for the disk tells what is not on it
};

#ifdef BERTH_PLANTED_BUGS
// Set before anything runs that asks.
inline PlantedBug planted_bug = PlantedBug::kNone;
inline bool Planted(PlantedBug bug) {
  return planted_bug == bug;
}
#else
constexpr bool Planted(PlantedBug /*bug*/) {
  return false;
}
#endif

}  // namespace berth

#endif  // BERTH_COMMON_PLANTED_BUG_H_
