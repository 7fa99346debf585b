#ifndef BERTH_SIM_POLICIES_QUEUE_POLICIES_H_
#define BERTH_SIM_POLICIES_QUEUE_POLICIES_H_

// Policies that never stop what runs.
//
// EASY backfilling: D. Lifka, "The ANL/IBM SP scheduling system" (JSSPP'95), with the tie orders of
// the simulator behind "Improving Backfilling by using Machine Learning to predict Running Times"
// (SC'15). At one time: jobs whose estimate ends now count as gone; then submissions, each with a
// pass; then ends, each with a pass. A pass starts jobs from the head of the queue while they fit.
// The first that does not gets a reservation at the earliest time at which the estimated ends free
// enough; the others start when they fit now and either end by then or use only what is spare
// then. SJBF looks at those others by increasing estimate. A job that overstays its estimate is
// expected to end at any moment.

#include "sim/policies/replay_policy.h"

namespace berth::sim {

Replay RunFifo(const ReplayInput& input);
Replay RunSjf(const ReplayInput& input);
Replay RunEasy(const ReplayInput& input);
Replay RunEasySjbf(const ReplayInput& input);

}  // namespace berth::sim

#endif  // BERTH_SIM_POLICIES_QUEUE_POLICIES_H_
