#include "scheduler/core/pending_queue.h"

#include <algorithm>

namespace berth {
namespace {

void Count(AlikePlaces& alike, const Blocker& blocker, int change) {
  auto& told = alike.told;
  auto count = std::find_if(told.begin(), told.end(),
                            [&](const auto& entry) { return entry.first == blocker; });
  if (count == told.end()) {
    count = told.insert(told.end(), {blocker, 0});
  }
  count->second += change;
  if (count->second == 0) {
    told.erase(count);
  }
}

}  // namespace

int AlikePlaces::Told(const Blocker& blocker) const {
  const auto count = std::find_if(told.begin(), told.end(),
                                  [&](const auto& entry) { return entry.first == blocker; });
  return count == told.end() ? 0 : count->second;
}

TenantQueue::AlikeKey TenantQueue::KeyOf(const QueuePlace& place) {
  const bool must_own = !place.preemptible || !place.may_borrow;
  return {place.shape, place.preemptible, place.may_borrow, must_own ? place.priority : 0};
}

void TenantQueue::Insert(const QueuePlace& place, const Blocker& blocker) {
  places_.insert(place);
  mixed_ += place.plain ? 0 : 1;
  by_age_.insert(AgeOf(place));
  submissions_.insert(place.submitted_at);
  AlikePlaces& alike = alike_[KeyOf(place)];
  alike.places.insert(std::lower_bound(alike.places.begin(), alike.places.end(), place), place);
  Count(alike, blocker, 1);
}

void TenantQueue::Erase(const QueuePlace& place, const Blocker& blocker) {
  places_.erase(place);
  mixed_ -= place.plain ? 0 : 1;
  by_age_.erase(AgeOf(place));
  submissions_.erase(submissions_.find(place.submitted_at));
  const auto found = alike_.find(KeyOf(place));
  AlikePlaces& alike = found->second;
  alike.places.erase(std::lower_bound(alike.places.begin(), alike.places.end(), place));
  Count(alike, blocker, -1);
  if (alike.places.empty()) {
    alike_.erase(found);
  }
}

void TenantQueue::ChangeBlocker(const QueuePlace& place, const Blocker& before,
                                const Blocker& now) {
  AlikePlaces& alike = alike_.at(KeyOf(place));
  Count(alike, before, -1);
  Count(alike, now, 1);
}

}  // namespace berth
