#include "sim/replay_policies.h"

#include <string>

#include "absl/strings/str_cat.h"

#include "sim/berth_replay.h"
#include "sim/policies/queue_policies.h"
#include "sim/policies/remaining_time.h"

namespace berth::sim {

const std::vector<ReplayPolicy>& ReplayPolicies() {
  static const auto* const kPolicies = new std::vector<ReplayPolicy>{
      {"berth",     "Berth's own scheduler",                                             RunBerth   },
      {"fifo",      "first come, first served; who does not fit holds up all behind",    RunFifo    },
      {"easy",      "fifo, and who does not delay the first in line may pass (EASY)",    RunEasy    },
      {"easy-sjbf", "easy, with the shortest estimate first among those who may pass",   RunEasySjbf},
      {"sjf",       "the shortest estimate first; who does not fit holds up all behind", RunSjf     },
      {"srtf",      "preemptive: the shortest remaining time first",                     RunSrtf    },
      {"srsf",      "preemptive: the smallest remaining time x devices first",           RunSrsf    },
  };
  return *kPolicies;
}

absl::StatusOr<ReplayPolicy> FindReplayPolicy(absl::string_view name) {
  std::string known;
  for (const ReplayPolicy& policy : ReplayPolicies()) {
    if (policy.name == name) {
      return policy;
    }
    absl::StrAppend(&known, known.empty() ? "" : ", ", policy.name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("policy \"", name, "\" is not known to replay; there are ", known));
}

}  // namespace berth::sim
