#ifndef BERTH_SCHEDULER_CORE_REFUSAL_MEMO_H_
#define BERTH_SCHEDULER_CORE_REFUSAL_MEMO_H_

// What one tenant's groups were told that ask for the same places, but for when they end: within
// one phase, and while nothing starts, those behind them are told the same. Owned by the round.

#include <optional>

#include "absl/container/flat_hash_map.h"

#include "scheduler/core/group_states.h"

namespace berth {

class RefusalMemo {
 public:
  struct Refusal {
    Blocker blocker;
    bool hopeless = false;  // as GroupState's
    // The priority for which nobody of the tenant could make room, the last that was tried.
    std::optional<int> searched;
  };

  // For the next tenant, or after a start. `lowest`: priority of those of the tenant that may make
  // room.
  void Begin(std::optional<int> lowest) {
    refusals_.clear();
    lowest_ = lowest;
  }
  // What the group at this place is told, if that is known: nobody makes room for the next of the
  // same priority either.
  const Refusal* Find(const QueuePlace& place) const {
    if (!place.plain || place.must_own) {
      return nullptr;
    }
    const auto found = refusals_.find(place.shape);
    if (found == refusals_.end()) {
      return nullptr;
    }
    const bool may_find_room = lowest_.value_or(place.priority) < place.priority &&
                               found->second.searched != place.priority;
    return may_find_room ? nullptr : &found->second;
  }
  // `searched`: for somebody who could make room, and whenever it ends there is nobody.
  void Note(const GroupState& state, bool searched) {
    // Whether it delays the anchor depends on when it ends.
    if (state.group->key.must_own() || state.blocker.code == ReasonCode::kBehindAnchor) {
      return;
    }
    Refusal& refusal =
        refusals_.try_emplace(state.group->shape, Refusal{state.blocker, state.hopeless, {}})
            .first->second;
    if (searched) {
      refusal.searched = state.group->key.priority;
    }
  }

 private:
  absl::flat_hash_map<ShapeId, Refusal> refusals_;
  std::optional<int> lowest_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_REFUSAL_MEMO_H_
