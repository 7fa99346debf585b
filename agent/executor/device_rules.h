#ifndef BERTH_AGENT_EXECUTOR_DEVICE_RULES_H_
#define BERTH_AGENT_EXECUTOR_DEVICE_RULES_H_

// Which device files the processes of a task may open, told to the kernel: the devices controller
// of control groups version 1, or a program of type BPF_PROG_TYPE_CGROUP_DEVICE on version 2
// (kernel documentation, "Control Group v2", Device controller).

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "proto/resources.pb.h"

namespace berth {

struct DeviceRule {
  bool block = false;  // else a character device
  uint32_t major_number = 0;
  int64_t minor_number = 0;  // -1: all of them
  friend bool operator==(const DeviceRule&, const DeviceRule&) = default;
};

// The device files behind one device and those its driver needs beside them: "/dev/nvidia3",
// "/dev/nvidiactl", ... Ones that the machine may not have are among them. Empty for a simulated
// device.
std::vector<std::string> DeviceFilesOf(v1::DeviceKind kind, int minor_number);

// What every task may open, and the files in `paths` that exist; of "HOST:SHOWN" the first.
std::vector<DeviceRule> MakeDeviceRules(const std::vector<std::string>& paths);

// A line of devices.allow: "c 195:3 rwm".
std::string FormatDeviceRule(const DeviceRule& rule);

// One instruction of the kernel's, as struct bpf_insn lays it out.
struct BpfInstruction {
  uint8_t code = 0;
  uint8_t destination : 4;
  uint8_t source : 4;
  int16_t offset = 0;
  int32_t immediate = 0;
};
static_assert(sizeof(BpfInstruction) == 8);

// Returns 1 for what a rule allows, 0 for everything else. Pure.
std::vector<BpfInstruction> CompileDeviceRules(const std::vector<DeviceRule>& rules);

// Attaches the rules to the control group of version 2 at `folder`. They go with it.
absl::Status AttachDeviceRules(const std::string& folder, const std::vector<DeviceRule>& rules);

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_DEVICE_RULES_H_
