#include "scheduler/core/suitability.h"

#include <algorithm>

namespace berth {

bool MatchesLabels(const GangShape& gang, const Node& node) {
  for (const auto& [key, value] : gang.node_labels) {
    const auto label = node.facts.labels.find(key);
    if (label == node.facts.labels.end() || label->second != value) {
      return false;
    }
  }
  return true;
}

bool IsExcluded(const GangShape& gang, const Node& node) {
  return std::find(gang.excluded_nodes.begin(), gang.excluded_nodes.end(), node.name) !=
         gang.excluded_nodes.end();
}

}  // namespace berth
