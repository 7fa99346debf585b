#ifndef BERTH_SIM_POLICIES_REMAINING_TIME_H_
#define BERTH_SIM_POLICIES_REMAINING_TIME_H_

// Preemptive policies as in the evaluation of Muri ("Multi-resource interleaving for deep learning
// training", SIGCOMM'22): at every arrival or end all placements are forgotten, the active jobs
// are sorted by remaining time (SRSF: times devices; equals in the order of submission) and placed
// greedily; who does not fit is passed over. Preemption costs nothing.

#include "sim/policies/replay_policy.h"

namespace berth::sim {

Replay RunSrtf(const ReplayInput& input);
Replay RunSrsf(const ReplayInput& input);

}  // namespace berth::sim

#endif  // BERTH_SIM_POLICIES_REMAINING_TIME_H_
