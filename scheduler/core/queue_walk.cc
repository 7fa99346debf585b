#include "scheduler/core/queue_walk.h"

#include <algorithm>
#include <functional>

namespace berth {

QueueWalk::QueueWalk(const TenantQueue& queue, bool alike,
                     absl::FunctionRef<bool(const QueuePlace&)> skips) {
  if (!alike) {
    places_.assign(queue.places().begin(), queue.places().end());
    AddRun({places_.data(), places_.data() + places_.size()});
    return;
  }
  runs_.reserve(queue.alike().size());
  line_.reserve(queue.alike().size());
  for (const auto& [key, of] : queue.alike()) {
    if (!skips(of.places.front())) {
      AddRun({of.places.data(), of.places.data() + of.places.size(), &of});
    }
  }
  std::make_heap(line_.begin(), line_.end(), std::greater<>());
}

void QueueWalk::AddRun(const Run& run) {
  if (run.at != run.end) {
    line_.push_back({run.at->priority, run.at->oldest, runs_.size()});
    runs_.push_back(run);
  }
}

void QueueWalk::PassTo(const QueuePlace* place) {
  std::pop_heap(line_.begin(), line_.end(), std::greater<>());
  First& first = line_.back();
  Run& run = runs_[first.run];
  run.at = place;
  if (run.at == run.end) {
    line_.pop_back();
    return;
  }
  first.priority = place->priority;
  first.oldest = place->oldest;
  std::push_heap(line_.begin(), line_.end(), std::greater<>());
}

}  // namespace berth
