#ifndef BERTH_CLIENT_NODE_LIST_H_
#define BERTH_CLIENT_NODE_LIST_H_

// Many nodes in few letters: "qd-a[01-16,18],qd-b3".

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "client/option.h"

namespace berth {

// Every name, in the order given. Errors stand at the option's place.
absl::StatusOr<std::vector<std::string>> NodesOf(const OptionValue& value);
// The shortest list that NodesOf reads as these names, which are sorted first.
std::string FoldNodes(std::vector<std::string> names);

}  // namespace berth

#endif  // BERTH_CLIENT_NODE_LIST_H_
