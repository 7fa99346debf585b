#ifndef BERTH_AGENT_NODE_FACTS_H_
#define BERTH_AGENT_NODE_FACTS_H_

// What a node is, read from its machine: everything but its devices.

#include <map>
#include <string>

#include "proto/node.pb.h"

namespace berth {

struct NodeFactsOptions {
  std::string address;
  std::string agent_version;
  std::map<std::string, std::string> labels;
  v1::TopologyPath topology;
  std::string root;  // before /proc and /sys; for tests
};

// Never fails: what cannot be read is left at its default. The capacity is what this process and
// its children may use: the processors it may run on, less where a control group or one above it
// says so.
v1::NodeFacts ReadNodeFacts(const NodeFactsOptions& options);

// Changes with every boot of the machine. Empty if the kernel does not tell.
std::string ReadBootId();

}  // namespace berth

#endif  // BERTH_AGENT_NODE_FACTS_H_
