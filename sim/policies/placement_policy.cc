#include "sim/policies/placement_policy.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"

namespace berth::sim {
namespace {

constexpr int64_t kScoreMax = 100;
// Of the largest node of the paper's cluster.
constexpr int64_t kNodeCpuMilli = 128000;
constexpr int64_t kNodeDeviceMilli = 8000;

int DeviceFor(const NodeState& node, const PodShape& pod) {
  return pod.IsShare() ? node.TightestDevice(pod) : -1;
}

class BestFit : public PlacementPolicy {
 public:
  // int(100 (1 - .5 cpu_left / 128000 - .5 device_left / 8000)), in exact arithmetic.
  NodeScore Score(const NodeState& node, const PodShape& pod) override {
    constexpr int64_t kCpuPerDevice = kNodeCpuMilli / kNodeDeviceMilli;
    const int64_t cpu_left = node.cpu_free_milli - pod.cpu_milli;
    const int64_t device_left = node.DeviceFreeSum() - pod.device_milli_sum();
    const int64_t score = kScoreMax * (2 * kNodeCpuMilli - cpu_left - kCpuPerDevice * device_left) /
                          (2 * kNodeCpuMilli);
    return {score, DeviceFor(node, pod)};
  }
};

class DotProduct : public PlacementPolicy {
 public:
  // int(100 (1 - free . request / 2)), each dimension in units of the largest node's.
  NodeScore Score(const NodeState& node, const PodShape& pod) override {
    constexpr int64_t kCpuSquare = kNodeCpuMilli * kNodeCpuMilli;
    constexpr int64_t kDeviceSquare = kNodeDeviceMilli * kNodeDeviceMilli;
    static_assert(kCpuSquare % kDeviceSquare == 0);
    const int64_t product = node.cpu_free_milli * pod.cpu_milli + kCpuSquare / kDeviceSquare *
                                                                      node.DeviceFreeSum() *
                                                                      pod.device_milli_sum();
    return {kScoreMax * (2 * kCpuSquare - product) / (2 * kCpuSquare), DeviceFor(node, pod)};
  }
};

// First devices in use, then idle devices of nodes in use, then idle nodes.
class GpuPacking : public PlacementPolicy {
 public:
  NodeScore Score(const NodeState& node, const PodShape& pod) override {
    if (pod.devices == 0) {
      return {};
    }
    const int64_t idle = node.WholeDevicesFree();
    if (idle == static_cast<int64_t>(node.device_free_milli.size())) {
      return {std::max(kScoreMax / 3 - idle, idle), DeviceFor(node, pod)};
    }
    const int device = DeviceFor(node, pod);
    const int64_t opened = device < 0                                       ? pod.devices
                           : node.device_free_milli[device] == kDeviceMilli ? 1
                                                                            : 0;
    if (opened > 0) {
      return {std::max(kScoreMax / 2 - opened, kScoreMax / 3), device};
    }
    const int64_t free_percent = int64_t{node.device_free_milli[device]} * 100 / kDeviceMilli;
    return {std::max(kScoreMax - free_percent / 10, kScoreMax / 2), device};
  }
};

// Pods that ask alike together: first nodes with such pods only, then nodes with such pods among
// others, then idle nodes, then the rest; within each the fullest.
class GpuClustering : public PlacementPolicy {
 public:
  NodeScore Score(const NodeState& node, const PodShape& pod) override {
    if (pod.devices == 0) {
      return {};
    }
    constexpr int64_t kQuarter = kScoreMax / 4;
    const bool alike = node.pods.count(AffinityOf(pod)) > 0;
    const int64_t tier = alike ? (node.pods.size() == 1 ? 3 : 2) : (node.pods.empty() ? 1 : 0);
    const int64_t fullness =
        kQuarter * (kNodeDeviceMilli - node.DeviceFreeSum()) / kNodeDeviceMilli;
    return {tier * kQuarter + fullness, DeviceFor(node, pod)};
  }
};

class Fgd : public PlacementPolicy {
 public:
  explicit Fgd(Fragmentation& fragmentation) : fragmentation_(fragmentation) {}

  NodeScore Score(const NodeState& node, const PodShape& pod) override {
    const double before = fragmentation_.Of(node);
    if (!pod.IsShare()) {
      return {Descent(before, node, pod, -1), -1};
    }
    NodeScore best;
    for (int device = 0; device < static_cast<int>(node.device_free_milli.size()); ++device) {
      if (node.device_free_milli[device] < pod.device_milli) {
        continue;
      }
      const int64_t score = Descent(before, node, pod, device);
      if (best.device < 0 || score > best.score) {
        best = {score, device};
      }
    }
    return best;
  }

 private:
  // int(100 sigmoid(what fragmentation loses, in devices)).
  int64_t Descent(double before, const NodeState& node, const PodShape& pod, int device) {
    NodeState after = node;
    after.Place(pod, device);
    const double descent = (before - fragmentation_.Of(after)) / kDeviceMilli;
    return static_cast<int64_t>(kScoreMax / (1 + std::exp(-descent)));
  }

  Fragmentation& fragmentation_;
};

class Random : public PlacementPolicy {
 public:
  NodeScore Score(const NodeState& node, const PodShape& pod) override {
    return {0, DeviceFor(node, pod)};
  }
};

template <typename Policy>
std::unique_ptr<PlacementPolicy> Make(Fragmentation& /*fragmentation*/) {
  return std::make_unique<Policy>();
}

std::unique_ptr<PlacementPolicy> MakeFgd(Fragmentation& fragmentation) {
  return std::make_unique<Fgd>(fragmentation);
}

}  // namespace

const std::vector<PlacementPolicyEntry>& PlacementPolicies() {
  static const auto* const kPolicies = new std::vector<PlacementPolicyEntry>{
      {"fgd",            "where fragmentation grows least",                Ties::kFirstNode,  MakeFgd         },
      {"best-fit",       "where least is left",                            Ties::kFirstNode,  Make<BestFit>   },
      {"dot-product",    "where free x asked is smallest",                 Ties::kFirstNode,  Make<DotProduct>},
      {"gpu-packing",    "devices in use, then nodes in use, then others", Ties::kFirstNode,
       Make<GpuPacking>                                                                                       },
      {"gpu-clustering", "nodes with pods that ask alike first",           Ties::kFirstNode,
       Make<GpuClustering>                                                                                    },
      {"random",         "any node that fits; --seed decides",             Ties::kRandomNode, Make<Random>    },
  };
  return *kPolicies;
}

absl::StatusOr<PlacementPolicyEntry> FindPlacementPolicy(absl::string_view name) {
  std::string known;
  for (const PlacementPolicyEntry& policy : PlacementPolicies()) {
    if (policy.name == name) {
      return policy;
    }
    absl::StrAppend(&known, known.empty() ? "" : ", ", policy.name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("policy \"", name, "\" is not known to saturate; there are berth, ", known));
}

}  // namespace berth::sim
