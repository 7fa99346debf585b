#ifndef BERTH_SIM_DEVICE_POOL_H_
#define BERTH_SIM_DEVICE_POOL_H_

// Free whole devices per node, for the named policies. A flat pool is one node. A value: copying
// it is looking ahead.

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace berth::sim {

// Devices taken on nodes, by node number.
using Grant = std::vector<std::pair<int, int64_t>>;

class DevicePool {
 public:
  explicit DevicePool(std::vector<int64_t> node_sizes);

  // A job that a single node could hold goes to the fullest node it fits, the first of those. A
  // larger one takes whole idle nodes, the largest first, and for what is then left the fullest
  // node it fits. Nothing when it does not fit now.
  std::optional<Grant> Find(int64_t devices) const;
  // Whether it fits when all is idle.
  bool CouldHold(int64_t devices) const;
  // Requires: the devices are free.
  void Take(const Grant& grant);
  // Requires: they were taken.
  void Give(const Grant& grant);
  // Leaves on every node the smaller of the two free counts. Requires: the same nodes.
  void Intersect(const DevicePool& other);

  const std::vector<int64_t>& sizes() const { return sizes_; }  // by node number
  int64_t free() const { return free_sum_; }
  int64_t capacity() const { return capacity_; }

 private:
  // The fullest node with so many free; -1 for none.
  int TightestNode(int64_t devices) const;
  // The same among the nodes that are not in `taken`.
  int TightestNodeBut(int64_t devices, const Grant& taken) const;
  void SetFree(int node, int64_t free);
  std::optional<Grant> FindWholeNodes(int64_t devices) const;

  std::vector<int64_t> sizes_;
  std::vector<int64_t> free_;
  std::vector<int> by_size_;  // node numbers, the largest first
  // [free][node / 64]: a bit per node. Empty where nodes are too large for it to pay.
  std::vector<std::vector<uint64_t>> by_free_;
  int64_t free_sum_ = 0;
  int64_t idle_sum_ = 0;  // on nodes that are idle as a whole
  int64_t capacity_ = 0;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_DEVICE_POOL_H_
