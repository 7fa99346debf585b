#ifndef BERTH_SCHEDULER_CORE_ROUND_BOOKS_H_
#define BERTH_SCHEDULER_CORE_ROUND_BOOKS_H_

// What one planning round has given away so far, and every view of the cluster that must know of it
// at once: what is free, what tenants use, what could be reclaimed, and what an anchor needs. Lives
// as long as the round; the cluster must not change meanwhile.

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

#include "scheduler/core/backfill.h"
#include "scheduler/core/cluster.h"
#include "scheduler/core/place_memo.h"
#include "scheduler/core/placement.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/policy.h"
#include "scheduler/core/quota_view.h"
#include "scheduler/core/reclaim.h"
#include "scheduler/core/round_scope.h"

namespace berth {

// One try to start a job in one class.
struct Trial {
  const PendingGroup& group;
  JobId job;
  ClassId device_class;
  Phase phase = Phase::kOwned;
};

class RoundBooks {
 public:
  RoundBooks(const Cluster& cluster, const Policy& policy, absl::Time now);

  // Claims whose devices are all there start, those that cannot start any more lapse, the others
  // keep theirs (quota.md, A6).
  void SettleNominations();
  // Starts the job, or says why not.
  std::optional<Blocker> TryStart(const Trial& trial);
  // Makes others give back what an owned claim needs, or a higher priority inside a tenant.
  bool TryRecall(const Trial& trial, ReclaimScope scope);
  // Makes the job the one of its class that nothing may delay, or has what is lent recalled for it
  // when that is due. kNone: the class has one already, or the job could not start even if
  // everything ended.
  enum class Anchored { kNone, kAnchor, kRecall };
  Anchored TryAnchor(const Trial& trial);
  bool HasAnchor(ClassId device_class) const {
    return guards_.contains(device_class) || kept_.contains(device_class);
  }
  // The turn has come of the anchor that the scope has kept: nothing may delay it any more.
  void KeepAnchor(ClassId device_class) { kept_.insert(device_class); }
  const RoundScope& scope() const { return scope_; }
  // How many recalls were found in this round, decided or not.
  int64_t recalls_found() const { return recalls_found_; }
  // How many were not looked for again, because the anchor forbids what would be found.
  int64_t recalls_forbidden() const { return recalls_forbidden_; }

  // Has its devices coming: not to be considered.
  bool IsNominated(JobId job) const {
    return nominated_.contains(job) || (waiting_ != nullptr && waiting_->waiting().contains(job));
  }
  bool IsFull() const {
    return static_cast<int>(plan_.starts.size()) >= policy_.starts_per_round_max;
  }
  const QuotaView& quota() const { return quota_; }
  // Time alone may change the plan then.
  void LookAgainAt(absl::Time time);
  // What was decided may change the next round.
  void PlanAgain() { plan_.again = true; }
  Plan TakePlan();

 private:
  PlaceRequest MakeRequest(const GroupKey& key, ClassId device_class, const Grant& grant) const;
  // What a claim may have, and what its own tenant must give back for it.
  struct Swap {
    Grant grant;
    int64_t to_free = 0;
    ProjectId from_project;
  };
  std::optional<Swap> SwapFor(const Trial& trial, ReclaimScope scope) const;
  std::optional<Swap> SwapWithin(const Trial& trial) const;
  // Whether the claim gives up, waits for its devices, or may start on them.
  enum class Standing { kLapses, kWaits, kSettles };
  Standing StandingOf(const Start& claim) const;
  // Whether the claim's devices are not given out, and the processors and the memory that it asks
  // for are free beside them.
  bool HasPlaces(const Start& claim) const;
  void SettleNomination(const Start& claim);
  // Devices that the claim's own tenant, of those that were asked, still holds.
  int64_t Returning(TenantId tenant, absl::Span<const ReclaimCandidate> asked) const;
  void ChargeClaim(const GroupKey& key, const Start& claim,
                   absl::Span<const ReclaimCandidate> asked);
  // Whether a claim lapses in this round: what it kept is free from the next one on, which comes at
  // once, and until then nobody is asked for what it may make needless.
  bool IsSettling(ClassId device_class) const;
  void Accept(const Trial& trial, const PlaceRequest& request, Recall recall);
  // An anchored claim asks for what is lent just in time for its start.
  bool RecallInTime(const Trial& trial, const PlaceRequest& request, absl::Time shadow);
  // Whether the anchor's tenant could own it beside this start of its own.
  bool LeavesQuota(const Guard& guard, const PlaceRequest& request, int64_t devices) const;
  // That, or it is over before the anchor starts.
  bool LeavesQuotaThen(const Guard& guard, const PlaceRequest& request, int64_t devices);
  // Whether such a swap is known to hold places that the anchor needs when it starts.
  bool DelaysAnchor(const Trial& trial, const PlaceMemo::Swap& swap) const;
  // Whether the anchor keeps its start beside what the recall is for.
  bool LeavesAnchor(const Trial& trial, const PlaceRequest& request, const Recall& recall);
  // Whether an anchor lets the next round decide more: what is recalled in this one comes back
  // before its end only from then on, what has started may be swapped for a higher priority, and
  // who is anchored in one class may have started in another.
  bool MayFindMore() const;
  // Whether a claim that must be owned, and was not admitted, may have the label of one that has
  // started in this round: it takes none before the next.
  bool MayOwnNext(const Trial& trial) const;
  // The label these members would have, and A4.
  std::optional<Blocker> LabelAndLend(const Trial& trial, const std::vector<Placement>& members,
                                      Grant& grant) const;
  // The anchor's veto, or nothing and places that leave it its own: these, or as many others.
  // `delays`: whether the guard is known to say no to a job that ends after its anchor starts; it
  // learns that here.
  std::optional<Blocker> AskGuard(const Trial& trial, const PlaceRequest& request,
                                  std::vector<Placement>& members, bool& delays);
  // These places, or as many others beside the anchor's: what that leaves the anchor.
  Guard::Leaves TakeFrom(Guard& guard, const Trial& trial, PlaceRequest request,
                         std::vector<Placement>& members);
  // A share of a device that is open already takes nothing new of the quota.
  bool StartOnOpenDevice(const Trial& trial);
  // What was found out about free places holds no more.
  void ForgetPlaces();
  // Of a kept anchor it is made when it is asked for; nullptr if the class has none.
  Guard* GuardOf(ClassId device_class);
  std::optional<PlaceRequest> AnchorRequest(const Trial& trial) const;
  std::optional<Guard> MakeGuard(const Trial& trial, const PlaceRequest& request);
  // Charges the quota and takes the places.
  void Record(const GroupKey& key, const PlaceRequest& request, Start start);
  void Take(const GroupKey& key, const PlaceRequest& request, Start start);
  Reclaimer& ReclaimerOf(ClassId device_class);

  const Cluster& cluster_;
  const Policy& policy_;
  const absl::Time now_;
  const RoundScope scope_;
  FreeView free_;
  PlaceMemo memo_;  // of what is free
  QuotaView quota_;
  std::map<ClassId, Reclaimer> reclaimers_;
  std::set<ClassId> kept_;  // classes of the scope's anchors whose turn has come
  std::map<ClassId, Guard> guards_;
  // What is free now beside the places of an anchor, and found there.
  struct Beside {
    FreeView free;
    PlaceMemo memo;
  };
  std::map<ClassId, Beside> beside_;  // as long as nothing is given away
  std::vector<RoundStart> round_starts_;
  const WaitingClaims* waiting_ = nullptr;  // nominated, too, unless they were looked at
  absl::flat_hash_set<JobId> nominated_;
  int64_t recalls_found_ = 0;
  int64_t recalls_forbidden_ = 0;
  Plan plan_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_ROUND_BOOKS_H_
