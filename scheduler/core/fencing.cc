#include "scheduler/core/fencing.h"

#include <algorithm>
#include <set>

#include "scheduler/core/node_loss.h"

namespace berth {
namespace {

constexpr int kLooksLeast = 5;
constexpr int kLooksPerFenceAfter = 10;
constexpr absl::Duration kLookMin = absl::Milliseconds(100);
constexpr absl::Duration kLookMax = absl::Seconds(5);
constexpr absl::Duration kRetry = absl::Minutes(1);  // doubles with every failure
constexpr absl::Duration kRetryMax = absl::Minutes(16);
constexpr int kAtOnce = 8;

absl::Duration LookInterval(const Policy& policy) {
  return std::clamp(policy.fence_after / kLooksPerFenceAfter, kLookMin, kLookMax);
}

absl::Duration RetryDelay(int failures) {
  absl::Duration delay = kRetry;
  for (int i = 1; i < failures && delay < kRetryMax; ++i) {
    delay *= 2;
  }
  return delay;
}

}  // namespace

void Fencing::NoteSilent(const Cluster& cluster, const Policy& policy, absl::Time now) {
  const std::vector<NodeId> silent = NodesThatMayBeDead(cluster, policy, now);
  const std::set<NodeId> found(silent.begin(), silent.end());
  std::erase_if(silences_, [&found](const auto& entry) {
    return !entry.second.is_being_fenced && !found.contains(entry.first);
  });
  for (NodeId id : silent) {
    Silence& silence = silences_[id];
    const absl::Time since = cluster.GetNode(id).silent_since;
    if (silence.since != since && !silence.is_being_fenced) {
      silence = {.since = since};
    }
    ++silence.looks;
  }
}

std::vector<FenceOrder> Fencing::Look(const Cluster& cluster, const Policy& policy,
                                      absl::Time now) {
  std::vector<FenceOrder> orders;
  if (now < NextLook(policy)) {
    return orders;
  }
  next_look_ = now + LookInterval(policy);
  NoteSilent(cluster, policy, now);
  auto running = std::count_if(silences_.begin(), silences_.end(),
                               [](const auto& entry) { return entry.second.is_being_fenced; });
  for (auto& [id, silence] : silences_) {
    if (running < kAtOnce && !silence.is_being_fenced && silence.looks >= kLooksLeast &&
        now >= silence.since + policy.fence_after && now >= silence.not_before) {
      silence.is_being_fenced = true;
      ++running;
      orders.push_back({id, cluster.GetNode(id).name, silence.since});
    }
  }
  return orders;
}

void Fencing::Ended(NodeId node, bool has_succeeded, absl::Time now) {
  const auto found = silences_.find(node);
  if (found == silences_.end()) {
    return;
  }
  if (has_succeeded) {
    silences_.erase(found);
    return;
  }
  Silence& silence = found->second;
  silence.is_being_fenced = false;
  silence.not_before = now + RetryDelay(++silence.failures);
}

absl::Time Fencing::NextLook(const Policy& policy) const {
  return policy.fence_after == absl::InfiniteDuration() ? absl::InfiniteFuture() : next_look_;
}

}  // namespace berth
