// Every rule of the protocol has a switch that breaks it (common/planted_bug.h). The simulation of
// faults must find each one that is not made good by another rule.

#include <csignal>
#include <cstdio>
#include <string>

#include <gtest/gtest.h>

#include "common/planted_bug.h"
#include "sim/faults/fault_search.h"
#include <sys/wait.h>
#include <unistd.h>

namespace berth::sim {
namespace {

constexpr int64_t kSeedsMost = 10000;
constexpr int kFound = 17;
constexpr int kNotFound = 0;

// In a process of its own: a bug may also end it by a check, and that is found, too.
int Search(PlantedBug bug, int64_t seeds) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    planted_bug = bug;
    const FaultSearchResult result = SearchFaults({.seeds = seeds});
    if (result.failure.has_value()) {
      std::printf("  found in seed %lld, which breaks %s: %s\n",
                  static_cast<long long>(result.failure->seed), result.failure->invariant.c_str(),
                  result.failure->detail.c_str());
      std::fflush(stdout);
    }
    _exit(result.failure.has_value() ? kFound : kNotFound);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) {
    return kFound;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class PlantedBugs : public testing::TestWithParam<PlantedBug> {};

TEST_P(PlantedBugs, IsFound) {
  EXPECT_EQ(Search(GetParam(), kSeedsMost), kFound);
}

INSTANTIATE_TEST_SUITE_P(
    EachRule, PlantedBugs,
    testing::Values(
        PlantedBug::kAckBeforeDurable, PlantedBug::kNoIdempotencyKey, PlantedBug::kLeaseNotEnforced,
        PlantedBug::kLeaseHeldByAgent, PlantedBug::kLeaseFromAckArrival,
        PlantedBug::kNoRestartGrace, PlantedBug::kLostAfterLease, PlantedBug::kNoAssignSeq,
        PlantedBug::kRefusedTakenLater, PlantedBug::kAbsentMeansLost, PlantedBug::kFreedAtKill,
        PlantedBug::kStartBeforePrepared, PlantedBug::kOldSessionHeard, PlantedBug::kOldLifeHeard,
        PlantedBug::kReportOnce, PlantedBug::kLostBeforeItIsGone, PlantedBug::kCancelForgotten,
        PlantedBug::kGraceOutlivesLease, PlantedBug::kNoMassLossHold, PlantedBug::kNoDeviceLock,
        PlantedBug::kUnwrittenForgotten, PlantedBug::kJournalLossIgnored,
        PlantedBug::kFailedFenceCounts, PlantedBug::kLateFenceCounts,
        PlantedBug::kTaskBeforeDurable),
    [](const auto& bug) { return "Bug" + std::to_string(static_cast<int>(bug.param)); });

// Another rule makes these good, whatever happens in the simulation:
// - kNoTombstone: a kill of what is unknown is sent only for a row that is released by its answer,
//   and the assignment can come on an older stream only, which nobody listens to any more.
// - kOldEpochObeyed: an older scheduler refuses the agent's hello by itself.
// - kDirtyDevice: the locks of the devices cover for it.
// - kNoReleaseOnReboot: the hello's list of tasks does not have them, which releases them as well.
// - kStopOvertakes: a kill comes again with every heartbeat until its task has ended.
// - kUnwrittenTold: an end counts by its report only; an assignment that was told of and that the
//   agent's next life does not know counts as lost, though it never ran.
class RedundantRules : public testing::TestWithParam<PlantedBug> {};

TEST_P(RedundantRules, AreMadeGood) {
  EXPECT_EQ(Search(GetParam(), 500), kNotFound);
}

INSTANTIATE_TEST_SUITE_P(EachRule, RedundantRules,
                         testing::Values(PlantedBug::kNoTombstone, PlantedBug::kOldEpochObeyed,
                                         PlantedBug::kDirtyDevice, PlantedBug::kNoReleaseOnReboot,
                                         PlantedBug::kStopOvertakes, PlantedBug::kUnwrittenTold),
                         [](const auto& bug) {
                           return "Bug" + std::to_string(static_cast<int>(bug.param));
                         });

TEST(PlantedBugsOff, NothingIsFound) {
  EXPECT_EQ(Search(PlantedBug::kNone, 200), kNotFound);
}

}  // namespace
}  // namespace berth::sim
