#include "agent/node_facts.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr char kMemory[] = "MemTotal:       16777216 kB\nMemFree:         100 kB\n";
constexpr int64_t kMemoryMib = 16384;

// A machine made of files: /proc and /sys below a folder of its own.
class NodeFactsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "berth-facts-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    options_.root = name;
    Write("proc/meminfo", kMemory);
    cpu_set_t set;
    ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
    all_cpu_milli_ = 1000LL * CPU_COUNT(&set);
  }
  void TearDown() override { std::filesystem::remove_all(options_.root); }

  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = std::filesystem::path(options_.root) / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  v1::HostResources Capacity() { return ReadNodeFacts(options_).capacity(); }

  NodeFactsOptions options_;
  int64_t all_cpu_milli_ = 0;
};

TEST_F(NodeFactsTest, WithoutAControlGroupTheMachineIsTheCapacity) {
  EXPECT_EQ(Capacity().cpu_milli(), all_cpu_milli_);
  EXPECT_EQ(Capacity().memory_mib(), kMemoryMib);
}

TEST_F(NodeFactsTest, TakesTheOptionsAsTheyAre) {
  options_.address = "10.0.0.7";
  options_.agent_version = "0.1.0";
  options_.labels = {
      {"zone", "a"},
      {"disk", "" }
  };
  options_.topology.set_rack("r7");
  const v1::NodeFacts facts = ReadNodeFacts(options_);
  EXPECT_EQ(facts.address(), "10.0.0.7");
  EXPECT_EQ(facts.agent_version(), "0.1.0");
  EXPECT_EQ(facts.labels().size(), 2u);
  EXPECT_EQ(facts.labels().at("zone"), "a");
  EXPECT_EQ(facts.topology().rack(), "r7");
  utsname names = {};
  ASSERT_EQ(uname(&names), 0);
  EXPECT_EQ(facts.hostname(), names.nodename);
  EXPECT_EQ(facts.kernel(), names.release);
  EXPECT_EQ(facts.devices_size(), 0);
}

TEST_F(NodeFactsTest, VersionTwoLimitsFromTheGroupAndAboveCount) {
  Write("proc/self/cgroup", "0::/berth.slice/agent.service\n");
  Write("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
  Write("sys/fs/cgroup/berth.slice/cpu.max", "50000 100000\n");
  Write("sys/fs/cgroup/berth.slice/memory.max", "max\n");
  Write("sys/fs/cgroup/berth.slice/agent.service/cpu.max", "max 100000\n");
  Write("sys/fs/cgroup/berth.slice/agent.service/memory.max", "4294967296\n");
  EXPECT_EQ(Capacity().cpu_milli(), 500);
  EXPECT_EQ(Capacity().memory_mib(), 4096);
}

TEST_F(NodeFactsTest, VersionTwoAtTheRootOfAContainerCounts) {
  Write("proc/self/cgroup", "0::/\n");
  Write("sys/fs/cgroup/cpu.max", "25000 100000\n");
  Write("sys/fs/cgroup/memory.max", "1073741824\n");
  EXPECT_EQ(Capacity().cpu_milli(), 250);
  EXPECT_EQ(Capacity().memory_mib(), 1024);
}

TEST_F(NodeFactsTest, VersionOneLimitsCount) {
  Write("proc/self/cgroup", "9:name=systemd:/x\n4:memory:/a/b\n2:cpuacct:/\n1:cpu,cpuset:/a\n");
  Write("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "75000\n");
  Write("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
  Write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  Write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  Write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2147483648\n");
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(Capacity().cpu_milli(), 750);
  EXPECT_EQ(Capacity().memory_mib(), 2048);
}

// In a container the table may name the group as the host sees it.
TEST_F(NodeFactsTest, AGroupThatIsNotMountedHereLeavesThoseAbove) {
  Write("proc/self/cgroup", "4:memory:/docker/0123\n1:cpu:/docker/0123\n");
  Write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "10000\n");
  Write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n");
  EXPECT_EQ(Capacity().cpu_milli(), 100);
  EXPECT_EQ(Capacity().memory_mib(), 512);
}

TEST_F(NodeFactsTest, ALimitAboveTheMachineAddsNothing) {
  Write("proc/self/cgroup", "0::/\n");
  Write("sys/fs/cgroup/cpu.max", "100000000 100000\n");
  Write("sys/fs/cgroup/memory.max", "109951162777600\n");
  EXPECT_EQ(Capacity().cpu_milli(), all_cpu_milli_);
  EXPECT_EQ(Capacity().memory_mib(), kMemoryMib);
}

TEST_F(NodeFactsTest, NonsenseInTheFilesIsNoLimit) {
  Write("proc/self/cgroup", "\nx\n0::\n1:cpu:/\n");
  Write("sys/fs/cgroup/cpu.max", "lots\n");
  Write("sys/fs/cgroup/memory.max", "-5\n");
  Write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
  Write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "0\n");
  EXPECT_EQ(Capacity().cpu_milli(), all_cpu_milli_);
  EXPECT_EQ(Capacity().memory_mib(), kMemoryMib);
}

TEST_F(NodeFactsTest, TellsWhichControlGroupsThereAre) {
  const auto has = [](const v1::NodeFacts& facts, const std::string& name) {
    return std::count(facts.facilities().begin(), facts.facilities().end(), name) == 1;
  };
  EXPECT_FALSE(has(ReadNodeFacts(options_), "cgroup-v2"));
  EXPECT_FALSE(has(ReadNodeFacts(options_), "cgroup-v1"));
  Write("sys/fs/cgroup/cgroup.controllers", "cpu\n");
  EXPECT_TRUE(has(ReadNodeFacts(options_), "cgroup-v2"));
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1\n");
  EXPECT_TRUE(has(ReadNodeFacts(options_), "cgroup-v1"));
}

TEST(NodeFacts, ThisMachineHasProcessorsAndMemory) {
  const v1::NodeFacts facts = ReadNodeFacts({});
  EXPECT_GT(facts.capacity().cpu_milli(), 0);
  EXPECT_GT(facts.capacity().memory_mib(), 64);
  EXPECT_FALSE(facts.hostname().empty());
}

TEST(ReadBootId, IsTheKernelsAndStaysTheSame) {
  const std::string boot_id = ReadBootId();
  EXPECT_EQ(boot_id.size(), 36u);
  EXPECT_EQ(ReadBootId(), boot_id);
}

}  // namespace
}  // namespace berth
