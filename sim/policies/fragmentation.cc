#include "sim/policies/fragmentation.h"

#include <algorithm>
#include <map>
#include <utility>

namespace berth::sim {
namespace {

constexpr double kCovered = 0.95;

}  // namespace

std::vector<TypicalPod> TypicalPods(const std::vector<TracePod>& pods) {
  std::map<PodShape, size_t> places;
  std::vector<std::pair<PodShape, int64_t>> counts;  // in the order first seen
  for (const TracePod& pod : pods) {
    PodShape shape = PodShape::Of(pod);
    shape.memory_mib = 0;
    const auto place = places.emplace(shape, counts.size());
    if (place.second) {
      counts.emplace_back(std::move(shape), 0);
    }
    ++counts[place.first->second].second;
  }
  std::stable_sort(counts.begin(), counts.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  const double wanted = kCovered * static_cast<double>(pods.size());
  std::vector<TypicalPod> typical;
  double covered = 0;
  for (const auto& [shape, count] : counts) {
    if (covered >= wanted) {
      break;
    }
    typical.push_back({shape, static_cast<double>(count)});
    covered += static_cast<double>(count);
  }
  for (TypicalPod& pod : typical) {
    pod.share /= covered;
  }
  return typical;
}

Fragmentation::Fragmentation(std::vector<TypicalPod> typical) : typical_(std::move(typical)) {
  for (const TypicalPod& pod : typical_) {
    cpu_steps_.push_back(pod.shape.cpu_milli);
  }
  std::sort(cpu_steps_.begin(), cpu_steps_.end());
}

Fragmentation::Key Fragmentation::KeyOf(const NodeState& node) {
  const auto model = models_.emplace(node.model, static_cast<uint16_t>(models_.size())).first;
  Key key(node.device_free_milli.begin(), node.device_free_milli.end());
  std::sort(key.begin(), key.end());
  const auto step = std::upper_bound(cpu_steps_.begin(), cpu_steps_.end(), node.cpu_free_milli);
  key.push_back(static_cast<uint16_t>(step - cpu_steps_.begin()));
  key.push_back(model->second);
  return key;
}

double Fragmentation::Of(const NodeState& node) {
  const auto known = known_.try_emplace(KeyOf(node), 0.0);
  if (known.second) {
    known.first->second = Measure(node);
  }
  return known.first->second;
}

double Fragmentation::Measure(const NodeState& node) const {
  const auto idle = static_cast<double>(node.DeviceFreeSum());
  double sum = 0;
  for (const TypicalPod& pod : typical_) {
    int fitting = 0;
    int64_t too_small = 0;
    for (const int free : node.device_free_milli) {
      if (free >= pod.shape.device_milli) {
        ++fitting;
      } else {
        too_small += free;
      }
    }
    const bool fits = pod.shape.devices > 0 && fitting >= pod.shape.devices &&
                      pod.shape.cpu_milli <= node.cpu_free_milli && pod.shape.Allows(node.model);
    sum += pod.share * (fits ? static_cast<double>(too_small) : idle);
  }
  return sum;
}

}  // namespace berth::sim
