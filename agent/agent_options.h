#ifndef BERTH_AGENT_AGENT_OPTIONS_H_
#define BERTH_AGENT_AGENT_OPTIONS_H_

// Everything berth-agent is told by its configuration file.

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"

#include "agent/devices/devices.h"
#include "agent/disk_watch.h"
#include "agent/executor/image_store.h"
#include "agent/executor/isolation.h"
#include "agent/executor/rendezvous_port.h"
#include "agent/executor/task_users.h"
#include "agent/node_facts.h"
#include "common/config_file.h"

namespace berth {

struct AgentOptions {
  std::string server;  // HOST:PORT
  std::string node;
  std::string token_file;
  std::string data_dir = "/var/lib/berth-agent";
  std::string lock_dir = "/run/lock/berth";
  std::string shim;     // empty: berth-shim beside this program
  std::string ca_file;  // empty: plaintext, to a loopback server only
  std::string log_level = "info";
  std::string run_as;  // the user of every task; empty: `users` tells
  TaskUsers users;
  IsolationOptions isolation;
  ImageOptions images;
  DiskOptions disk;
  int64_t workdir_cache_bytes = int64_t{4} << 30;  // of uploaded folders; 0: none are kept
  int64_t log_segment_bytes = 64L << 20;
  int64_t log_segments_max = 16;
  std::string log_dir;                                 // the center's archive of logs; empty: none
  absl::Duration log_keep = absl::InfiniteDuration();  // in the archive
  PortRange ports;
  std::map<std::string, std::string> environment;
  NodeFactsOptions facts;
  DeviceOptions devices;
};

// InvalidArgument naming file, line and key for what is wrong or unknown.
absl::StatusOr<AgentOptions> ReadAgentOptions(ConfigFile& file);

}  // namespace berth

#endif  // BERTH_AGENT_AGENT_OPTIONS_H_
