#ifndef BERTH_SCHEDULER_CORE_SUITABILITY_H_
#define BERTH_SCHEDULER_CORE_SUITABILITY_H_

// Which nodes a gang may have, whatever they have and whatever is free on them.

#include "scheduler/core/job.h"
#include "scheduler/core/node.h"

namespace berth {

// Whether the node has the labels that the gang asks for.
bool MatchesLabels(const GangShape& gang, const Node& node);
// Whether the gang leaves the node out by its name.
bool IsExcluded(const GangShape& gang, const Node& node);
// Whether the node suits the gang, whatever it has and whatever is free on it.
inline bool IsSuitable(const GangShape& gang, const Node& node) {
  return MatchesLabels(gang, node) && !IsExcluded(gang, node);
}

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_SUITABILITY_H_
