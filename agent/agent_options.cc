#include "agent/agent_options.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

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

void ReadDevices(ConfigFile& file, AgentOptions& options) {
  options.devices.node = options.node;
  const std::string kind = file.String("devices", "kind", "auto");
  const auto source = ParseDeviceSource(kind);
  if (source.ok()) {
    options.devices.source = *source;
  } else {
    file.Fail("devices", "kind", source.status().message());
  }
  for (const std::string& text : file.Strings("devices", "indexes")) {
    int index = -1;
    if (!absl::SimpleAtoi(text, &index) || index < 0) {
      file.Fail("devices", "indexes", "must be device numbers, as [\"0\", \"1\"]");
    }
    options.devices.indexes.push_back(index);
  }
  for (ConfigFile& table : file.Tables("simulated")) {
    SimulatedDevices devices;
    devices.device_class = table.String("", "class", "");
    devices.count = static_cast<int>(table.Integer("", "count", 0));
    const auto memory = ParseMemoryMib(table.String("", "memory", "80GiB"));
    devices.memory_mib = memory.value_or(0);
    if (devices.device_class.empty() || devices.count < 1 || devices.count > 64 || !memory.ok()) {
      file.Fail("simulated", "class", "needs class, count (1 to 64) and memory, as \"80GiB\"");
    }
    options.devices.simulated.push_back(std::move(devices));
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
  ReadPorts(file, options.ports);
  ReadDevices(file, options);
  for (const char* key : {"server", "node", "token_file"}) {
    if (!file.Has("", key)) {
      file.Fail("", key, "is required");
    }
  }
  if (options.ca_file.empty() && !IsLoopback(options.server)) {
    file.Fail("", "server",
              "is not on this machine: set ca, so that the token does not travel in the clear");
  }
  RETURN_IF_ERROR(file.Finish());
  return options;
}

}  // namespace berth
