#ifndef BERTH_SCHEDULER_CORE_RECLAIM_H_
#define BERTH_SCHEDULER_CORE_RECLAIM_H_

// Who gives devices back for a claim (quota.md, R1 to R6): borrowed gangs only, elastic ones shrink
// first, and no proper subset of the chosen would do. A function of its arguments.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/placement.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/policy.h"

namespace berth {

// Something that one gang can give back at once: one member of an elastic gang, or all it has left.
struct GiveBack {
  JobId job;
  TenantId tenant;
  std::vector<AllocationId> allocations;
  int64_t devices = 0;
  int64_t lost_device_seconds = 0;
  bool whole = false;  // the gang ends; else it shrinks
  // Inside a tenant, what goes first: lowest priority, least lost work, latest start, id.
  std::tuple<int, absl::Duration, absl::Duration, JobId> rank = {};
  // Only together with that unit: the member of the next higher rank.
  std::optional<size_t> after = std::nullopt;
};

// Whom a claim may ask.
enum class ReclaimScope {
  kBorrowers,      // an owned claim: every borrowed gang of the class
  kLowerPriority,  // a priority inside a tenant: its own preemptible gangs of lower priority
};

struct ReclaimRequest {
  const GroupKey& key;
  JobId job;
  const PlaceRequest& place;
  ReclaimScope scope = ReclaimScope::kBorrowers;
  int64_t devices_at_least = 0;  // to give back, for the quota's sake
  ProjectId from_project = {};   // only of it, where its own limit is what stands in the way
  // Of borrowers that would still be there then, none is asked.
  absl::Time back_by = absl::InfiniteFuture();
};

// What could become free of one device class, as of one round. The round tells it of every start.
class Reclaimer {
 public:
  // `view`: what is free in the round so far. It must outlive the reclaimer.
  Reclaimer(const Cluster& cluster, const Policy& policy, ClassId device_class,
            const FreeView& view, absl::Time now);

  // The least that must be given back so that the claim can start, and where it starts then;
  // nothing if not even all of it would do.
  std::optional<Recall> Find(const ReclaimRequest& request);
  // What Find returned last is decided: it is not found again.
  void Accept(const PlaceRequest& request, const Recall& recall);
  // For a claim that waits until then: what ends by itself before need not be asked.
  void ExpectEndsBy(absl::Time time);
  // A start of this round.
  void Take(const PlaceRequest& request, const std::vector<Placement>& members);
  // When time alone may let more claims find what they need: a gang may be asked that may not be
  // yet (Policy::reclaim_min_run), or ends by itself within its notice.
  absl::Time next_look() const { return next_look_; }

 private:
  using Units = std::vector<size_t>;
  class Trial;

  // (U - E)+ / max(w, 1) of a tenant, compared exactly.
  struct Excess {
    int64_t excess = 0;
    int64_t weight = 1;
  };
  struct Candidates {
    std::vector<GiveBack> units;
    std::map<TenantId, Units> shrinks;  // in the order of R3
    std::map<TenantId, Units> wholes;
    int64_t gangs = 0;
    int64_t devices = 0;  // that they could give back
  };

  // Free now, or being given back already.
  FreeView& Base();
  // From when on a running job ends by itself within the notice that a reclaim would need.
  absl::Time ExpectedFrom(absl::Time ends_by, absl::Duration grace) const;
  bool IsExpected(const Job& job) const;
  // Counts what is being given back already, or ends by itself within the notice. For many claims
  // it does not matter, and a large center has much of it.
  void CountExpected();
  // Lays the members that the job gives back, whoever asks, into the base.
  void GiveExpected(const Job& job);
  // A request that not even all that could be asked was enough for.
  struct Failure {
    const GroupKey* key = nullptr;
    ReclaimScope scope = ReclaimScope::kBorrowers;
    int64_t devices_at_least = 0;
    ProjectId from_project;
  };

  // Whether nodes of the class have several rings.
  bool HasRings();
  // Whether the request asks for at least as much as one that failed, of nobody else.
  bool Covers(const Failure& failure, const ReclaimRequest& request);
  bool IsHopeless(const ReclaimRequest& request);
  void NoteFailure(const ReclaimRequest& request);
  bool MayBeAsked(const Job& job, const ReclaimRequest& request);
  void AddUnits(const Job& job, Candidates& candidates);
  // Valid until something is accepted or expected.
  const Candidates& FindCandidates(const ReclaimRequest& request);
  void ForgetCandidates();
  // Of the last request.
  const GiveBack& Unit(size_t index) const { return asked_->units[index]; }
  Candidates ListCandidates(const ReclaimRequest& request);
  Excess ExcessOf(TenantId tenant) const;
  // Gives back in the order of R3 until the claim fits; nothing if it never does.
  std::optional<Units> Greedy(const Candidates& candidates, TenantId claimant, Trial& trial) const;
  void Prune(Units& chosen, Trial& trial) const;
  // Whether more free devices are never worse for the request: then what is not enough has no part
  // that is.
  bool NeedsLast(const ReclaimRequest& request) const;
  Units BestSubset(const Units& prefix, Units best, std::optional<size_t> needed,
                   Trial& trial) const;
  struct Choice {
    Units prefix;  // what the greedy choice went through
    Units units;   // of it, what is asked for
    std::optional<std::vector<Placement>> members;
  };
  // Nothing if not even all candidates are enough.
  std::optional<Choice> Choose(const Candidates& candidates, const ReclaimRequest& request);
  std::pair<int64_t, size_t> CostOf(const Units& units) const;
  std::vector<ReclaimCandidate> Rows(const Units& asked, const Units& chosen) const;
  Reclaim Certify(const ReclaimRequest& request, const Units& asked, const Units& chosen) const;

  const Cluster& cluster_;
  const Policy& policy_;
  const ClassId device_class_;
  const absl::Time now_;
  const FreeView& round_;         // free now
  std::optional<FreeView> base_;  // made when it is asked for
  // Jobs that give back whoever asks, each once; beside them, what stops.
  std::vector<JobId> expected_;
  Units found_;  // the chosen ones of the last request
  // Gangs that give devices back for earlier claims, or are expected to before a claim starts.
  absl::flat_hash_set<JobId> spent_;
  std::map<TenantId, int64_t> given_;
  int64_t borrowed_ = 0;  // of the class, at most, without what was given
  int64_t expected_devices_ = 0;
  int64_t expected_members_ = 0;
  bool counted_ = false;  // what is expected
  std::vector<Failure> failed_;
  std::optional<bool> has_rings_;  // found when asked for
  // Who asks whom: all borrowers that are back in time, or below a priority inside a tenant, of one
  // project or of all.
  using Askers = std::tuple<ReclaimScope, TenantId, int, ProjectId, absl::Time>;
  // As long as nothing that they were found from changes: a tenant asks in both phases.
  std::map<Askers, Candidates> candidates_;
  const Candidates* asked_ = nullptr;  // of the last request
  absl::Time next_look_ = absl::InfiniteFuture();
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_RECLAIM_H_
