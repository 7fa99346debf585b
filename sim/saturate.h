#ifndef BERTH_SIM_SATURATE_H_
#define BERTH_SIM_SATURATE_H_

// `berth-sim saturate`: a stream of pods on nodes that only fill up, under a named policy.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace berth::sim {

struct SaturateOptions {
  std::string policy;
  std::string nodes;   // a file
  std::string stream;  // a file
  std::string report;  // a file to write; empty: none
  uint64_t seed = 1;   // for random choices
};

// Names and what they do.
std::vector<std::pair<std::string, std::string>> SaturatePolicies();

// Prints a summary to stdout.
absl::Status RunSaturate(const SaturateOptions& options);

}  // namespace berth::sim

#endif  // BERTH_SIM_SATURATE_H_
