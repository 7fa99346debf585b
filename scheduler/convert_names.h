#ifndef BERTH_SCHEDULER_CONVERT_NAMES_H_
#define BERTH_SCHEDULER_CONVERT_NAMES_H_

// How the core's ids and times stand in messages.

#include <cstdint>
#include <string>

#include "absl/time/time.h"

#include "scheduler/core/cluster.h"

namespace berth {

// 0 for times that never came or never will.
inline int64_t Micros(absl::Time time) {
  const bool finite = time != absl::InfinitePast() && time != absl::InfiniteFuture();
  return finite ? absl::ToUnixMicros(time) : 0;
}

// "" for what is not known.
inline std::string TenantName(TenantId id, const Cluster& cluster) {
  const Tenant* tenant = cluster.quota().FindTenant(id);
  return tenant == nullptr ? "" : tenant->name;
}
inline std::string ProjectName(ProjectId id, const Cluster& cluster) {
  const Project* project = cluster.quota().FindProject(id);
  return project == nullptr ? "" : project->name;
}
inline std::string UserName(UserId id, const Cluster& cluster) {
  const User* user = cluster.FindUser(id);
  return user == nullptr ? "" : user->name;
}
inline std::string NodeName(NodeId id, const Cluster& cluster) {
  const Node* node = cluster.FindNode(id);
  return node == nullptr ? "" : node->name;
}

}  // namespace berth

#endif  // BERTH_SCHEDULER_CONVERT_NAMES_H_
