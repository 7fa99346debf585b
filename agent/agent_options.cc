#include "agent/agent_options.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "common/address.h"
#include "common/status_macros.h"

namespace berth {
namespace {

bool IsLoopback(absl::string_view server) {
  return absl::StartsWith(server, "127.") || absl::StartsWith(server, "localhost:") ||
         absl::StartsWith(server, "[::1]") || absl::StartsWith(server, "unix:");
}

void ReadPorts(ConfigFile& file, PortRange& ports) {
  const std::string text =
      file.String("ports", "rendezvous", absl::StrCat(ports.first, "-", ports.last));
  const std::vector<std::string> ends = absl::StrSplit(text, '-');
  const bool good = ends.size() == 2 && absl::SimpleAtoi(ends[0], &ports.first) &&
                    absl::SimpleAtoi(ends[1], &ports.last) && ports.first >= 1024 &&
                    ports.last <= 65535 && ports.first <= ports.last;
  if (!good) {
    file.Fail("ports", "rendezvous", "must be FIRST-LAST with 1024 <= FIRST <= LAST <= 65535");
  }
}

void ReadUsers(ConfigFile& file, TaskUsers& users) {
  const auto read = [&](const char* section, const std::string& key, const std::string& text,
                        UserRange& range) {
    const absl::StatusOr<UserRange> parsed = ParseUserRange(text);
    if (parsed.ok()) {
      range = *parsed;
    } else {
      file.Fail(section, key, parsed.status().message());
    }
  };
  for (const auto& [tenant, text] : file.Pairs("uids")) {
    read("uids", tenant, text, users.of_tenant[tenant]);
  }
  const std::string text =
      file.String("tasks", "job_uids", absl::StrCat(users.per_job.first, "-", users.per_job.last));
  read("tasks", "job_uids", text, users.per_job);
}

void ReadIsolation(ConfigFile& file, IsolationOptions& isolation) {
  static const std::map<std::string, IsolationPolicy> kPolicies = {
      {"off",     IsolationPolicy::kOff    },
      {"allow",   IsolationPolicy::kAllow  },
      {"require", IsolationPolicy::kRequire},
  };
  const auto policy = kPolicies.find(file.String("isolation", "policy", "allow"));
  if (policy == kPolicies.end()) {
    file.Fail("isolation", "policy", "must be off, allow or require");
  } else {
    isolation.policy = policy->second;
  }
  isolation.group_parent = file.String("isolation", "cgroup_parent", "");
  if (!isolation.group_parent.empty() && isolation.group_parent.front() != '/') {
    file.Fail("isolation", "cgroup_parent", "must begin with /, as in /proc/self/cgroup");
  }
  isolation.processes_max = file.Integer("tasks", "processes_max", isolation.processes_max);
  if (isolation.processes_max < 16) {
    file.Fail("tasks", "processes_max", "must be at least 16; threads count too");
  }
  // Without these no collective runs over the fast network.
  isolation.device_files = {"/dev/infiniband/*"};
  if (file.Has("isolation", "devices")) {
    isolation.device_files = file.Strings("isolation", "devices");
  }
}

void ReadImages(ConfigFile& file, ImageOptions& images) {
  if (file.Has("images", "folders")) {
    images.folders = file.Strings("images", "folders");
  }
  images.mounts = file.Strings("images", "mounts");
  for (const char* key : {"folders", "mounts"}) {
    for (const std::string& path : file.Strings("images", key)) {
      if (path.size() < 2 || path.front() != '/' || path.back() == '/') {
        file.Fail("images", key, "must be absolute paths, without a / at the end");
      }
    }
  }
  images.podman = file.String("images", "podman", images.podman);
  images.pull_timeout = file.Duration("images", "pull_timeout", images.pull_timeout);
  if (images.pull_timeout <= absl::ZeroDuration()) {
    file.Fail("images", "pull_timeout", "must be a time, as \"30m\"");
  }
}

void ReadDisk(ConfigFile& file, DiskOptions& disk) {
  const std::string task_max = file.String("tasks", "disk_max", "");
  const auto task_max_mib = task_max.empty() ? 0 : ParseMemoryMib(task_max);
  disk.task_max = task_max_mib.value_or(0) << 20;
  if (!task_max_mib.ok() || (!task_max.empty() && *task_max_mib < 1)) {
    file.Fail("tasks", "disk_max", "must be a size of at least 1MiB, as \"500GiB\", or empty");
  }
  disk.keep = file.Duration("tasks", "keep", disk.keep);
  if (disk.keep < absl::Hours(1)) {
    file.Fail("tasks", "keep", "must be at least 1h");
  }
  const auto reserve = ParseMemoryMib(file.String("tasks", "disk_reserve", "1GiB"));
  disk.reserve = reserve.value_or(0) << 20;
  if (!reserve.ok()) {
    file.Fail("tasks", "disk_reserve", "must be a size, as \"1GiB\"");
  }
}

void ReadWorkdirCache(ConfigFile& file, int64_t& bytes) {
  const std::string size = file.String("tasks", "workdir_cache", "4GiB");
  const auto mib = size == "0" ? 0 : ParseMemoryMib(size);
  bytes = mib.value_or(0) << 20;
  if (!mib.ok()) {
    file.Fail("tasks", "workdir_cache", "must be a size, as \"4GiB\", or 0");
  }
}

void ReadLogs(ConfigFile& file, AgentOptions& options) {
  const auto segment = ParseMemoryMib(file.String("logs", "segment", "64MiB"));
  options.log_segment_bytes = segment.value_or(0) << 20;
  if (!segment.ok() || *segment < 1) {
    file.Fail("logs", "segment", "must be a size of at least 1MiB, as \"64MiB\"");
  }
  options.log_dir = file.String("logs", "log_dir", "");
  if (!options.log_dir.empty() && options.log_dir.front() != '/') {
    file.Fail("logs", "log_dir", "must be an absolute path, or empty");
  }
  options.log_keep = file.Duration("logs", "keep", options.log_keep);
  if (file.Has("logs", "keep") && (options.log_keep < absl::Hours(1) || options.log_dir.empty())) {
    file.Fail("logs", "keep", "must be at least 1h, and needs log_dir");
  }
  options.log_segments_max = file.Integer("logs", "segments_per_rank", options.log_segments_max);
  if (options.log_segments_max < 2) {
    file.Fail("logs", "segments_per_rank", "must be at least 2");
  }
}

void ReadDevices(ConfigFile& file, AgentOptions& options) {
  DeviceOptions& devices = options.devices;
  devices.node = options.node;
  const std::string kind = file.String("devices", "kind", "auto");
  const auto source = ParseDeviceSource(kind);
  if (source.ok()) {
    devices.source = *source;
  } else {
    file.Fail("devices", "kind", source.status().message());
  }
  for (const std::string& text : file.Strings("devices", "indexes")) {
    int index = -1;
    if (!absl::SimpleAtoi(text, &index) || index < 0) {
      file.Fail("devices", "indexes", "must be device numbers, as [\"0\", \"1\"]");
    }
    devices.indexes.push_back(index);
  }
  devices.search_pause = file.Duration("devices", "reread", devices.search_pause);
  if (devices.search_pause < absl::Seconds(1)) {
    file.Fail("devices", "reread", "must be at least 1s");
  }
  devices.inventory_script = file.String("devices", "inventory_script", "");
  devices.fault_script = file.String("devices", "fault_script", "");
  devices.sample_script = file.String("devices", "sample_script", "");
  for (ConfigFile& table : file.Tables("simulated")) {
    SimulatedDevices group;
    group.device_class = table.String("", "class", "");
    group.count = static_cast<int>(table.Integer("", "count", 0));
    const auto memory = ParseMemoryMib(table.String("", "memory", "80GiB"));
    group.memory_mib = memory.value_or(0);
    if (group.device_class.empty() || group.count < 1 || group.count > 64 || !memory.ok()) {
      file.Fail("simulated", "class", "needs class, count (1 to 64) and memory, as \"80GiB\"");
    }
    devices.simulated.push_back(std::move(group));
  }
}

}  // namespace

absl::StatusOr<AgentOptions> ReadAgentOptions(ConfigFile& file) {
  AgentOptions options;
  options.server = file.String("", "server", "");
  options.node = file.String("", "node", "");
  options.token_file = file.String("", "token_file", "");
  options.data_dir = file.String("", "data_dir", options.data_dir);
  options.lock_dir = file.String("", "lock_dir", options.lock_dir);
  options.shim = file.String("", "shim", "");
  options.ca_file = file.String("", "ca", "");
  options.log_level = file.String("", "log_level", options.log_level);
  options.run_as = file.String("tasks", "run_as", "");
  options.facts.address = file.String("", "address", "127.0.0.1");
  for (const auto& [key, value] : file.Pairs("env")) {
    options.environment[key] = value;
  }
  for (const auto& [key, value] : file.Pairs("labels")) {
    options.facts.labels[key] = value;
  }
  options.facts.topology.set_pod(file.String("topology", "pod", ""));
  options.facts.topology.set_block(file.String("topology", "block", ""));
  options.facts.topology.set_rack(file.String("topology", "rack", ""));
  ReadUsers(file, options.users);
  ReadIsolation(file, options.isolation);
  ReadImages(file, options.images);
  ReadDisk(file, options.disk);
  ReadWorkdirCache(file, options.workdir_cache_bytes);
  ReadLogs(file, options);
  ReadPorts(file, options.ports);
  ReadDevices(file, options);
  for (const char* key : {"server", "node", "token_file"}) {
    if (!file.Has("", key)) {
      file.Fail("", key, "is required");
    }
  }
  const bool is_socket = absl::StartsWith(options.server, "unix:");
  if (const absl::Status form = CheckAddress(options.server, 1); !form.ok() && !is_socket) {
    file.Fail("", "server", form.message());
  } else if (options.ca_file.empty() && !IsLoopback(options.server)) {
    file.Fail("", "server",
              "is not on this machine: set ca, so that the token does not travel in the clear");
  }
  RETURN_IF_ERROR(file.Finish());
  return options;
}

}  // namespace berth
