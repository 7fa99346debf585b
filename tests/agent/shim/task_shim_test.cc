// Real berth-shim processes, and real processes under them.

#include "agent/shim/task_shim.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/shim/shim_protocol.h"
#include "tests/agent/shim/shim_harness.h"
#include <sys/file.h>
#include <sys/stat.h>

namespace berth {
namespace {

// Of berth.v1.StopReason.
constexpr int kCancelled = 1;
constexpr int kTimeLimit = 2;
constexpr int kLease = 5;
constexpr int kIdle = 13;

int64_t ElapsedMs(int64_t since_ns) {
  return (BootTimeNs() - since_ns) / kNsPerMs;
}

// ---- Ends of its own ----

TEST_F(ShimTest, ExitCodeAndOutputAreKept) {
  RunShell("echo out; echo err >&2; exit 7");
  StartShim();
  ExpectStarted();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exit_code, 7);
  EXPECT_EQ(record->signal, 0);
  EXPECT_EQ(record->failed_rank, 0);
  EXPECT_EQ(record->stop_reason, 0);
  EXPECT_GT(record->started_at_us, 0);
  EXPECT_GE(record->ended_at_us, record->started_at_us);
  EXPECT_EQ(Log(), "out\nerr\n");
}

TEST_F(ShimTest, StandardOutputCanBeOpenedAgain) {
  RunShell("echo one > /dev/stdout; echo two > /dev/stderr");
  StartShim();
  ASSERT_TRUE(AwaitEnd().has_value());
  EXPECT_EQ(Log(), "one\ntwo\n");
}

TEST_F(ShimTest, ALogIsBoundedAndKeepsItsEnd) {
  task.log_segment_bytes = 1 << 20;
  task.log_segments_max = 2;
  RunShell("head -c 5000000 /dev/zero; echo; echo the end");
  StartShim();
  ASSERT_TRUE(AwaitEnd().has_value());
  uintmax_t bytes = 0;
  std::string newest;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    const std::string name = entry.path().filename();
    if (name.starts_with("rank-0")) {
      bytes += entry.file_size();
      newest = name.ends_with(".stamps") ? newest : std::max(newest, name);
    }
  }
  EXPECT_LE(bytes, (2U << 20) + (1U << 16));  // with the times of its parts
  EXPECT_TRUE(ReadText(dir.File(newest)).ends_with("\nthe end\n")) << newest;
}

TEST_F(ShimTest, SuccessHasNoFailedRank) {
  RunShell("exit 0");
  StartShim();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exit_code, 0);
  EXPECT_EQ(record->failed_rank, -1);
  EXPECT_EQ(shim_status, 0);
}

TEST_F(ShimTest, SignalIsKept) {
  RunShell("kill -USR1 $$");
  StartShim();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->signal, SIGUSR1);
  EXPECT_EQ(record->exit_code, 0);
  EXPECT_EQ(record->stop_reason, 0);
}

TEST_F(ShimTest, EndTidiesUpTheSocketAndClosesTheConversation) {
  RunShell("exit 0");
  StartShim();
  ExpectStarted();
  EXPECT_FALSE(Receive().has_value());
  AwaitEnd();
  EXPECT_NE(access(dir.File(kSocketFileName).c_str(), F_OK), 0);
}

// ---- Commands that cannot be executed ----

TEST_F(ShimTest, MissingCommandIs127) {
  task.argv = {"no-such-command-anywhere"};
  StartShim();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exec_failed, 1);
  EXPECT_EQ(record->exit_code, kExitNotFound);
  EXPECT_NE(record->message.find("no-such-command-anywhere"), std::string::npos) << record->message;
}

TEST_F(ShimTest, CommandThatIsNoProgramIs126) {
  std::ofstream(dir.File("data")) << "data";
  chmod(dir.File("data").c_str(), 0600);
  task.argv = {dir.File("data")};
  StartShim();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exec_failed, 1);
  EXPECT_EQ(record->exit_code, kExitNotExecutable);
}

TEST_F(ShimTest, MissingWorkingDirectoryIsAnExecFailure) {
  RunShell("echo ran");
  task.working_directory = dir.File("missing");
  StartShim();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exec_failed, 1);
  EXPECT_NE(record->exit_code, 0);
  EXPECT_EQ(Log(), "");
}

TEST_F(ShimTest, ArgumentsPassLiterally) {
  task.argv = {"/usr/bin/printf", "%s|", "$(echo no)", "; exit 9", "a b", ""};
  StartShim();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exit_code, 0);
  EXPECT_EQ(Log(), "$(echo no)|; exit 9|a b||");
}

TEST_F(ShimTest, EnvironmentIsTheTasksAlone) {
  task.ranks[0].environment = {"PATH=/usr/bin:/bin", "ONLY=this"};
  task.argv = {"env"};
  StartShim();
  AwaitEnd();
  EXPECT_EQ(Log(), "PATH=/usr/bin:/bin\nONLY=this\n");
}

// ---- Stops ----

TEST_F(ShimTest, StopFileComesBeforeTheSignal) {
  RunShell("trap 'cat stop; exit 3' TERM; echo ready; while :; do sleep 0.01; done");
  StartShim();
  ExpectStarted();
  AwaitLine("ready");
  SendStop(kCancelled, 10000);
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->stop_reason, kCancelled);
  EXPECT_EQ(record->exit_code, 3);
  EXPECT_NE(Log().find("{\"reason\":\"cancelled\",\"grace_seconds\":10,\"message\":"),
            std::string::npos)
      << Log();
}

TEST_F(ShimTest, StopSignalIsTheTasksOwn) {
  task.stop_signal = SIGUSR2;
  RunShell("trap 'exit 4' USR2; echo ready; while :; do sleep 0.01; done");
  StartShim();
  AwaitLine("ready");
  SendStop(kCancelled, 10000);
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exit_code, 4);
}

// Itself, a child in a session of its own, and a double-forked grandchild: all ignore TERM.
TEST_F(ShimTest, NothingOutlivesTheGrace) {
  const std::string marker = Marker();
  RunShell("trap '' TERM HUP INT; setsid sh -c 'trap \"\" TERM HUP; sleep 1000; : " + marker +
           "' & (setsid sh -c 'sleep 1000; : " + marker +
           "' &) ; echo ready; while :; do sleep 1000; done");
  StartShim();
  ExpectStarted();
  AwaitLine("ready");
  ASSERT_TRUE(IsMarkerAlive(marker));
  const int64_t since = BootTimeNs();
  SendStop(kCancelled, 300);
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_GE(ElapsedMs(since), 300);
  EXPECT_LT(ElapsedMs(since), 300 + 5000);
  EXPECT_EQ(record->stop_reason, kCancelled);
  EXPECT_FALSE(IsMarkerAlive(marker)) << "alive although the exit is recorded";
}

TEST_F(ShimTest, NoGraceKillsAtOnce) {
  RunShell("trap '' TERM; echo ready; while :; do sleep 1000; done");
  StartShim();
  AwaitLine("ready");
  const int64_t since = BootTimeNs();
  SendStop(kCancelled, 0);
  ASSERT_TRUE(AwaitEnd().has_value());
  EXPECT_LT(ElapsedMs(since), 5000);
}

TEST_F(ShimTest, LaterStopShortensTheGraceAndKeepsTheReason) {
  RunShell("trap '' TERM; echo ready; while :; do sleep 1000; done");
  StartShim();
  AwaitLine("ready");
  const int64_t since = BootTimeNs();
  SendStop(kCancelled, 600000);
  SendStop(kLease, 0);
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->stop_reason, kCancelled);
  EXPECT_LT(ElapsedMs(since), 5000);
}

TEST_F(ShimTest, WhatIsLeftBehindAnEndIsKilled) {
  const std::string marker = Marker();
  RunShell("setsid sh -c 'trap \"\" TERM; echo ready; sleep 1000; : " + marker +
           "' & while ! grep -q ready rank-0; do sleep 0.01; done; exit 0");
  StartShim();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exit_code, 0);
  EXPECT_FALSE(IsMarkerAlive(marker));
}

// ---- Time ----

TEST_F(ShimTest, GraceLiesInsideTheTimeLimit) {
  task.time_limit_ms = 800;
  task.grace_ms = 400;
  RunShell("trap 'echo stopped' TERM; while :; do sleep 0.02; done");
  const int64_t since = BootTimeNs();
  StartShim();
  AwaitLine("stopped");
  EXPECT_GE(ElapsedMs(since), 400);
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_GE(ElapsedMs(since), 800);
  EXPECT_LT(ElapsedMs(since), 800 + 5000);
  EXPECT_EQ(record->stop_reason, kTimeLimit);
}

TEST_F(ShimTest, LeaseEndsATaskWithoutAnybodysHelp) {
  task.lease_deadline_ns = BootTimeNs() + 400 * kNsPerMs;
  RunShell("trap '' TERM; while :; do sleep 1000; done");
  StartShim();
  ExpectStarted();
  CloseAgent();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_GE(BootTimeNs(), task.lease_deadline_ns);
  EXPECT_EQ(record->stop_reason, kLease);
}

// Its devices are given away soon after the lease, whatever grace a stop has promised.
TEST_F(ShimTest, AGraceDoesNotOutliveTheLease) {
  RunShell("trap '' TERM; echo ready; while :; do sleep 0.01; done");
  StartShim();
  ExpectStarted();
  AwaitLine("ready");
  const int64_t since = BootTimeNs();
  SendLease(since + 300 * kNsPerMs);
  SendStop(kCancelled, 600000);
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_GE(ElapsedMs(since), 300);
  EXPECT_EQ(record->stop_reason, kCancelled);
}

TEST_F(ShimTest, ExtendedLeaseIsKept) {
  task.lease_deadline_ns = BootTimeNs() + 400 * kNsPerMs;
  const int64_t later = task.lease_deadline_ns + 600 * kNsPerMs;
  RunShell("while :; do sleep 1000; done");
  StartShim();
  ExpectStarted();
  SendLease(later);
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_GE(BootTimeNs(), later);
  EXPECT_EQ(record->stop_reason, kLease);
}

TEST_F(ShimTest, ATaskThatNobodyUsesEndsWithoutAnAgent) {
  task.idle_ms = 300;
  RunShell("sleep 1000");
  const int64_t since = BootTimeNs();
  StartShim();
  ExpectStarted();
  CloseAgent();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_GE(ElapsedMs(since), 300);
  EXPECT_EQ(record->stop_reason, kIdle);
}

TEST_F(ShimTest, UseBeginsTheIdleLimitAnew) {
  task.idle_ms = 500;
  RunShell("sleep 1000");
  StartShim();
  ExpectStarted();
  const int64_t since = BootTimeNs();
  const AgentCommand used{.kind = AgentCommand::Kind::kUsed};
  while (ElapsedMs(since) < 1000) {
    ASSERT_GT(send(agent, &used, sizeof(used), MSG_NOSIGNAL), 0);
    usleep(20000);
  }
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_GE(ElapsedMs(since), 1480);
  EXPECT_EQ(record->stop_reason, kIdle);
}

TEST_F(ShimTest, LeaseEndsAMemberThatNeverStarted) {
  task.start_at_once = 0;
  task.lease_deadline_ns = BootTimeNs() + 200 * kNsPerMs;
  RunShell("echo ran");
  StartShim();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->stop_reason, kLease);
  EXPECT_EQ(record->started_at_us, 0);
  EXPECT_EQ(Log(), "");
}

// ---- Gangs ----

TEST_F(ShimTest, MemberWaitsForItsStartAndGetsItsEnvironment) {
  task.start_at_once = 0;
  RunShell("echo $MASTER_ADDR");
  StartShim();
  Expect(ShimEvent::Kind::kPrepared);
  EXPECT_EQ(AskStatus(), 0);
  std::ofstream(dir.File(kStartFileName), std::ios::binary) << EncodeStartFile({
      {"PATH=/usr/bin:/bin", "MASTER_ADDR=10.0.0.1"}
  });
  Send({.kind = AgentCommand::Kind::kStart});
  Send({.kind = AgentCommand::Kind::kStart});
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(Log(), "10.0.0.1\n") << "the command runs once, whatever is sent";
}

TEST_F(ShimTest, StopBeforeTheStartRunsNothing) {
  task.start_at_once = 0;
  RunShell("echo ran");
  StartShim();
  Expect(ShimEvent::Kind::kPrepared);
  SendStop(kCancelled, 0);
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->stop_reason, kCancelled);
  EXPECT_EQ(record->started_at_us, 0);
  EXPECT_EQ(Log(), "");
}

TEST_F(ShimTest, FailingRankStopsTheOthersAndItsCodeIsTheTasks) {
  AddRank();
  AddRank();
  task.grace_ms = 10000;
  RunShell(
      "if [ $LOCAL_RANK = 1 ]; then while ! grep -q ready rank-2; do sleep 0.01; done; exit 9; fi; "
      "trap 'echo stopped; exit 1' TERM; echo ready; while :; do sleep 0.02; done");
  StartShim();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exit_code, 9);
  EXPECT_EQ(record->failed_rank, 1);
  EXPECT_EQ(record->stop_reason, 0) << "the task ended by itself";
  EXPECT_NE(Log(2).find("stopped"), std::string::npos) << Log(2);
}

TEST_F(ShimTest, RankThatEndsWellStopsNobody) {
  AddRank();
  RunShell("[ $LOCAL_RANK = 0 ] || { sleep 0.3; echo done; }");
  StartShim();
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exit_code, 0);
  EXPECT_EQ(Log(1), "done\n");
}

// ---- Locks ----

TEST_F(ShimTest, HeldLockIsToldAndNothingRuns) {
  const int lock = open(task.lock_paths[0].c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(flock(lock, LOCK_EX | LOCK_NB), 0);
  RunShell("echo ran");
  StartShim();
  const auto event = Receive();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->kind, ShimEvent::Kind::kLockHeld);
  EXPECT_EQ(std::string(event->message), task.lock_paths[0]);
  EXPECT_FALSE(AwaitEnd().has_value()) << "an exit was recorded for what never ran";
  EXPECT_EQ(Log(), "");
  close(lock);
}

TEST_F(ShimTest, ASharedLockIsTakenBesideOthersButNotBesideAWholeTask) {
  task.shared_lock_paths = std::exchange(task.lock_paths, {});
  const int other = open(task.shared_lock_paths[0].c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(flock(other, LOCK_SH | LOCK_NB), 0);
  RunShell("echo ready; while :; do sleep 1000; done");
  StartShim();
  AwaitLine("ready");
  EXPECT_NE(flock(other, LOCK_EX | LOCK_NB), 0);
  SendStop(kCancelled, 0);
  ASSERT_TRUE(AwaitEnd().has_value());
  EXPECT_EQ(flock(other, LOCK_EX | LOCK_NB), 0);
  close(other);
}

TEST_F(ShimTest, LockIsHeldAsLongAsTheTaskRuns) {
  RunShell("echo ready; while :; do sleep 1000; done");
  StartShim();
  AwaitLine("ready");
  const int lock = open(task.lock_paths[0].c_str(), O_RDWR | O_CLOEXEC);
  EXPECT_NE(flock(lock, LOCK_EX | LOCK_NB), 0);
  SendStop(kCancelled, 0);
  ASSERT_TRUE(AwaitEnd().has_value());
  EXPECT_EQ(flock(lock, LOCK_EX | LOCK_NB), 0);
  close(lock);
}

// ---- Without its agent ----

TEST_F(ShimTest, AgentMayGoAndAnotherFindsTheTask) {
  RunShell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done");
  StartShim();
  ExpectStarted();
  AwaitLine("ready");
  CloseAgent();
  FindShim();
  EXPECT_EQ(AskStatus(), 1);
  SendStop(kCancelled, 10000);
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exit_code, 5);
  EXPECT_EQ(record->stop_reason, kCancelled);
}

TEST_F(ShimTest, EndWithoutAnAgentIsRecorded) {
  RunShell("while [ ! -e go ]; do sleep 0.01; done; exit 6");
  StartShim();
  ExpectStarted();
  CloseAgent();
  std::ofstream(dir.File("go")) << "";
  const auto record = AwaitEnd();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->exit_code, 6);
}

TEST_F(ShimTest, StrayTerminalSignalsEndNothing) {
  RunShell("echo ready; while :; do sleep 1000; done");
  StartShim();
  ExpectStarted();
  AwaitLine("ready");
  kill(pid, SIGTERM);
  kill(pid, SIGHUP);
  kill(pid, SIGINT);
  EXPECT_EQ(AskStatus(), 1);
}

TEST_F(ShimTest, DeathOfTheShimEndsTheTask) {
  const std::string marker = Marker();
  RunShell("setsid sh -c 'trap \"\" TERM HUP; echo ready; sleep 1000; : " + marker +
           "' & wait; : " + marker);
  StartShim();
  AwaitLine("ready");
  ASSERT_TRUE(IsMarkerAlive(marker));
  kill(pid, SIGKILL);
  AwaitEnd();
  const int64_t since = BootTimeNs();
  while (IsMarkerAlive(marker) && ElapsedMs(since) < 5000) {
    usleep(2000);
  }
  EXPECT_FALSE(IsMarkerAlive(marker));
  EXPECT_FALSE(ReadRecord().has_value());
}

}  // namespace
}  // namespace berth
