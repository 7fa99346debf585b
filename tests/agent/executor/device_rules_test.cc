#include "agent/executor/device_rules.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr uint32_t kBlock = BPF_DEVCG_DEV_BLOCK;
constexpr uint32_t kCharacter = BPF_DEVCG_DEV_CHAR;

// Runs a program as the kernel would; only the instructions that rules are made of.
bool Allows(const std::vector<BpfInstruction>& program, uint32_t type, uint32_t major_number,
            uint32_t minor_number) {
  // Access bits stand above the type and must not matter.
  const uint32_t context[3] = {type | 7U << 16, major_number, minor_number};
  uint64_t registers[11] = {};
  for (size_t at = 0; at < program.size(); ++at) {
    const BpfInstruction& step = program[at];
    uint64_t& target = registers[step.destination];
    switch (step.code) {
      case BPF_LDX | BPF_MEM | BPF_W:
        target = context[step.offset / 4];
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        target = static_cast<uint32_t>(target) & static_cast<uint32_t>(step.immediate);
        break;
      case BPF_ALU64 | BPF_MOV | BPF_K:
        target = static_cast<uint64_t>(step.immediate);
        break;
      case BPF_JMP32 | BPF_JNE | BPF_K:
        at += static_cast<uint32_t>(target) != static_cast<uint32_t>(step.immediate)
                  ? static_cast<size_t>(step.offset)
                  : 0;
        break;
      case BPF_JMP | BPF_EXIT:
        return registers[0] != 0;
      default:
        ADD_FAILURE() << "unexpected instruction " << static_cast<int>(step.code);
        return false;
    }
  }
  ADD_FAILURE() << "the program runs past its end";
  return false;
}

TEST(DeviceRules, AProgramAllowsWhatARuleSaysAndNothingElse) {
  const auto program = CompileDeviceRules({
      {false, 195, 3 },
      {true,  8,   0 },
      {false, 136, -1}
  });
  EXPECT_TRUE(Allows(program, kCharacter, 195, 3));
  EXPECT_TRUE(Allows(program, kBlock, 8, 0));
  EXPECT_TRUE(Allows(program, kCharacter, 136, 0));
  EXPECT_TRUE(Allows(program, kCharacter, 136, 4000));
  EXPECT_FALSE(Allows(program, kCharacter, 195, 4));
  EXPECT_FALSE(Allows(program, kBlock, 195, 3));
  EXPECT_FALSE(Allows(program, kCharacter, 8, 0));
  EXPECT_FALSE(Allows(program, kCharacter, 1, 3));
  EXPECT_FALSE(Allows(program, kBlock, 136, 0));
}

TEST(DeviceRules, WithoutARuleNothingIsAllowed) {
  const auto program = CompileDeviceRules({});
  EXPECT_FALSE(Allows(program, kCharacter, 1, 3));
}

TEST(DeviceRules, AreWrittenAsVersionOneReadsThem) {
  EXPECT_EQ(FormatDeviceRule({false, 195, 3}), "c 195:3 rwm");
  EXPECT_EQ(FormatDeviceRule({true, 8, -1}), "b 8:* rwm");
}

TEST(DeviceRules, HoldTheUsualDevicesAndTheFilesThatExist) {
  const auto rules = MakeDeviceRules({"/dev/zero", "/dev/no-such-device", "/etc/passwd"});
  const auto usual = MakeDeviceRules({});
  EXPECT_EQ(rules.size(), usual.size() + 1);
  EXPECT_EQ(rules.back(), (DeviceRule{false, 1, 5}));
  const auto has = [&](const DeviceRule& rule) {
    return std::find(usual.begin(), usual.end(), rule) != usual.end();
  };
  EXPECT_TRUE(has({false, 1, 3}));     // null
  EXPECT_TRUE(has({false, 136, -1}));  // pseudo-terminals
  EXPECT_FALSE(has({false, 1, 1}));    // mem
}

TEST(DeviceRules, OfAFileWithAnotherNameInsideTheHostsCounts) {
  const auto rules = MakeDeviceRules({"/dev/null:/dev/davinci100", "/dev/no-such:/dev/null"});
  EXPECT_EQ(rules.back(), (DeviceRule{false, 1, 3}));
  EXPECT_EQ(rules.size(), MakeDeviceRules({}).size() + 1);
}

TEST(DeviceRules, ADeviceBringsItsDriversFiles) {
  const auto nvidia = DeviceFilesOf(v1::DEVICE_KIND_NVIDIA, 5);
  EXPECT_EQ(nvidia.front(), "/dev/nvidia5");
  EXPECT_NE(std::find(nvidia.begin(), nvidia.end(), "/dev/nvidiactl"), nvidia.end());
  EXPECT_EQ(DeviceFilesOf(v1::DEVICE_KIND_ASCEND, 2).front(), "/dev/davinci2");
  EXPECT_TRUE(DeviceFilesOf(v1::DEVICE_KIND_SIMULATED, -1).empty());
}

// The mount point of version 2, alone or beside version 1.
std::string UnifiedMount() {
  for (const char* path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    if (access((std::string(path) + "/cgroup.controllers").c_str(), F_OK) == 0) {
      return path;
    }
  }
  return "";
}

// errno of opening `path` by a process in the group; 0: it could.
int OpenInGroup(const std::string& group, const char* path) {
  const pid_t child = fork();
  if (child == 0) {
    std::ofstream(group + "/cgroup.procs") << getpid() << std::flush;
    _exit(open(path, O_RDONLY) >= 0 ? 0 : errno);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(DeviceRules, TheKernelTakesTheProgramAndKeepsToIt) {
  const std::string group = UnifiedMount() + "/berth-test-" + std::to_string(getpid());
  if (UnifiedMount().empty() || mkdir(group.c_str(), 0755) != 0) {
    GTEST_SKIP() << "no writable control groups of version 2";
  }
  const absl::Status attached = AttachDeviceRules(group, {
                                                             {false, 1, 3}
  });
  const int null = OpenInGroup(group, "/dev/null");
  const int zero = OpenInGroup(group, "/dev/zero");
  rmdir(group.c_str());
  if (absl::IsPermissionDenied(attached)) {
    GTEST_SKIP() << attached;
  }
  ASSERT_TRUE(attached.ok()) << attached;
  EXPECT_EQ(null, 0);
  EXPECT_EQ(zero, EPERM);
}

}  // namespace
}  // namespace berth
