#ifndef BERTH_SCHEDULER_CORE_QUEUE_WALK_H_
#define BERTH_SCHEDULER_CORE_QUEUE_WALK_H_

// The way of a round through one tenant's queue, in its order, in one phase. What was refused once
// need not be tried again for those that ask for the same: within a phase room only becomes less.
// Owned by the round; the cluster must not change meanwhile.

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"

#include "scheduler/core/pending_queue.h"

namespace berth {

// What the walks of one phase and class have in common: memory that they share, because there are
// many, most of them short.
class QueueWalks;

class QueueWalk {
 public:
  // What some of those alike were told. Its next ones are told the same, unless somebody could make
  // room for one of them.
  struct Refusal {
    Blocker blocker;
    // For none of them, whatever its priority, does anybody make room.
    bool searched = false;
  };

  // The place that is next; nullptr: that was the last.
  const QueuePlace* next() const { return size_ == 0 ? nullptr : Head().at; }
  // Those alike to it, it among them; nullptr where they are not known.
  const AlikePlaces* alike() const { return Head().alike; }
  // What one before it was told that is alike to it.
  const std::optional<Refusal>& refusal() const { return Head().refusal; }

  // All of these require a next place. Past it:
  void Pass() { PassTo(next() + 1); }
  // Past it, and those alike before `place`.
  void PassTo(const QueuePlace* place);
  // Past all that are alike to it; past it only where they are not known.
  void PassAlike() { PassTo(alike() != nullptr ? Head().end : next() + 1); }
  // It was refused, which holds for those alike to it.
  void Note(const Refusal& refusal);
  void Finish() { size_ = 0; }

 private:
  friend class QueueWalks;
  // What is left of those alike.
  struct Run {
    const QueuePlace* at = nullptr;
    const QueuePlace* end = nullptr;
    const AlikePlaces* alike = nullptr;
    std::optional<Refusal> refusal;
  };
  // The first of a run, in the order of the queue.
  struct First {
    int priority = 0;
    JobId oldest;
    size_t run = 0;
    friend bool operator>(const First& a, const First& b) {
      return a.priority != b.priority ? a.priority < b.priority : a.oldest > b.oldest;
    }
  };

  explicit QueueWalk(QueueWalks& walks);
  const Run& Head() const;

  QueueWalks* walks_;
  size_t begin_;  // of its part of the line: a heap, the next one on top
  size_t size_ = 0;
};

class QueueWalks {
 public:
  // `alike`: whether places that ask for the same may be refused together; then those are left out
  // of which `skips` is true. The walk lives as long as this, and the queue longer.
  QueueWalk Begin(const TenantQueue& queue, bool alike,
                  absl::FunctionRef<bool(const QueuePlace&)> skips);
  void Clear();

 private:
  friend class QueueWalk;
  void Add(QueueWalk& walk, const QueueWalk::Run& run);

  std::vector<QueueWalk::Run> runs_;
  std::vector<QueueWalk::First> line_;
  std::deque<std::vector<QueuePlace>> copies_;  // of queues in which nothing is known to be alike
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_QUEUE_WALK_H_
