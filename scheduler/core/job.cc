#include "scheduler/core/job.h"

#include <array>

#include "absl/strings/str_format.h"

#include "scheduler/core/enum_names.h"

namespace berth {
namespace {

constexpr std::array<const char*, 3> kFundingNames = {"none", "owned", "borrowed"};
constexpr std::array<const char*, 16> kEndReasonNames = {"none",
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
                                                         "launch-error",
                                                         "disk-limit",
                                                         "idle"};
constexpr std::array<const char*, 3> kNodeLossNames = {"requeue", "hold", "fail"};
constexpr std::array<const char*, 5> kTopologyNames = {"none", "ring", "rack", "block", "pod"};
constexpr std::array<const char*, 4> kDependencyNames = {"ok", "any", "fail", "started"};

}  // namespace

std::optional<bool> DependencyHolds(DependencyKind kind, JobState ended) {
  if (!IsTerminal(ended)) {
    return std::nullopt;
  }
  switch (kind) {
    case DependencyKind::kOk:
      return ended == JobState::kSucceeded;
    case DependencyKind::kAny:
      return true;
    case DependencyKind::kFail:
      return ended != JobState::kSucceeded;
    case DependencyKind::kStarted:
      return ended == JobState::kSucceeded || ended == JobState::kFailed ||
             ended == JobState::kTimedOut;
  }
  return std::nullopt;
}

std::optional<bool> DependencyHolds(DependencyKind kind, const Job& parent) {
  const bool started = parent.is_array() ? parent.state == JobState::kRunning
                                         : parent.attempt.started_at > absl::InfinitePast();
  if (kind == DependencyKind::kStarted && started && !IsTerminal(parent.state)) {
    return true;
  }
  return DependencyHolds(kind, parent.state);
}

JobEnd DependencyEnd(const Dependency& dependency, JobState parent) {
  return {.reason = EndReason::kDependency,
          .message = absl::StrFormat("waited for job %d (%s), which ended %s",
                                     dependency.job.value(), Name(dependency.kind), Name(parent))};
}

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
