#include "agent/executor/device_rules.h"

#include <cerrno>
#include <limits>

#include "absl/strings/str_cat.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace berth {
namespace {

// null, zero, full, random, urandom; tty, ptmx; every pseudo-terminal.
constexpr DeviceRule kUsualRules[] = {
    {false, 1,   3 },
    {false, 1,   5 },
    {false, 1,   7 },
    {false, 1,   8 },
    {false, 1,   9 },
    {false, 5,   0 },
    {false, 5,   2 },
    {false, 136, -1},
};

constexpr uint8_t kResult = BPF_REG_0;
constexpr uint8_t kContext = BPF_REG_1;
constexpr uint8_t kType = BPF_REG_2;
constexpr uint8_t kMajor = BPF_REG_3;
constexpr uint8_t kMinor = BPF_REG_4;

BpfInstruction Load(uint8_t destination, int16_t offset) {
  return {BPF_LDX | BPF_MEM | BPF_W, destination, kContext, offset, 0};
}
BpfInstruction SkipUnless(uint8_t value, int64_t expected, size_t instructions) {
  return {BPF_JMP32 | BPF_JNE | BPF_K, value, 0, static_cast<int16_t>(instructions),
          static_cast<int32_t>(expected)};
}
BpfInstruction Set(uint8_t destination, int32_t value) {
  return {BPF_ALU64 | BPF_MOV | BPF_K, destination, 0, 0, value};
}
BpfInstruction Exit() {
  return {BPF_JMP | BPF_EXIT, 0, 0, 0, 0};
}

uint64_t Address(const void* pointer) {
  return reinterpret_cast<uint64_t>(pointer);
}

int CallBpf(int command, bpf_attr& attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof(attributes)));
}

}  // namespace

std::vector<std::string> DeviceFilesOf(v1::DeviceKind kind, int minor_number) {
  switch (kind) {
    case v1::DEVICE_KIND_NVIDIA:
      return {absl::StrCat("/dev/nvidia", minor_number), "/dev/nvidiactl", "/dev/nvidia-uvm",
              "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset"};
    case v1::DEVICE_KIND_ASCEND:
      return {absl::StrCat("/dev/davinci", minor_number), "/dev/davinci_manager", "/dev/devmm_svm",
              "/dev/hisi_hdc"};
    default:
      return {};
  }
}

std::vector<DeviceRule> MakeDeviceRules(const std::vector<std::string>& paths) {
  std::vector<DeviceRule> rules(std::begin(kUsualRules), std::end(kUsualRules));
  for (const std::string& shown : paths) {
    const std::string path = shown.substr(0, shown.find(':'));
    struct stat info {};
    if (stat(path.c_str(), &info) == 0 && (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode))) {
      rules.push_back(
          {S_ISBLK(info.st_mode), major(info.st_rdev), static_cast<int64_t>(minor(info.st_rdev))});
    }
  }
  return rules;
}

std::string FormatDeviceRule(const DeviceRule& rule) {
  const std::string minor_text = rule.minor_number < 0 ? "*" : absl::StrCat(rule.minor_number);
  return absl::StrCat(rule.block ? "b " : "c ", rule.major_number, ":", minor_text, " rwm");
}

std::vector<BpfInstruction> CompileDeviceRules(const std::vector<DeviceRule>& rules) {
  // bpf_cgroup_dev_ctx: access and type in one word, then the numbers.
  std::vector<BpfInstruction> program = {
      Load(kType, 0),
      {BPF_ALU | BPF_AND | BPF_K, kType, 0, 0, 0xffff},
      Load(kMajor, 4),
      Load(kMinor, 8),
  };
  for (const DeviceRule& rule : rules) {
    const bool any_minor = rule.minor_number < 0;
    // Each test skips what follows it of this rule.
    const size_t after = any_minor ? 2 : 3;
    program.push_back(
        SkipUnless(kType, rule.block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR, after + 1));
    program.push_back(SkipUnless(kMajor, rule.major_number, after));
    if (!any_minor) {
      program.push_back(SkipUnless(kMinor, rule.minor_number, 2));
    }
    program.push_back(Set(kResult, 1));
    program.push_back(Exit());
  }
  program.push_back(Set(kResult, 0));
  program.push_back(Exit());
  return program;
}

absl::Status AttachDeviceRules(const std::string& folder, const std::vector<DeviceRule>& rules) {
  const std::vector<BpfInstruction> instructions = CompileDeviceRules(rules);
  constexpr char kLicense[] = "Apache-2.0";
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = Address(instructions.data());
  load.insn_cnt = static_cast<uint32_t>(instructions.size());
  load.license = Address(kLicense);
  const int program = CallBpf(BPF_PROG_LOAD, load);
  if (program < 0) {
    return absl::ErrnoToStatus(errno, "cannot load the device rules");
  }
  const int group = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bpf_attr attach{};
  attach.target_fd = static_cast<uint32_t>(group);
  attach.attach_bpf_fd = static_cast<uint32_t>(program);
  attach.attach_type = BPF_CGROUP_DEVICE;
  // Beside those of whoever owns the groups above: the kernel allows what all of them allow.
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  const bool attached = group >= 0 && CallBpf(BPF_PROG_ATTACH, attach) == 0;
  const int error = errno;
  if (group >= 0) {
    close(group);
  }
  close(program);
  return attached
             ? absl::OkStatus()
             : absl::ErrnoToStatus(error, absl::StrCat("cannot attach device rules to ", folder));
}

}  // namespace berth
