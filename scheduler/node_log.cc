#include "scheduler/node_log.h"

#include <string>

#include "common/log.h"

namespace berth {

void NodeLog::Note(const Changes& changes, const Cluster& cluster) {
  for (const Node& node : changes.nodes) {
    NodeState& logged = states_[node.id];
    const bool is_news = logged != node.state &&
                         (node.state == NodeState::kQuarantined || node.state == NodeState::kLost);
    if (is_news) {
      LogWarning("node is out", {
                                    {"node",  node.name                    },
                                    {"state", std::string(Name(node.state))},
                                    {"why",   node.state_detail            }
      });
    }
    logged = node.state;
  }
  if (changes.nodes.empty()) {
    return;
  }
  int held = 0;
  for (const auto& [id, node] : cluster.nodes()) {
    held += node.loss_held ? 1 : 0;
  }
  if (held > 0 && held_ == 0) {
    LogError("many nodes fell silent together: none is declared lost, and nothing is queued again",
             {
                 {"held", held                                              },
                 {"fix",  "mend the network, or: berth node end-hold [NODE]"}
    });
  } else if (held == 0 && held_ > 0) {
    LogInfo("no node is held any more");
  }
  held_ = held;
}

}  // namespace berth
