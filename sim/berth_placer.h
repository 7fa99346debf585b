#ifndef BERTH_SIM_BERTH_PLACER_H_
#define BERTH_SIM_BERTH_PLACER_H_

// Pods placed as Berth's scheduler core places jobs: models are device classes, a pod that may use
// several gets the first of them, by name, that has room. All pods are
// one tenant's, so that shares may lie beside each other.

#include <vector>

#include "sim/saturation.h"
#include "sim/trace_reader.h"

namespace berth::sim {

PodPlacer BerthPlacer(const std::vector<TraceNode>& nodes);

}  // namespace berth::sim

#endif  // BERTH_SIM_BERTH_PLACER_H_
