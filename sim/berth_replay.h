#ifndef BERTH_SIM_BERTH_REPLAY_H_
#define BERTH_SIM_BERTH_REPLAY_H_

// A log under Berth's own scheduler. The log's virtual clusters become tenants. A single one owns
// all devices. Several own nothing and share the pool fairly, as a log knows no contracts: all is
// borrowed, nothing is recalled. A job may run to its end even beyond its request, as it did.

#include "sim/policies/replay_policy.h"

namespace berth::sim {

Replay RunBerth(const ReplayInput& input);

}  // namespace berth::sim

#endif  // BERTH_SIM_BERTH_REPLAY_H_
