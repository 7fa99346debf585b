#ifndef BERTH_AGENT_EXECUTOR_RENDEZVOUS_PORT_H_
#define BERTH_AGENT_EXECUTOR_RENDEZVOUS_PORT_H_

// Ports for MASTER_PORT. A port belongs to a task while its shim holds the port's lock file, so
// agents that share a machine do not give out the same one.

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace berth {

struct PortRange {
  int first = 20000;
  int last = 29999;
};

std::string PortLockPath(absl::string_view lock_dir, int port);

// A port that nobody holds and nothing listens on, searched from a place that depends on `seed`.
// The lock is not taken: the shim takes it, and may find that another was quicker.
std::optional<int> FindFreePort(const PortRange& range, absl::string_view lock_dir, uint64_t seed);

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_RENDEZVOUS_PORT_H_
