#ifndef BERTH_SCHEDULER_CORE_ENDING_STREAM_H_
#define BERTH_SCHEDULER_CORE_ENDING_STREAM_H_

// What becomes free of a class, and when: by the time limits of what runs, of the starts of this
// round and of claims, and by what an owned claim asks back.

#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/placement.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/policy.h"
#include "scheduler/core/quota_view.h"

namespace berth {

// A start of this round, which no job shows yet.
struct RoundStart {
  JobId job;
  GangShape gang;
  ClassId device_class;
  Funding funding = Funding::kNone;
  std::vector<Placement> members;
  absl::Time end;  // by its time limit
};

// What a guard is made from. Refers to its parts: for a call only.
struct Outlook {
  const Cluster& cluster;
  const Policy& policy;
  const QuotaView& quota;                 // outlives the guard
  const std::vector<RoundStart>& starts;  // of the round so far
  const std::vector<Recall>& recalls;
  // The anchor is an owned claim: what others borrow it gets back after their notice.
  bool recalls_borrowed = false;
};

// What becomes free at one moment: by jobs that run, by starts of this round, or by claims that
// have their devices coming.
struct Ending {
  absl::Time time;
  absl::InlinedVector<JobId, 2> jobs;
  std::vector<const RoundStart*> starts;
  std::vector<const Start*> claims;

  bool is_plain() const { return starts.empty() && claims.empty(); }
};

// Whom an anchored claim of the class may ask before they end. They live as long as the cluster
// does not change.
std::vector<const Job*> ListLent(const Outlook& outlook, ClassId device_class);
absl::Duration NoticeOf(const Outlook& outlook, const Job& job);
// When it has run for as long as nobody may ask for it.
absl::Time AllowedAt(const Outlook& outlook, const Job& job);

// The endings of one class, each with all that ends at its time, the earliest first. What is lent
// is asked for at `ask_at`. Most guards need a few of them only, so they are found as they are
// asked for. The outlook must outlive it.
class EndingStream {
 public:
  EndingStream(const Outlook& outlook, const PlaceRequest& request,
               const std::vector<const Job*>& lent, absl::Time ask_at);

  // The next one; nothing after the last.
  std::optional<Ending> Take();

 private:
  // A start or a claim, or neither: the end of a booking.
  struct Other {
    absl::Time time;
    const RoundStart* start = nullptr;
    const Start* claim = nullptr;
  };

  bool IsAsked(const Job& job) const;
  void SkipLent();
  // What is lent comes back when it is asked for, if it does not end before.
  void AddLent(const std::vector<const Job*>& lent);
  // Starts and claims. The end of a booking opens nodes without freeing anything.
  void AddOthers(const PlaceRequest& request);
  void AddClaim(const Start& claim, absl::Time due);

  const Outlook& outlook_;
  const absl::Time now_;
  const absl::Time ask_at_;
  const EndIndex& ends_;
  EndIndex::const_iterator next_end_;
  std::vector<std::pair<absl::Time, JobId>> lent_;  // by time
  size_t next_lent_ = 0;
  std::vector<Other> others_;  // by time
  size_t next_other_ = 0;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_ENDING_STREAM_H_
