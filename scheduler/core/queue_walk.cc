#include "scheduler/core/queue_walk.h"

#include <algorithm>
#include <functional>

namespace berth {

QueueWalk::QueueWalk(QueueWalks& walks) : walks_(&walks), begin_(walks.line_.size()) {}

const QueueWalk::Run& QueueWalk::Head() const {
  return walks_->runs_[walks_->line_[begin_].run];
}

void QueueWalk::Note(const Refusal& refusal) {
  walks_->runs_[walks_->line_[begin_].run].refusal = refusal;
}

void QueueWalk::PassTo(const QueuePlace* place) {
  const auto begin = walks_->line_.begin() + static_cast<ptrdiff_t>(begin_);
  const auto end = begin + static_cast<ptrdiff_t>(size_);
  std::pop_heap(begin, end, std::greater<>());
  First& first = *(end - 1);
  Run& run = walks_->runs_[first.run];
  run.at = place;
  if (run.at == run.end) {
    --size_;
    return;
  }
  first.priority = place->priority;
  first.oldest = place->oldest;
  std::push_heap(begin, end, std::greater<>());
}

QueueWalk QueueWalks::Begin(const TenantQueue& queue, bool alike,
                            absl::FunctionRef<bool(const QueuePlace&)> skips) {
  QueueWalk walk(*this);
  if (!alike) {
    const auto& places = copies_.emplace_back(queue.places().begin(), queue.places().end());
    Add(walk, {places.data(), places.data() + places.size()});
    return walk;
  }
  for (const auto& [key, of] : queue.alike()) {
    if (!skips(of.places.front())) {
      Add(walk, {of.places.data(), of.places.data() + of.places.size(), &of});
    }
  }
  std::make_heap(line_.begin() + static_cast<ptrdiff_t>(walk.begin_), line_.end(),
                 std::greater<>());
  return walk;
}

void QueueWalks::Add(QueueWalk& walk, const QueueWalk::Run& run) {
  if (run.at != run.end) {
    line_.push_back({run.at->priority, run.at->oldest, runs_.size()});
    runs_.push_back(run);
    ++walk.size_;
  }
}

void QueueWalks::Clear() {
  runs_.clear();
  line_.clear();
  copies_.clear();
}

}  // namespace berth
