#ifndef BERTH_TESTS_SIMULATION_SCHEDULING_HISTORY_H_
#define BERTH_TESTS_SIMULATION_SCHEDULING_HISTORY_H_

// A random history of a small center in virtual time: the cluster, the planner and the application
// of plans as they are in the product, with agents that obey at once. Everything that a round
// decides is judged by the detectors. A function of its seed.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "scheduler/core/event.h"
#include "scheduler/core/identity.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/planner.h"
#include "scheduler/core/step.h"
#include "tests/simulation/findings.h"
#include "tests/simulation/orders.h"

namespace berth {

struct HistoryOptions {
  uint64_t seed = 1;
  int events = 24;
  // Another family of histories, in which everything comes up that people can ask of a center.
  bool rare_events = false;
  // Every plan is made twice, the second time of a copy of the cluster.
  bool compare_forks = false;
  std::function<Plan(const Cluster&, const Policy&, absl::Time)> planner = MakePlan;
  // What the center takes a request for.
  std::function<UserEvent(const UserEvent&)> hearing;
  // Is told the history in words.
  std::function<void(const std::string&)> listener;
};

class SchedulingHistory {
 public:
  explicit SchedulingHistory(HistoryOptions options);

  // Ends early at the first broken property.
  const Findings& Run();
  // Of every decision with its time.
  uint64_t hash() const { return hash_; }
  const Cluster& cluster() const { return cluster_; }

 private:
  // The anchor of a class as of the last round.
  struct Watched {
    Anchor anchor;
    bool undisturbed = true;  // only starts since then
    bool claims = false;      // it is an owned claim
    bool bound = false;       // rule T1 may hold it back
  };

  int Pick(int bound) { return static_cast<int>(random_() % static_cast<uint64_t>(bound)); }
  bool Chance(int percent) { return Pick(100) < percent; }
  Step MakeStep() { return {cluster_, policy_, 1, now_, commands_}; }

  void BuildNodes();
  void BuildTenants();
  void SetRandomQuotas(ClassId device_class);
  void OweBlocks(QuotaLimits& limits);
  void PutQuota(TenantId tenant, ClassId device_class, const QuotaLimits& limits);

  void RandomEvent();
  // The center's answer is kept.
  absl::StatusOr<Outcome> Ask(const Actor& actor, const UserEvent& event);
  void Submit();
  // As its user. Returns: none if it is refused.
  JobId SubmitFor(const JobSpec& spec);
  JobSpec RandomSpec();
  void CancelOne();
  void EditQuota();
  void BookNodes();
  void DisturbNode();
  void LoseNode(NodeId id);
  // A lost one is back.
  void RejoinNode(NodeId id);

  void RareEvent();
  const Job* PickJob(bool (*suits)(const Job&));
  void WishMore(JobSpec& spec);
  // Whether it has a place that is near enough together, once nothing else runs.
  bool CouldStart(const JobSpec& spec) const;
  void DependOnOthers(SubmitJob& request);
  void CancelTasks();
  void SuspendOrResume();
  void HoldOne();
  void ReleaseOne();
  void UpdateOne();
  void UpdatePending(UpdateJob& request);
  void RequeueOne();
  void NoteCheckpointOfOne();
  void ChangeQueue();
  void EndSomeBooking();
  void AnnounceQuota();
  void LabelNodes();
  void BuryNode(NodeId id);
  void SpoilDevice();
  void QuarantineSomeNode();
  void LoseShim();
  bool Refuses(const Job& job);
  // Nothing that was asked for keeps a job from starting any more.
  void EndRareEvents();

  // To the next moment at which something happens, at most `step` ahead; everything due is done.
  void Advance(absl::Duration step);
  absl::Time NextMoment() const;
  void DoWhatIsDue();
  static TaskReport ReportOf(const Allocation& allocation, ReportKind kind);
  void EndRunning(JobId id);
  // Agents do what they were told.
  void Obey();
  void Settle();
  void CompareForks(const Plan& plan);
  bool Round();
  void Watch(const Plan& plan);
  void Disturb();
  bool MayPass(const Job& job, const Anchor& anchor) const;
  bool IsClaim(const Anchor& anchor) const;
  bool LocksQueue(TenantId tenant) const;
  bool WouldBeOwned(const Anchor& anchor) const;
  bool StartsClaim(const Plan& plan, const Anchor& anchor) const;
  bool LabelsMoved();
  void NoteLabels();
  void DrainOut();
  void Mix(uint64_t value);
  void MixPlan(const Plan& plan);

  HistoryOptions options_;
  std::mt19937_64 random_;
  Policy policy_;
  Cluster cluster_;
  std::vector<NodeCommand> commands_;
  absl::Time now_ = absl::FromUnixSeconds(1000000);
  Actor operator_;
  Orders orders_;
  Findings findings_;
  uint64_t hash_ = 14695981039346656037ULL;
  absl::Time next_look_ = absl::InfiniteFuture();

  std::vector<ClassId> classes_;
  std::vector<NodeId> nodes_;
  std::vector<TenantId> tenants_;
  std::map<TenantId, std::vector<ProjectId>> projects_;
  std::map<TenantId, UserId> users_;
  int devices_max_ = 1;
  // What comes up in this history.
  struct Kinds {
    bool shares = false;
    bool elastic = false;
    bool blocks = false;
    bool windows = false;
  };
  Kinds kinds_;
  int block_levels_ = 0;  // which two levels are owed
  bool edits_quotas_ = false;
  bool loses_nodes_ = false;
  bool drains_out_ = false;
  std::map<JobId, absl::Time> ends_at_;             // of what runs
  std::map<AllocationId, absl::Time> released_at_;  // of what is being stopped
  std::map<ClassId, Watched> watched_;
  std::map<std::pair<JobId, int>, Funding> labels_;  // by attempt, as of the last round
};

}  // namespace berth

#endif  // BERTH_TESTS_SIMULATION_SCHEDULING_HISTORY_H_
