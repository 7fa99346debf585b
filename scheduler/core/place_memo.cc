#include "scheduler/core/place_memo.h"

namespace berth {
namespace {

PlaceMemo::Finding Look(const FreeView& view, const PlaceRequest& request) {
  PlaceMemo::Finding finding;
  finding.members = view.Place(request, finding.why);
  return finding;
}

}  // namespace

bool PlaceMemo::IsCommon(const FreeView& view, const PlaceRequest& request) {
  return request.gang.device_share_milli == 0 && view.cluster().bookings().empty() &&
         !view.MayBreakBlocks(request);
}

PlaceMemo::Finding& PlaceMemo::Find(const FreeView& view, const PlaceRequest& request,
                                    ShapeId shape) {
  if (!IsCommon(view, request)) {
    own_ = Look(view, request);
    return own_;
  }
  Entry& entry = entries_[KeyOf(request, shape)];
  if (entry.version != version_) {
    entry.version = version_;
    entry.finding = Look(view, request);
  }
  return entry.finding;
}

std::optional<absl::Time> PlaceMemo::DelayingSwap(const Swap& swap) const {
  const auto found = delaying_.find(swap);
  return found == delaying_.end() ? std::nullopt : std::optional<absl::Time>(found->second);
}

void PlaceMemo::NoteDelayingSwap(const FreeView& view, const PlaceRequest& request,
                                 const Swap& swap, absl::Time due) {
  if (IsCommon(view, request)) {
    delaying_.emplace(swap, due);
  }
}

bool PlaceMemo::IsHopeless(const PlaceRequest& request, ShapeId shape) const {
  const auto entry = entries_.find(KeyOf(request, shape));
  return entry != entries_.end() && entry->second.hopeless;
}

void PlaceMemo::NoteHopeless(const FreeView& view, const PlaceRequest& request, ShapeId shape) {
  if (IsCommon(view, request)) {
    entries_[KeyOf(request, shape)].hopeless = true;
  }
}

}  // namespace berth
