#include "sim/device_pool.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "common/check.h"

namespace berth::sim {
namespace {

constexpr int kBits = 64;
constexpr int64_t kIndexedSizeMax = 64;

}  // namespace

DevicePool::DevicePool(std::vector<int64_t> node_sizes)
    : sizes_(std::move(node_sizes)), free_(sizes_.size()), by_size_(sizes_.size()) {
  std::iota(by_size_.begin(), by_size_.end(), 0);
  std::stable_sort(by_size_.begin(), by_size_.end(),
                   [this](int a, int b) { return sizes_[a] > sizes_[b]; });
  const int64_t largest = sizes_[by_size_.front()];
  if (sizes_.size() > 1 && largest <= kIndexedSizeMax) {
    by_free_.assign(static_cast<size_t>(largest) + 1,
                    std::vector<uint64_t>((sizes_.size() + kBits - 1) / kBits));
  }
  for (int node = 0; node < static_cast<int>(sizes_.size()); ++node) {
    capacity_ += sizes_[node];
    SetFree(node, sizes_[node]);
  }
}

void DevicePool::SetFree(int node, int64_t free) {
  if (!by_free_.empty()) {
    const uint64_t bit = uint64_t{1} << (node % kBits);
    by_free_[free_[node]][node / kBits] &= ~bit;
    by_free_[free][node / kBits] |= bit;
  }
  idle_sum_ += free == sizes_[node] ? free : 0;
  idle_sum_ -= free_[node] == sizes_[node] ? free_[node] : 0;
  free_sum_ += free - free_[node];
  free_[node] = free;
}

int DevicePool::TightestNode(int64_t devices) const {
  if (by_free_.empty()) {
    return TightestNodeBut(devices, {});
  }
  for (size_t free = static_cast<size_t>(devices); free < by_free_.size(); ++free) {
    for (size_t word = 0; word < by_free_[free].size(); ++word) {
      if (by_free_[free][word] != 0) {
        return static_cast<int>(word) * kBits + std::countr_zero(by_free_[free][word]);
      }
    }
  }
  return -1;
}

int DevicePool::TightestNodeBut(int64_t devices, const Grant& taken) const {
  int best = -1;
  for (int node = 0; node < static_cast<int>(free_.size()); ++node) {
    if (free_[node] < devices || (best >= 0 && free_[node] >= free_[best])) {
      continue;
    }
    const bool free = std::none_of(taken.begin(), taken.end(),
                                   [node](const auto& entry) { return entry.first == node; });
    best = free ? node : best;
  }
  return best;
}

std::optional<Grant> DevicePool::Find(int64_t devices) const {
  if (devices == 0) {
    return Grant();
  }
  if (devices > free_sum_) {
    return std::nullopt;
  }
  if (devices > sizes_[by_size_.front()]) {
    return FindWholeNodes(devices);
  }
  const int node = TightestNode(devices);
  if (node < 0) {
    return std::nullopt;
  }
  return Grant{
      {node, devices}
  };
}

std::optional<Grant> DevicePool::FindWholeNodes(int64_t devices) const {
  const int64_t largest = sizes_[by_size_.front()];
  if (devices > idle_sum_ + largest) {
    return std::nullopt;
  }
  Grant grant;
  int64_t left = devices;
  for (const int node : by_size_) {
    if (sizes_[node] > 0 && sizes_[node] <= left && free_[node] == sizes_[node]) {
      grant.emplace_back(node, sizes_[node]);
      left -= sizes_[node];
    }
  }
  if (left > 0) {
    const int node = left <= largest ? TightestNodeBut(left, grant) : -1;
    if (node < 0) {
      return std::nullopt;
    }
    grant.emplace_back(node, left);
  }
  return grant;
}

bool DevicePool::CouldHold(int64_t devices) const {
  const bool idle = free_sum_ == capacity_;
  return (idle ? Find(devices) : DevicePool(sizes_).Find(devices)).has_value();
}

void DevicePool::Take(const Grant& grant) {
  for (const auto& [node, devices] : grant) {
    BERTH_CHECK(free_[node] >= devices);
    SetFree(node, free_[node] - devices);
  }
}

void DevicePool::Give(const Grant& grant) {
  for (const auto& [node, devices] : grant) {
    BERTH_CHECK(free_[node] + devices <= sizes_[node]);
    SetFree(node, free_[node] + devices);
  }
}

void DevicePool::Intersect(const DevicePool& other) {
  for (int node = 0; node < static_cast<int>(free_.size()); ++node) {
    if (other.free_[node] < free_[node]) {
      SetFree(node, other.free_[node]);
    }
  }
}

}  // namespace berth::sim
