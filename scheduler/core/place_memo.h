#ifndef BERTH_SCHEDULER_CORE_PLACE_MEMO_H_
#define BERTH_SCHEDULER_CORE_PLACE_MEMO_H_

// What one planning round has found out for each shape: many groups ask for the same places, and
// nothing changes for them until the round gives something away. Owned by the round.

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "scheduler/core/placement.h"

namespace berth {

class PlaceMemo {
 public:
  struct Finding {
    std::optional<std::vector<Placement>> members;
    Blocker why;                 // there are none
    bool delays_anchor = false;  // if it ends after the anchor's start
  };

  // What view.Place(request) finds; `shape` is that of the request's group. Valid until the next
  // call.
  Finding& Find(const FreeView& view, const PlaceRequest& request, ShapeId shape);
  // The view has changed.
  void Invalidate() {
    ++version_;
    delaying_.clear();
  }

  // A swap inside a tenant that other places than those of the anchor are not enough for. Until the
  // view changes, one that asks for the same finds the same places.
  struct Swap {
    TenantId tenant;
    int priority = 0;
    ShapeId shape;
    ClassId device_class;
    Funding funding = Funding::kNone;
    int64_t to_free = 0;
    ProjectId from_project;

    friend auto operator<=>(const Swap&, const Swap&) = default;
  };
  // When the devices for such a swap, which would have delayed the anchor, would all be back;
  // nothing if none is known.
  std::optional<absl::Time> DelayingSwap(const Swap& swap) const;
  void NoteDelayingSwap(const FreeView& view, const PlaceRequest& request, const Swap& swap,
                        absl::Time due);

  // Whether an anchor of this shape was looked for in vain: not even all ends would do.
  bool IsHopeless(const PlaceRequest& request, ShapeId shape) const;
  void NoteHopeless(const FreeView& view, const PlaceRequest& request, ShapeId shape);

 private:
  using Key = std::tuple<ShapeId, ClassId, int>;  // nodes at most
  struct Entry {
    int64_t version = -1;
    Finding finding;
    bool hopeless = false;
  };

  // Whether all tenants get the same answer, for any length of time.
  static bool IsCommon(const FreeView& view, const PlaceRequest& request);
  static Key KeyOf(const PlaceRequest& request, ShapeId shape) {
    return {shape, request.device_class, request.nodes};
  }

  absl::flat_hash_map<Key, Entry> entries_;
  std::map<Swap, absl::Time> delaying_;
  Finding own_;  // of the last request that is not common
  int64_t version_ = 0;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_PLACE_MEMO_H_
