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

}  // namespace

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
