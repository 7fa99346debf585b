#include "scheduler/core/fragmentation.h"

#include <algorithm>
#include <utility>

namespace berth {
namespace {

constexpr int64_t kUnit = 1 << 10;             // of a count: what one submission adds
constexpr int64_t kHalvedEvery = 8192;         // submissions
constexpr int64_t kRefreshedEvery = 64;        // submissions
constexpr size_t kShapesMax = 1024;            // different ones that are counted
constexpr size_t kTypicalMax = 128;            // different ones that are usual
constexpr int64_t kTypicalPercent = 95;        // of the submissions
constexpr size_t kCostsMax = size_t{1} << 17;  // that are remembered

// What is idle of one class on a node.
struct Idle {
  ClassId device_class;
  int whole = 0;
  int64_t milli = 0;            // of all, whole ones included
  std::vector<int> remainders;  // of shared devices
};
using IdleList = std::vector<Idle>;

IdleList ListIdle(const NodeSite& site, const NodeLoad& load) {
  IdleList list;
  for (const ClassDevices& devices : site.classes) {
    Idle idle{devices.device_class, CountDevices(devices.usable & ~load.taken()), 0, {}};
    idle.milli = int64_t{kWholeDeviceMilli} * idle.whole;
    for (const SharedDevice& device : load.shared) {
      const DeviceMask bit = DeviceAt(device.position);
      if ((bit & devices.usable) != 0 && (bit & load.nominated) == 0 &&
          device.milli < kWholeDeviceMilli) {
        idle.remainders.push_back(kWholeDeviceMilli - device.milli);
        idle.milli += idle.remainders.back();
      }
    }
    std::sort(idle.remainders.begin(), idle.remainders.end());
    list.push_back(std::move(idle));
  }
  return list;
}

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
  return hash ^ (hash >> 29);
}

uint64_t StateOf(const HostResources& free, const IdleList& list) {
  uint64_t hash = Mix(static_cast<uint64_t>(free.cpu_milli), 1);
  hash = Mix(hash, static_cast<uint64_t>(free.memory_mib));
  for (const Idle& idle : list) {
    hash = Mix(hash, idle.device_class.value());
    hash = Mix(hash, static_cast<uint64_t>(idle.whole));
    for (int remainder : idle.remainders) {
      hash = Mix(hash, static_cast<uint64_t>(remainder));
    }
    hash = Mix(hash, 0);
  }
  return hash;
}

// The idle milli of the class that a member of the shape could not use; -1: it does not fit.
int64_t Useless(const MemberShape& shape, const Idle& idle) {
  if (!shape.classes.empty() &&
      !std::binary_search(shape.classes.begin(), shape.classes.end(), idle.device_class)) {
    return -1;
  }
  if (shape.share_milli == 0) {
    return idle.whole >= shape.devices ? idle.milli - int64_t{kWholeDeviceMilli} * idle.whole : -1;
  }
  int64_t useless = 0;
  bool fits = idle.whole > 0;
  for (int remainder : idle.remainders) {
    fits = fits || remainder >= shape.share_milli;
    useless += remainder < shape.share_milli ? remainder : 0;
  }
  return fits ? useless : -1;
}

}  // namespace

ShapeMix::ShapeMix(const ShapeMix& other)
    : counts_(other.counts_), typical_(other.typical_), added_(other.added_) {}

ShapeMix& ShapeMix::operator=(const ShapeMix& other) {
  counts_ = other.counts_;
  typical_ = other.typical_;
  added_ = other.added_;
  costs_.clear();
  return *this;
}

void ShapeMix::Add(const GangShape& gang) {
  MemberShape shape{gang.per_node, gang.devices_per_node, gang.device_share_milli, gang.classes};
  std::sort(shape.classes.begin(), shape.classes.end());
  if (shape.devices > 0) {
    counts_[std::move(shape)] += kUnit;
  }
  ++added_;
  while (counts_.size() > kShapesMax) {
    Halve();
  }
  if (added_ % kHalvedEvery == 0) {
    Halve();
  }
  if (added_ % kRefreshedEvery == 0 || added_ < kRefreshedEvery) {
    Refresh();
  }
}

void ShapeMix::Halve() {
  for (auto entry = counts_.begin(); entry != counts_.end();) {
    entry->second /= 2;
    entry = entry->second == 0 ? counts_.erase(entry) : std::next(entry);
  }
}

void ShapeMix::Refresh() {
  costs_.clear();
  typical_.clear();
  int64_t total = 0;
  for (const auto& [shape, count] : counts_) {
    typical_.push_back({shape, count});
    total += count;
  }
  std::stable_sort(typical_.begin(), typical_.end(),
                   [](const Typical& a, const Typical& b) { return a.weight > b.weight; });
  int64_t covered = 0;
  size_t used = 0;
  while (used < std::min(typical_.size(), kTypicalMax) && covered * 100 < total * kTypicalPercent) {
    covered += typical_[used++].weight;
  }
  typical_.resize(used);
  for (Typical& entry : typical_) {
    entry.weight = entry.weight * kWeightSum / covered;
  }
}

int64_t ShapeMix::Cost(const NodeSite& site, const NodeLoad& load) const {
  const IdleList list = ListIdle(site, load);
  const uint64_t state = StateOf(load.free, list);
  if (const auto known = costs_.find(state); known != costs_.end()) {
    return known->second;
  }
  int64_t cost = 0;
  for (const Typical& entry : typical_) {
    const bool host = entry.shape.host.Fits(load.free);
    int64_t useless = 0;
    for (const Idle& idle : list) {
      const int64_t here = host ? Useless(entry.shape, idle) : -1;
      useless += here < 0 ? idle.milli : here;
    }
    cost += entry.weight * useless;
  }
  if (costs_.size() >= kCostsMax) {
    costs_.clear();
  }
  costs_[state] = cost;
  return cost;
}

}  // namespace berth
