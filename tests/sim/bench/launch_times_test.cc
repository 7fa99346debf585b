#include "sim/bench/launch_times.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

constexpr pid_t kAgent = 10;

ProcessEvent Fork(int ms, pid_t parent, pid_t child) {
  return {ProcessEvent::Kind::kFork, child, parent, absl::Milliseconds(ms)};
}
ProcessEvent Exec(int ms, pid_t pid) {
  return {ProcessEvent::Kind::kExec, pid, 0, absl::Milliseconds(ms)};
}
ProcessEvent Exit(int ms, pid_t pid) {
  return {ProcessEvent::Kind::kExit, pid, 0, absl::Milliseconds(ms)};
}

// Beside a compiler, and a command that executes another one in its place and forks.
TEST(LaunchWatch, EveryStepHasItsTime) {
  LaunchWatch watch(kAgent);
  watch.Add({Fork(1, kAgent, 20), Fork(3, 5, 6), Exec(3, 6), Fork(4, 20, 21), Fork(6, 21, 22),
             Exit(6, 6), Exec(7, 22), Exec(8, 22), Fork(8, 22, 23), Exec(8, 23)});
  EXPECT_TRUE(watch.whole().empty());
  watch.Add({Exit(9, 23), Exit(10, 22), Exit(12, 21), Exit(15, 20)});
  ASSERT_EQ(watch.whole().size(), 1u);
  const LaunchTimes& times = watch.whole()[0];
  EXPECT_EQ(times.shim_fork, absl::Milliseconds(1));
  EXPECT_EQ(times.init_fork, absl::Milliseconds(4));
  EXPECT_EQ(times.command_fork, absl::Milliseconds(6));
  EXPECT_EQ(times.command_exec, absl::Milliseconds(7));
  EXPECT_EQ(times.command_exit, absl::Milliseconds(10));
  EXPECT_EQ(times.init_exit, absl::Milliseconds(12));
  EXPECT_EQ(times.shim_exit, absl::Milliseconds(15));
}

TEST(LaunchWatch, TasksAreToldApartWhenPidsComeAgain) {
  LaunchWatch watch(kAgent);
  for (int i = 0; i < 2; ++i) {
    const int at = 100 * i;
    watch.Add({Fork(at + 1, kAgent, 20), Fork(at + 3, 20, 21), Fork(at + 4, 21, 22),
               Exec(at + 5 + i, 22), Exit(at + 7, 22), Exit(at + 8, 21), Exit(at + 9, 20)});
  }
  ASSERT_EQ(watch.whole().size(), 2u);
  EXPECT_EQ(watch.whole()[0].command_exec, absl::Milliseconds(5));
  EXPECT_EQ(watch.whole()[1].command_exec, absl::Milliseconds(106));
}

TEST(LaunchWatch, WhatNeverExecutedIsNoLaunch) {
  LaunchWatch watch(kAgent);
  watch.Add({Fork(1, kAgent, 20), Fork(3, 20, 21), Exit(4, 21), Exit(5, 20)});
  EXPECT_TRUE(watch.whole().empty());
}

}  // namespace
}  // namespace berth
