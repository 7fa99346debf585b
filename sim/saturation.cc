#include "sim/saturation.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace berth::sim {
namespace {

// The pods of the trace itself; those after them repeat some until the demand is large enough.
constexpr size_t kOriginalPods = 8152;
constexpr int kPoints[] = {60, 80, 90, 100, 130};

std::vector<TracePod> Original(const std::vector<TracePod>& stream) {
  const size_t count = std::min(stream.size(), kOriginalPods);
  return {stream.begin(), stream.begin() + static_cast<int64_t>(count)};
}

double Percent(double part, double whole) {
  return whole > 0 ? 100 * part / whole : 0;
}

}  // namespace

Saturation::Saturation(const std::vector<TraceNode>& nodes, const std::vector<TracePod>& stream,
                       const PlacementPolicyEntry& policy, uint64_t seed)
    : stream_(stream),
      ties_(policy.ties),
      random_(seed),
      fragmentation_(TypicalPods(Original(stream))),
      policy_(policy.make(fragmentation_)),
      versions_(nodes.size(), 1) {
  AddNodes(nodes);
}

Saturation::Saturation(const std::vector<TraceNode>& nodes, const std::vector<TracePod>& stream,
                       PodPlacer placer)
    : stream_(stream),
      ties_(Ties::kFirstNode),
      random_(0),
      fragmentation_(TypicalPods(Original(stream))),
      placer_(std::move(placer)) {
  AddNodes(nodes);
}

void Saturation::AddNodes(const std::vector<TraceNode>& nodes) {
  for (const TraceNode& node : nodes) {
    nodes_.push_back(NodeState::Of(node));
    device_capacity_ += nodes_.back().DeviceFreeSum();
    cpu_capacity_ += node.cpu_milli;
  }
}

const Saturation::Known& Saturation::Look(size_t shape, int node) {
  Known& known = known_[shape][node];
  if (known.version != versions_[node]) {
    known.version = versions_[node];
    known.fits = nodes_[node].Fits(shapes_[shape]);
    known.score = known.fits ? policy_->Score(nodes_[node], shapes_[shape]) : NodeScore();
  }
  return known;
}

Saturation::Choice Saturation::Choose(size_t shape) {
  std::vector<int> best;
  int64_t score = 0;
  for (int node = 0; node < static_cast<int>(nodes_.size()); ++node) {
    const Known& known = Look(shape, node);
    if (!known.fits) {
      continue;
    }
    if (best.empty() || known.score.score > score) {
      best.assign(1, node);
      score = known.score.score;
    } else if (known.score.score == score && ties_ == Ties::kRandomNode) {
      best.push_back(node);
    }
  }
  if (best.empty()) {
    return {};
  }
  const int node =
      best.size() == 1 ? best[0] : best[random_.Below(static_cast<int64_t>(best.size()))];
  return {node, known_[shape][node].score.device};
}

bool Saturation::PlaceByPolicy(const PodShape& shape) {
  const auto id = shape_ids_.emplace(shape, shapes_.size());
  if (id.second) {
    shapes_.push_back(shape);
    known_.emplace_back(nodes_.size());
  }
  const Choice choice = Choose(id.first->second);
  if (choice.node < 0) {
    return false;
  }
  nodes_[choice.node].Place(shape, choice.device);
  ++versions_[choice.node];
  return true;
}

bool Saturation::Place(const PodShape& shape) {
  if (policy_ != nullptr) {
    return PlaceByPolicy(shape);
  }
  const PodPlace place = placer_(shape);
  if (place.node < 0) {
    return false;
  }
  BERTH_CHECK(nodes_[place.node].Fits(shape));
  nodes_[place.node].PlaceOn(shape, place.devices);
  return true;
}

void Saturation::Measure(int point, SaturationReport& report) {
  double fragmented = 0;
  for (const NodeState& node : nodes_) {
    fragmented += fragmentation_.Of(node);
  }
  const auto capacity = static_cast<double>(device_capacity_);
  const auto used = static_cast<double>(device_used_);
  report.alloc_percent_at[point] = Percent(used, capacity);
  report.frag_percent_at[point] = Percent(fragmented, capacity - used);
}

SaturationReport Saturation::Run() {
  SaturationReport report;
  int64_t arrived = 0;  // milli-devices
  const int* point = std::begin(kPoints);
  for (const TracePod& pod : stream_) {
    arrived += int64_t{pod.devices} * pod.device_milli;
    const PodShape shape = PodShape::Of(pod);
    const bool placed = Place(shape);
    ++(placed ? report.placed : report.failed);
    device_used_ += placed ? shape.device_milli_sum() : 0;
    cpu_used_ += placed ? shape.cpu_milli : 0;
    for (; point != std::end(kPoints) && arrived * 100 >= *point * device_capacity_; ++point) {
      Measure(*point, report);
    }
  }
  // A stream that was made to reach a point ends just before it.
  if (point != std::end(kPoints) && arrived * 200 >= (2 * *point - 1) * device_capacity_) {
    Measure(*point, report);
  }
  report.gpu_alloc_percent =
      Percent(static_cast<double>(device_used_), static_cast<double>(device_capacity_));
  report.cpu_alloc_percent =
      Percent(static_cast<double>(cpu_used_), static_cast<double>(cpu_capacity_));
  return report;
}

}  // namespace berth::sim
