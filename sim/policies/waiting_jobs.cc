#include "sim/policies/waiting_jobs.h"

#include <algorithm>

namespace berth::sim {

WaitingJobs::WaitingJobs(int ranks) {
  while (leaves_ < ranks) {
    leaves_ *= 2;
  }
  tree_.assign(static_cast<size_t>(leaves_) * 2, {INT64_MAX, INT64_MAX});
}

void WaitingJobs::Set(int rank, Minima minima) {
  int at = leaves_ + rank;
  tree_[at] = minima;
  for (at /= 2; at >= 1; at /= 2) {
    const Minima& left = tree_[2 * at];
    const Minima& right = tree_[2 * at + 1];
    tree_[at] = {std::min(left.devices, right.devices),
                 std::min(left.estimate_us, right.estimate_us)};
  }
}

void WaitingJobs::Add(int rank, int64_t devices, int64_t estimate_us) {
  Set(rank, {devices, estimate_us});
}

void WaitingJobs::Remove(int rank) {
  Set(rank, {INT64_MAX, INT64_MAX});
}

bool WaitingJobs::MayMeet(const Minima& minima, const Need& need) {
  return minima.devices <= need.devices_max &&
         (minima.estimate_us <= need.estimate_us_max || minima.devices <= need.spare);
}

bool WaitingJobs::Meets(int rank, const Need& need) const {
  return MayMeet(tree_[leaves_ + rank], need);
}

int WaitingJobs::Next(int from, const Need& need) const {
  if (from >= leaves_) {
    return -1;
  }
  int at = leaves_ + from;
  while (true) {
    if (MayMeet(tree_[at], need)) {
      if (at >= leaves_) {
        return at - leaves_;
      }
      at *= 2;  // down to the left
      continue;
    }
    while (at % 2 == 1) {  // a right child: all of its parent is behind us
      at /= 2;
    }
    if (at == 0) {
      return -1;
    }
    ++at;
  }
}

}  // namespace berth::sim
