#ifndef BERTH_SCHEDULER_CORE_BACKFILL_H_
#define BERTH_SCHEDULER_CORE_BACKFILL_H_

// EASY backfilling: the one job of a class that nothing may delay, when it starts at the latest by
// the time limits of what runs, and whether another start leaves it that (D. Lifka, "The ANL/IBM SP
// scheduling system", JSSPP 1995).

#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/placement.h"
#include "scheduler/core/plan.h"

namespace berth {

// A start of this round, which no job shows yet.
struct RoundStart {
  GangShape gang;
  ClassId device_class;
  std::vector<Placement> members;
  absl::Time end;  // by its time limit
};

class Guard {
 public:
  // Nothing if the job could not start even when everything that runs has ended. `view`: what is
  // free in the round so far. `request.gang` must outlive the guard.
  static std::optional<Guard> Make(const Cluster& cluster, const FreeView& view, JobId job,
                                   const PlaceRequest& request,
                                   const std::vector<RoundStart>& round_starts);

  const Anchor& anchor() const { return anchor_; }
  const PlaceRequest& request() const { return request_; }
  // Holds these places until `end` if the anchor keeps its start then, and says whether it does.
  bool TryTake(const PlaceRequest& request, const std::vector<Placement>& members, absl::Time end);
  // The same for a start that may pass whatever it does to the anchor.
  void Take(const PlaceRequest& request, const std::vector<Placement>& members, absl::Time end);

 private:
  Guard(Anchor anchor, PlaceRequest request, FreeView at_shadow)
      : anchor_(std::move(anchor)), request_(request), at_shadow_(std::move(at_shadow)) {}

  Anchor anchor_;
  PlaceRequest request_;
  FreeView at_shadow_;  // what is free when the anchor starts, before it does
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_BACKFILL_H_
