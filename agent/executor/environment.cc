#include "agent/executor/environment.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

#include "agent/executor/node_list.h"
#include "common/matrix.h"

namespace berth {
namespace {

using Environment = std::map<std::string, std::string>;

constexpr char kDefaultPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

bool IsPerDevice(const TaskContext& task) {
  return task.spec.launch() == v1::LAUNCH_MODE_DEVICE;
}

// A node without devices has one rank all the same.
int Slots(int devices) {
  return std::max(devices, 1);
}

int TaskSlots(const TaskContext& task) {
  return Slots(task.assignment.devices_size());
}

// Where this node's slots stand among those of the gang.
struct GangPosition {
  int first = 0;
  int size = 0;
};

GangPosition FindPosition(const TaskContext& task) {
  GangPosition position;
  for (const v1::Start::Member& member : task.members) {
    if (member.rank() < task.assignment.rank()) {
      position.first += Slots(member.devices());
    }
    position.size += Slots(member.devices());
  }
  return position;
}

void AddHost(const TaskContext& task, Environment& environment) {
  environment["PATH"] = kDefaultPath;
  environment["HOME"] = task.home.empty() ? task.paths.work : task.home;
  environment["USER"] = task.user_name;
  environment["LOGNAME"] = task.user_name;
  environment["SHELL"] = "/bin/sh";
  environment["LANG"] = "C.UTF-8";
  environment["TMPDIR"] = task.paths.scratch;
  // The one process of a node starts a worker per device, as torchrun does.
  const int workers = IsPerDevice(task) ? 1 : TaskSlots(task);
  environment["OMP_NUM_THREADS"] = absl::StrCat(std::max(task.cores / workers, 1));
}

// With this the job's processes reach its other nodes.
void AddScheduler(const TaskContext& task, Environment& environment) {
  if (task.paths.token.empty()) {
    return;
  }
  environment["BERTH_SERVER"] = task.server;
  environment["BERTH_TOKEN_FILE"] = task.paths.token;
  if (!task.ca_file.empty()) {
    environment["BERTH_CA"] = task.ca_file;
  }
}

void AddParameters(const TaskContext& task, Environment& environment) {
  const Matrix matrix = ToMatrix(task.spec.matrix());
  const std::vector<std::string> values = CombinationAt(matrix, task.assignment.array_index());
  for (size_t i = 0; i < values.size(); ++i) {
    environment[ParameterVariable(matrix[i].name)] = values[i];
  }
}

void AddIdentity(const TaskContext& task, Environment& environment) {
  const v1::Assignment& assignment = task.assignment;
  environment["BERTH_JOB_ID"] = absl::StrCat(assignment.job_id());
  environment["BERTH_JOB_NAME"] = assignment.job_name();
  environment["BERTH_ATTEMPT"] = absl::StrCat(assignment.attempt());
  if (assignment.array_id() != 0) {
    environment["BERTH_ARRAY_ID"] = absl::StrCat(assignment.array_id());
    environment["BERTH_ARRAY_INDEX"] = absl::StrCat(assignment.array_index());
    AddParameters(task, environment);
  }
  environment["BERTH_TENANT"] = assignment.tenant();
  environment["BERTH_PROJECT"] = assignment.project();
  environment["BERTH_USER"] = assignment.user();
}

void AddTimes(const TaskContext& task, Environment& environment) {
  environment["BERTH_START_TIME"] = absl::StrCat(absl::ToUnixSeconds(task.start_time));
  if (task.end_time != absl::InfiniteFuture()) {
    environment["BERTH_END_TIME"] = absl::StrCat(absl::ToUnixSeconds(task.end_time));
  }
  environment["BERTH_GRACE_SECONDS"] = absl::StrCat(task.assignment.grace_ms() / 1000);
}

void AddPaths(const TaskPaths& paths, Environment& environment) {
  environment["BERTH_CODE_DIR"] = paths.work;
  environment["BERTH_OUTPUT_DIR"] = paths.output;
  environment["BERTH_SCRATCH"] = paths.scratch;
  environment["BERTH_STOP_FILE"] = paths.stop_file;
  environment["BERTH_HOSTFILE"] = paths.host_file;
  environment["BERTH_NOTIFY_SOCKET"] = paths.notice_socket;
}

void AddPlacement(const TaskContext& task, const RankContext& rank, Environment& environment) {
  std::vector<std::string> names;
  std::vector<std::string> addresses;
  for (const v1::Start::Member& member : task.members) {
    names.push_back(member.node());
    addresses.push_back(member.address());
  }
  environment["BERTH_NODE"] = task.node;
  environment["BERTH_NODELIST"] = CompressNodeList(names);
  environment["BERTH_NODE_IPS"] = absl::StrJoin(addresses, ",");
  environment["BERTH_NODE_RANK"] = absl::StrCat(task.assignment.rank());
  environment["BERTH_NODE_COUNT"] = absl::StrCat(task.members.size());
  const GangPosition position = FindPosition(task);
  environment["BERTH_RANK"] =
      absl::StrCat(IsPerDevice(task) ? position.first + rank.local_rank : task.assignment.rank());
  environment["BERTH_RANK_COUNT"] =
      absl::StrCat(IsPerDevice(task) ? position.size : static_cast<int>(task.members.size()));
}

// torchrun takes the default of each of its flags from PET_<FLAG>.
void AddNodeLaunch(const TaskContext& task, Environment& environment) {
  Environment values = {
      {"NNODES",         absl::StrCat(task.members.size())   },
      {"NODE_RANK",      absl::StrCat(task.assignment.rank())},
      {"NPROC_PER_NODE", absl::StrCat(TaskSlots(task))       },
      {"MASTER_ADDR",    task.rendezvous_address             },
  };
  if (task.rendezvous_port > 0) {
    values["MASTER_PORT"] = absl::StrCat(task.rendezvous_port);
  }
  for (const auto& [name, value] : values) {
    environment[name] = value;
    environment["PET_" + name] = value;
  }
}

// RANK and its like only where every process is a rank: a launcher that starts ranks of its own
// must not find the number of nodes in WORLD_SIZE.
void AddDeviceLaunch(const TaskContext& task, int local_rank, Environment& environment) {
  const GangPosition position = FindPosition(task);
  const std::string rank = absl::StrCat(position.first + local_rank);
  const std::string size = absl::StrCat(position.size);
  environment["RANK"] = rank;
  environment["WORLD_SIZE"] = size;
  environment["LOCAL_RANK"] = absl::StrCat(local_rank);
  environment["LOCAL_WORLD_SIZE"] = absl::StrCat(TaskSlots(task));
  environment["GROUP_RANK"] = absl::StrCat(task.assignment.rank());
  environment["RANK_ID"] = rank;
  environment["RANK_SIZE"] = size;
  environment["DEVICE_ID"] = absl::StrCat(local_rank);  // counts the visible devices
}

struct VisibleDevices {
  std::vector<int> nvidia;
  std::vector<std::string> nvidia_uuids;
  bool nvidia_parts = false;  // some are MIG instances, which CUDA knows by their uuids only
  std::vector<int> ascend;
  bool ascend_parts = false;  // some are vNPUs, which only the files in /dev tell apart
};

// A simulated device is seen as NVIDIA's are, so that the same job runs on both.
VisibleDevices SortByKind(const TaskContext& task) {
  VisibleDevices visible;
  for (int i = 0; i < task.assignment.devices_size(); ++i) {
    const v1::DeviceAssignment& device = task.assignment.devices(i);
    const auto at = static_cast<size_t>(i);
    const bool is_known = at < task.device_kinds.size();
    const v1::DeviceKind kind = is_known ? task.device_kinds[at] : v1::DEVICE_KIND_UNSPECIFIED;
    if (kind == v1::DEVICE_KIND_ASCEND) {
      visible.ascend.push_back(device.index());
      visible.ascend_parts |= absl::StrContains(device.device_class(), "-vnpu-");
      continue;
    }
    visible.nvidia.push_back(device.index());
    if (kind == v1::DEVICE_KIND_NVIDIA) {
      visible.nvidia_uuids.push_back(device.uuid());
      visible.nvidia_parts |= absl::StartsWith(device.uuid(), "MIG-");
    }
  }
  return visible;
}

// Every process sees all devices of its task on the node, and LOCAL_RANK counts them. Set even when
// empty: a job without devices must not find all of them.
void AddDevices(const TaskContext& task, Environment& environment) {
  const VisibleDevices visible = SortByKind(task);
  environment["CUDA_VISIBLE_DEVICES"] = visible.nvidia_parts
                                            ? absl::StrJoin(visible.nvidia_uuids, ",")
                                            : absl::StrJoin(visible.nvidia, ",");
  // CUDA by itself counts the fastest device first; the indexes are those of the bus.
  environment["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID";
  environment["NVIDIA_VISIBLE_DEVICES"] =
      visible.nvidia_uuids.empty() ? "void" : absl::StrJoin(visible.nvidia_uuids, ",");
  if (!visible.ascend.empty()) {
    if (!visible.ascend_parts) {
      environment["ASCEND_RT_VISIBLE_DEVICES"] = absl::StrJoin(visible.ascend, ",");
    }
    environment["ASCEND_VISIBLE_DEVICES"] = absl::StrJoin(visible.ascend, ",");
  }
}

bool IsReserved(absl::string_view name) {
  return absl::StartsWith(name, "BERTH_") || name == "CUDA_DEVICE_ORDER" ||
         absl::EndsWith(name, "_VISIBLE_DEVICES");
}

// What execve can carry: nothing that reads as another name, or ends early.
bool IsVariable(const std::string& name, const std::string& value) {
  return !name.empty() && !absl::StrContains(name, '=') && !absl::StrContains(name, '\0') &&
         !absl::StrContains(value, '\0');
}

}  // namespace

std::vector<std::string> MakeEnvironment(const TaskContext& task, const RankContext& rank) {
  Environment environment;
  AddHost(task, environment);
  AddScheduler(task, environment);
  for (const auto* variables : {&task.image_environment, &task.operator_environment}) {
    for (const auto& [name, value] : *variables) {
      if (IsVariable(name, value)) {
        environment[name] = value;
      }
    }
  }
  AddIdentity(task, environment);
  AddTimes(task, environment);
  AddPaths(task.paths, environment);
  AddPlacement(task, rank, environment);
  AddNodeLaunch(task, environment);
  if (IsPerDevice(task)) {
    AddDeviceLaunch(task, rank.local_rank, environment);
  }
  AddDevices(task, environment);
  for (const auto& [name, value] : task.spec.environment()) {
    if (!IsReserved(name) && IsVariable(name, value)) {
      environment[name] = value;
    }
  }
  std::vector<std::string> result;
  result.reserve(environment.size());
  for (const auto& [name, value] : environment) {
    result.push_back(absl::StrCat(name, "=", value));
  }
  return result;
}

std::string FormatHostFile(const std::vector<v1::Start::Member>& members) {
  std::string text;
  for (const v1::Start::Member& member : members) {
    absl::StrAppend(&text, member.address(), " slots=", Slots(member.devices()), "\n");
  }
  return text;
}

}  // namespace berth
