// Version 2 against a tree of files, version 1 (or whatever the machine has) for real.

#include "agent/executor/control_groups.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/executor/control_group_mounts.h"
#include "agent/shim/task_group.h"
#include "tests/testing/temp_dir.h"
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

void Write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(path.substr(0, path.rfind('/')));
  std::ofstream(path) << text;
}

std::string Read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A machine whose control groups are of version 2 only, the agent in a unit of its own.
class UnifiedTree : public testing::Test {
 protected:
  UnifiedTree() {
    Write(dir.File("proc/self/cgroup"), "0::/system.slice/berth-agent.service\n");
    Write(dir.File("proc/self/mountinfo"),
          "24 1 0:22 / /proc rw,nosuid - proc proc rw\n"
          "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
    Write(unit + "/cgroup.controllers", "cpuset cpu io memory pids\n");
    Write(unit + "/cgroup.type", "domain\n");
  }

  TempDir dir;
  const std::string unit = dir.File("sys/fs/cgroup/system.slice/berth-agent.service");
};

TEST_F(UnifiedTree, TheOwnGroupIsFound) {
  const auto found = FindGroupHierarchies(dir.path());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].unified);
  EXPECT_EQ(found[0].own_folder, unit);
}

TEST_F(UnifiedTree, TheAgentMakesRoomForGroupsBelowItsOwn) {
  const auto groups = ControlGroups::Open({.root = dir.path(), .parent = "", .name = "berth-x"});
  EXPECT_EQ(Read(unit + "/berth-agent/cgroup.procs"), std::to_string(getpid()));
  EXPECT_EQ(Read(unit + "/cgroup.subtree_control"), "+pids");  // the last of three
  EXPECT_EQ(Read(unit + "/berth-x/cgroup.subtree_control"), "+pids");
  EXPECT_TRUE(Contains(groups.facilities(), kFacilityCpu));
  EXPECT_TRUE(Contains(groups.facilities(), kFacilityMemory));
  EXPECT_TRUE(Contains(groups.facilities(), kFacilityPids));
}

TEST_F(UnifiedTree, LimitsAreWrittenAsVersionTwoReadsThem) {
  auto groups = ControlGroups::Open({.root = dir.path(), .parent = "", .name = "berth-x"});
  Write(unit + "/berth-x/7/memory.swap.max", "max\n");
  const GroupLimits limits{.cpu_milli = 2500,
                           .cpu_share_milli = 2500,
                           .memory_bytes = 1 << 30,
                           .processes_max = 100,
                           .devices = {}};
  // The device rules cannot be attached to a file; all before them are written.
  static_cast<void>(groups.Make(7, limits));
  const std::string group = unit + "/berth-x/7";
  EXPECT_EQ(Read(group + "/cpu.max"), "250000 100000");
  EXPECT_EQ(Read(group + "/cpu.weight"), "250");
  EXPECT_EQ(Read(group + "/memory.max"), "1073741824");
  EXPECT_EQ(Read(group + "/memory.swap.max").substr(0, 1), "0");
  EXPECT_EQ(Read(group + "/memory.oom.group"), "1");
  EXPECT_EQ(Read(group + "/pids.max"), "100");
}

TEST_F(UnifiedTree, WhatIsNotDelegatedIsMissing) {
  Write(unit + "/cgroup.controllers", "cpu\n");
  const auto groups = ControlGroups::Open({.root = dir.path(), .parent = "", .name = "berth-x"});
  EXPECT_TRUE(Contains(groups.facilities(), kFacilityCpu));
  EXPECT_FALSE(Contains(groups.facilities(), kFacilityMemory));
  EXPECT_TRUE(groups.missing().contains(kFacilityMemory));
}

TEST_F(UnifiedTree, ARestartedAgentInItsOwnPlaceUsesTheGroupAbove) {
  Write(dir.File("proc/self/cgroup"), "0::/system.slice/berth-agent.service/berth-agent\n");
  const auto groups = ControlGroups::Open({.root = dir.path(), .parent = "", .name = "berth-x"});
  EXPECT_TRUE(std::filesystem::exists(unit + "/berth-x"));
  EXPECT_FALSE(std::filesystem::exists(unit + "/berth-agent"));
  EXPECT_TRUE(Contains(groups.facilities(), kFacilityMemory));
}

TEST_F(UnifiedTree, WhyAControllerIsNotPassedOnIsTold) {
  std::filesystem::create_directories(unit + "/cgroup.subtree_control");  // cannot be written
  const auto groups = ControlGroups::Open({.root = dir.path(), .parent = "", .name = "berth-x"});
  EXPECT_NE(groups.missing().at(kFacilityMemory).find("cgroup.subtree_control"), std::string::npos)
      << groups.missing().at(kFacilityMemory);
}

TEST_F(UnifiedTree, AParentOfTheOperatorsTakesItsPlaceAndTheAgentStaysWhereItIs) {
  const std::string parent = dir.File("sys/fs/cgroup/system.slice/berth-tasks.service");
  Write(parent + "/cgroup.controllers", "cpu memory pids\n");
  Write(parent + "/cgroup.type", "domain\n");
  ControlGroups::Open(
      {.root = dir.path(), .parent = "/system.slice/berth-tasks.service", .name = "berth-x"});
  EXPECT_TRUE(std::filesystem::exists(parent + "/berth-x"));
  EXPECT_EQ(Read(parent + "/cgroup.subtree_control"), "+pids");
  EXPECT_FALSE(std::filesystem::exists(parent + "/berth-agent"));
  EXPECT_FALSE(std::filesystem::exists(unit + "/berth-x"));
  EXPECT_FALSE(std::filesystem::exists(unit + "/berth-agent"));
}

TEST_F(UnifiedTree, AParentThatIsNotThereIsToldAndNotMade) {
  const auto groups =
      ControlGroups::Open({.root = dir.path(), .parent = "/tasks.slice", .name = "berth-x"});
  EXPECT_FALSE(std::filesystem::exists(dir.File("sys/fs/cgroup/tasks.slice")));
  EXPECT_TRUE(groups.facilities().empty());
  EXPECT_NE(groups.missing().at(kFacilityKill).find("tasks.slice"), std::string::npos)
      << groups.missing().at(kFacilityKill);
}

TEST_F(UnifiedTree, AHierarchyMountedReadOnlyIsNoUse) {
  Write(dir.File("proc/self/mountinfo"),
        "30 24 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw\n");
  const auto groups = ControlGroups::Open({.root = dir.path(), .parent = "", .name = "berth-x"});
  EXPECT_TRUE(groups.facilities().empty());
  EXPECT_EQ(groups.missing().size(), 5u);
}

TEST(ControlGroupMounts, VersionOneHasAHierarchyPerController) {
  const TempDir dir;
  Write(dir.File("proc/self/cgroup"), "4:memory:/box/a\n3:cpu,cpuacct:/\n1:name=systemd:/\n0::/\n");
  Write(dir.File("proc/self/mountinfo"),
        "31 30 0:27 /box /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  const auto found = FindGroupHierarchies(dir.path());
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].controllers, std::vector<std::string>{"memory"});
  // The mount shows the hierarchy from /box on.
  EXPECT_EQ(found[0].own_folder, dir.File("sys/fs/cgroup/memory/a"));
  EXPECT_EQ(found[1].own_folder, dir.File("sys/fs/cgroup/cpu,cpuacct"));
  EXPECT_TRUE(found[2].unified);
}

TEST(ControlGroups, AParentIsMadeInTheHierarchiesOfVersionOneThatLackIt) {
  const TempDir dir;
  Write(dir.File("proc/self/cgroup"), "4:memory:/\n3:pids:/\n");
  Write(dir.File("proc/self/mountinfo"),
        "31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "32 30 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n");
  std::filesystem::create_directories(dir.File("sys/fs/cgroup/memory/system.slice/tasks"));
  std::filesystem::create_directories(dir.File("sys/fs/cgroup/pids"));
  const auto groups =
      ControlGroups::Open({.root = dir.path(), .parent = "/system.slice/tasks", .name = "berth-x"});
  EXPECT_TRUE(Contains(groups.facilities(), kFacilityMemory));
  EXPECT_TRUE(Contains(groups.facilities(), kFacilityPids));
  EXPECT_TRUE(std::filesystem::exists(dir.File("sys/fs/cgroup/pids/system.slice/tasks/berth-x")));
}

// ---- The machine's own ----

class RealGroups : public testing::Test {
 protected:
  RealGroups()
      : groups(ControlGroups::Open(
            {.root = "", .parent = "", .name = "berth-test-" + std::to_string(getpid())})) {}
  ~RealGroups() override {
    groups.Remove(kAllocation);
    groups.Close();
  }
  bool Has(const char* facility) const { return Contains(groups.facilities(), facility); }

  // A process in the group that does `work`, and its wait status.
  template <typename Work>
  static int RunIn(const std::vector<std::string>& folders, const Work& work) {
    const pid_t child = fork();
    if (child == 0) {
      _exit(GroupEntry(folders).Enter() ? work() : 99);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
  }

  static constexpr uint64_t kAllocation = 42;
  ControlGroups groups;
};

TEST_F(RealGroups, AProcessBeyondItsMemoryIsKilledAndCounted) {
  if (!Has(kFacilityMemory)) {
    GTEST_SKIP() << groups.missing().at(kFacilityMemory);
  }
  const auto folders =
      groups.Make(kAllocation, {.memory_bytes = 32 << 20, .devices = MakeDeviceRules({})});
  ASSERT_TRUE(folders.ok()) << folders.status();
  EXPECT_EQ(CountMemoryKills(*folders), 0);
  const int status = RunIn(*folders, [] {
    std::vector<char> hog(128 << 20, 'x');
    return hog[hog.size() / 2] == 'x' ? 0 : 1;
  });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_GE(CountMemoryKills(*folders), 1);
  EXPECT_TRUE(groups.Remove(kAllocation));
}

TEST_F(RealGroups, NoMoreProcessesThanAllowed) {
  if (!Has(kFacilityPids)) {
    GTEST_SKIP() << groups.missing().at(kFacilityPids);
  }
  const auto folders =
      groups.Make(kAllocation, {.processes_max = 3, .devices = MakeDeviceRules({})});
  ASSERT_TRUE(folders.ok()) << folders.status();
  const int status = RunIn(*folders, [] {
    int born = 0;
    for (int i = 0; i < 10; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        pause();
        _exit(0);
      }
      born += child > 0 ? 1 : 0;
    }
    return born;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 2);  // the third is the one that counts
  EXPECT_FALSE(IsGroupEmpty(*folders));
  KillGroup(*folders);
  while (!IsGroupEmpty(*folders)) {
    usleep(1000);
  }
  EXPECT_TRUE(groups.Remove(kAllocation));
}

// The one hierarchy of version 2 kills a group by itself.
TEST_F(RealGroups, AFreezerIsLeftOutWhereTheInitTakesAllWithIt) {
  const auto has_freezer = [](const std::vector<std::string>& folders) {
    return std::any_of(folders.begin(), folders.end(), [](const std::string& folder) {
      return std::filesystem::exists(folder + "/freezer.state");
    });
  };
  const auto whole = groups.Make(kAllocation, {.devices = MakeDeviceRules({})});
  ASSERT_TRUE(whole.ok()) << whole.status();
  if (!has_freezer(*whole)) {
    GTEST_SKIP() << "no hierarchy of version 1 has a freezer";
  }
  EXPECT_TRUE(groups.Remove(kAllocation));
  const auto folders =
      groups.Make(kAllocation, {.end_with_init = true, .devices = MakeDeviceRules({})});
  ASSERT_TRUE(folders.ok()) << folders.status();
  EXPECT_FALSE(has_freezer(*folders));
  EXPECT_EQ(folders->size() + 1, whole->size());
  EXPECT_TRUE(groups.Remove(kAllocation));
}

TEST_F(RealGroups, GroupsOfTasksAreListedAndRemoved) {
  if (groups.facilities().empty()) {
    GTEST_SKIP() << "no control groups can be made here";
  }
  ASSERT_TRUE(groups.Make(kAllocation, {.devices = MakeDeviceRules({})}).ok());
  EXPECT_EQ(groups.Allocations(), std::vector<uint64_t>{kAllocation});
  EXPECT_TRUE(groups.Remove(kAllocation));
  EXPECT_TRUE(groups.Allocations().empty());
  EXPECT_TRUE(groups.Remove(kAllocation));
}

// ---- Kept for the next task ----

class SpareGroupsTest : public RealGroups {
 protected:
  void SetUp() override {
    if (groups.facilities().empty()) {
      GTEST_SKIP() << "no control groups can be made here";
    }
    const auto folders = groups.Make(kAllocation, Limits());
    ASSERT_TRUE(folders.ok()) << folders.status();
    for (const std::string& folder : *folders) {
      if (std::filesystem::exists(folder + "/cgroup.kill")) {
        GTEST_SKIP() << "version 2 would show the next task what this one has used";
      }
    }
  }
  ~SpareGroupsTest() override { groups.Remove(kNext); }

  static GroupLimits Limits(const std::string& tenant = "acme") {
    return {.cpu_share_milli = 500,
            .memory_bytes = 32 << 20,
            .processes_max = 3,
            .end_with_init = true,
            .devices = MakeDeviceRules({}),
            .tenant = tenant};
  }
  // What tells a group from another one, whatever its name is.
  static std::vector<ino_t> Identities(const std::vector<std::string>& folders) {
    std::vector<ino_t> identities;
    for (const std::string& folder : folders) {
      struct stat info {};
      EXPECT_EQ(stat(folder.c_str(), &info), 0) << folder;
      identities.push_back(info.st_ino);
    }
    return identities;
  }
  // Of the groups that the first task has had.
  bool NextGetsThem(const GroupLimits& limits) {
    const auto first = Identities(*groups.Make(kAllocation, Limits()));
    EXPECT_TRUE(groups.Remove(kAllocation));
    const auto next = groups.Make(kNext, limits);
    EXPECT_TRUE(next.ok()) << next.status();
    return next.ok() && Identities(*next) == first;
  }

  static constexpr uint64_t kNext = 43;
};

TEST_F(SpareGroupsTest, TheNextTaskOfTheTenantWithTheSameLimitsGetsThemUnderItsName) {
  EXPECT_TRUE(NextGetsThem(Limits()));
  EXPECT_FALSE(groups.has_spare());
  EXPECT_EQ(groups.Allocations(), std::vector<uint64_t>{kNext});
  EXPECT_TRUE(groups.Remove(kNext));
  EXPECT_TRUE(groups.has_spare());
}

TEST_F(SpareGroupsTest, AnotherTenantsTaskGetsNewOnes) {
  EXPECT_FALSE(NextGetsThem(Limits("globex")));
}

TEST_F(SpareGroupsTest, ATaskWithOtherLimitsGetsNewOnes) {
  GroupLimits more = Limits();
  more.memory_bytes *= 2;
  EXPECT_FALSE(NextGetsThem(more));
}

TEST_F(SpareGroupsTest, WhoHasNoTenantNeverGetsThem) {
  EXPECT_TRUE(groups.Remove(kAllocation));
  EXPECT_TRUE(groups.Make(kNext, Limits("")).ok());
  EXPECT_TRUE(groups.Remove(kNext));
  EXPECT_EQ(groups.Allocations(), std::vector<uint64_t>{kAllocation});
}

TEST_F(SpareGroupsTest, GroupsInWhichAProcessWasKilledForMemoryAreNotKept) {
  if (!Has(kFacilityMemory)) {
    GTEST_SKIP() << groups.missing().at(kFacilityMemory);
  }
  const auto folders = groups.Make(kAllocation, Limits());
  ASSERT_TRUE(folders.ok()) << folders.status();
  RunIn(*folders, [] {
    std::vector<char> hog(128 << 20, 'x');
    return hog[hog.size() / 2] == 'x' ? 0 : 1;
  });
  EXPECT_TRUE(groups.Remove(kAllocation));
  EXPECT_FALSE(groups.has_spare());
  EXPECT_TRUE(groups.Allocations().empty());
}

TEST_F(SpareGroupsTest, GroupsThatMuchIsChargedToAreNotKept) {
  if (!Has(kFacilityMemory)) {
    GTEST_SKIP() << groups.missing().at(kFacilityMemory);
  }
  const TempDir dir;
  const auto folders = groups.Make(kAllocation, Limits());
  ASSERT_TRUE(folders.ok()) << folders.status();
  const int status = RunIn(*folders, [&dir] {
    std::ofstream file(dir.File("large"));
    return file << std::string(12 << 20, 'x') << std::flush ? 0 : 1;
  });
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(groups.Remove(kAllocation));
  EXPECT_FALSE(groups.has_spare());
}

TEST_F(SpareGroupsTest, TheNextTaskIsNotSeenWithTheMostThatTheFirstHasUsed) {
  if (!Has(kFacilityMemory)) {
    GTEST_SKIP() << groups.missing().at(kFacilityMemory);
  }
  const auto folders = groups.Make(kAllocation, Limits());
  ASSERT_TRUE(folders.ok()) << folders.status();
  RunIn(*folders, [] {
    std::vector<char> used(16 << 20, 'x');
    return used[used.size() / 2] == 'x' ? 0 : 1;
  });
  EXPECT_TRUE(groups.Remove(kAllocation));
  const auto next = groups.Make(kNext, Limits());
  ASSERT_TRUE(next.ok()) << next.status();
  for (const std::string& folder : *next) {
    if (const std::string most = Read(folder + "/memory.max_usage_in_bytes"); !most.empty()) {
      EXPECT_LT(std::stol(most), 8 << 20);
    }
  }
}

TEST_F(SpareGroupsTest, AProcessInOneHierarchyIsEnough) {
  const auto folders = groups.Make(kAllocation, Limits());
  ASSERT_TRUE(folders.ok()) << folders.status();
  const pid_t child = fork();
  if (child == 0) {
    while (true) {
      pause();
    }
  }
  Write(folders->back() + "/cgroup.procs", std::to_string(child));
  EXPECT_FALSE(groups.Remove(kAllocation));
  EXPECT_FALSE(groups.has_spare());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(groups.Remove(kAllocation));
}

TEST_F(SpareGroupsTest, GroupsWithAProcessAreNotKept) {
  const auto folders = groups.Make(kAllocation, Limits());
  ASSERT_TRUE(folders.ok()) << folders.status();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const bool entered = GroupEntry(*folders).Enter();
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    while (entered) {
      pause();
    }
    _exit(1);
  }
  char told = 0;
  ASSERT_EQ(read(ends[0], &told, 1), 1);
  EXPECT_FALSE(groups.Remove(kAllocation));
  EXPECT_FALSE(groups.has_spare());
  waitpid(child, nullptr, 0);  // it was killed
  EXPECT_TRUE(groups.Remove(kAllocation));
  EXPECT_FALSE(groups.has_spare());
  close(ends[0]);
  close(ends[1]);
}

TEST_F(SpareGroupsTest, TheyGoWhenNobodyHasTakenThemBetweenTwoLooks) {
  EXPECT_TRUE(groups.Remove(kAllocation));
  groups.Tidy();
  EXPECT_TRUE(groups.has_spare());
  groups.Tidy();
  EXPECT_FALSE(groups.has_spare());
  EXPECT_TRUE(groups.Allocations().empty());
}

TEST_F(SpareGroupsTest, TheyGoWithTheAgent) {
  EXPECT_TRUE(groups.Remove(kAllocation));
  groups.Close();
  EXPECT_TRUE(groups.Allocations().empty());
}

TEST_F(SpareGroupsTest, ALaterAgentRemovesThemByTheirFirstName) {
  EXPECT_TRUE(groups.Remove(kAllocation));
  auto later = ControlGroups::Open(
      {.root = "", .parent = "", .name = "berth-test-" + std::to_string(getpid())});
  EXPECT_EQ(later.Allocations(), std::vector<uint64_t>{kAllocation});
  EXPECT_TRUE(later.RemoveEmpty(kAllocation));
  // The first one finds that what it has kept is not there.
  EXPECT_TRUE(groups.Make(kNext, Limits()).ok());
  EXPECT_EQ(groups.Allocations(), std::vector<uint64_t>{kNext});
}

}  // namespace
}  // namespace berth
