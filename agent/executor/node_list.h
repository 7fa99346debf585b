#ifndef BERTH_AGENT_EXECUTOR_NODE_LIST_H_
#define BERTH_AGENT_EXECUTOR_NODE_LIST_H_

// Node names in the compressed form that users know: qd-a[03-06,09].

#include <string>
#include <vector>

namespace berth {

// Joins neighbours that differ only in the last number of their first label. The order is kept:
// read from left to right, the list is again that of `names`, so that rank 0's node comes first.
std::string CompressNodeList(const std::vector<std::string>& names);

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_NODE_LIST_H_
