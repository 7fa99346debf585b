#ifndef BERTH_SCHEDULER_CORE_BACKFILL_H_
#define BERTH_SCHEDULER_CORE_BACKFILL_H_

// EASY backfilling: the one job of a class that nothing may delay, when it starts at the latest by
// the time limits of what runs, and whether another start leaves it that (D. Lifka, "The ANL/IBM SP
// scheduling system", JSSPP 1995).

#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "scheduler/core/ending_stream.h"
#include "scheduler/core/placement.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/quota_view.h"

namespace berth {

class Guard {
 public:
  // Nothing if the job could not start even when everything that runs has ended. `view`: what is
  // free in the round so far. `request.gang` must outlive the guard.
  static std::optional<Guard> Make(const Outlook& outlook, const FreeView& view, JobId job,
                                   const PlaceRequest& request);

  const Anchor& anchor() const { return anchor_; }
  const PlaceRequest& request() const { return request_; }
  bool recalls_borrowed() const { return anchor_.recalls_borrowed; }
  // Lends what the anchor needs to a borrower that may be asked for it from then on, if that is in
  // time. False: it is not, or the anchor asks nobody.
  bool TryLend(absl::Time allowed, absl::Duration notice);
  // When all that is lent must be asked for.
  absl::Time ask_at() const { return anchor_.shadow - longest_notice_; }
  // What a start leaves the anchor: all it needs, or too few places, or less than its tenant may
  // have beside what others keep (A4).
  enum class Leaves { kEnough, kTooFewPlaces, kTooLittleQuota };
  // Holds these places until `end` if that leaves enough.
  Leaves TryTake(const PlaceRequest& request, const std::vector<Placement>& members,
                 absl::Time end);
  // Notes what was taken by a borrower that may be asked for it from `allowed` on.
  void NoteBorrowed(absl::Time allowed, absl::Duration notice) {
    may_ask_taken_ |= recalls_borrowed() && allowed + notice <= anchor_.shadow;
  }
  void NoteRefusal() { has_refused_ = true; }
  // Whether the next round's anchor may let pass what was refused: it asks for what was taken.
  bool MayRefuseLess() const { return has_refused_ && may_ask_taken_; }

 private:
  Guard(Anchor anchor, const PlaceRequest& request, FreeView at_shadow, const Outlook& outlook)
      : anchor_(std::move(anchor)),
        request_(request),
        at_shadow_(std::move(at_shadow)),
        quota_(outlook.quota) {}

  Anchor anchor_;
  PlaceRequest request_;
  FreeView at_shadow_;  // what is free when the anchor starts, before it does
  const QuotaView& quota_;
  Returns returns_;  // until then; empty where nobody keeps anything
  // Of all that is lent, as R3 says who is asked. They are asked together, and not before the last
  // of them may be.
  absl::Duration longest_notice_;
  absl::Time last_allowed_ = absl::InfinitePast();
  bool may_ask_taken_ = false;
  bool has_refused_ = false;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_BACKFILL_H_
