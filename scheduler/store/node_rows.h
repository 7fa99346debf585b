#ifndef BERTH_SCHEDULER_STORE_NODE_ROWS_H_
#define BERTH_SCHEDULER_STORE_NODE_ROWS_H_

// Rows of the nodes and their devices.

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "scheduler/core/node.h"
#include "scheduler/store/database.h"

namespace berth {

// Writes nodes. A node's facts change seldom and its sequence numbers often: the facts and devices
// are written only when they differ from what this object wrote last. Owned by the store.
class NodeRows {
 public:
  explicit NodeRows(Database& database) : database_(database) {}

  absl::Status Save(const Node& node);
  // Call when a transaction was rolled back: what was written last is no longer known.
  void Forget() { written_facts_.clear(); }
  absl::StatusOr<std::vector<Node>> Load();

 private:
  absl::Status SaveFacts(NodeId id, const NodeFacts& facts);
  absl::Status SaveDevice(NodeId id, const Device& device);

  Database& database_;
  absl::flat_hash_map<NodeId, std::string> written_facts_;  // as one comparable text
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_NODE_ROWS_H_
