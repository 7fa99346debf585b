#include "scheduler/core/job.h"

#include <array>

#include "scheduler/core/enum_names.h"

namespace berth {
namespace {

constexpr std::array<const char*, 3> kFundingNames = {"none", "owned", "borrowed"};
constexpr std::array<const char*, 14> kEndReasonNames = {"none",
                                                         "exit",
                                                         "signal",
                                                         "oom",
                                                         "node-fault",
                                                         "preempted",
                                                         "time-limit",
                                                         "budget",
                                                         "image-error",
                                                         "prepare-timeout",
                                                         "admin",
                                                         "cancelled",
                                                         "dependency-failed",
                                                         "launch-error"};
constexpr std::array<const char*, 3> kNodeLossNames = {"requeue", "hold", "fail"};
constexpr std::array<const char*, 5> kTopologyNames = {"none", "ring", "rack", "block", "pod"};
constexpr std::array<const char*, 4> kDependencyNames = {"ok", "any", "fail", "started"};

}  // namespace

absl::string_view Name(TopologyLevel level) {
  return NameIn(kTopologyNames, level);
}
absl::string_view Name(DependencyKind kind) {
  return NameIn(kDependencyNames, kind);
}
std::optional<TopologyLevel> FindTopologyLevel(absl::string_view name) {
  return FindIn<TopologyLevel>(kTopologyNames, name);
}
std::optional<DependencyKind> FindDependencyKind(absl::string_view name) {
  return FindIn<DependencyKind>(kDependencyNames, name);
}
absl::string_view Name(Funding funding) {
  return NameIn(kFundingNames, funding);
}
absl::string_view Name(EndReason reason) {
  return NameIn(kEndReasonNames, reason);
}
absl::string_view Name(NodeLossPolicy policy) {
  return NameIn(kNodeLossNames, policy);
}
std::optional<Funding> FindFunding(absl::string_view name) {
  return FindIn<Funding>(kFundingNames, name);
}
std::optional<EndReason> FindEndReason(absl::string_view name) {
  return FindIn<EndReason>(kEndReasonNames, name);
}
std::optional<NodeLossPolicy> FindNodeLossPolicy(absl::string_view name) {
  return FindIn<NodeLossPolicy>(kNodeLossNames, name);
}

}  // namespace berth
