#ifndef BERTH_SCHEDULER_CORE_CLUSTER_H_
#define BERTH_SCHEDULER_CORE_CLUSTER_H_

// All nouns and their indexes, and the only functions that change them. A value: copying it is a
// what-if fork. Owned by the Engine; one thread.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "scheduler/core/active_times.h"
#include "scheduler/core/allocation.h"
#include "scheduler/core/booking.h"
#include "scheduler/core/changes.h"
#include "scheduler/core/fragmentation.h"
#include "scheduler/core/free_index.h"
#include "scheduler/core/holder_index.h"
#include "scheduler/core/id_map.h"
#include "scheduler/core/identity.h"
#include "scheduler/core/job.h"
#include "scheduler/core/node.h"
#include "scheduler/core/nominations.h"
#include "scheduler/core/pending_queue.h"
#include "scheduler/core/pending_reason.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/quota_tree.h"
#include "scheduler/core/slot_map.h"
#include "scheduler/core/stirred_classes.h"
#include "scheduler/core/transition_counts.h"

namespace berth {

class Cluster {
 public:
  // ---- Reading ----
  const Job* FindJob(JobId id) const { return jobs_.Find(id); }
  const Job& GetJob(JobId id) const { return jobs_.at(id); }  // Requires: it is live.
  const Allocation* FindAllocation(AllocationId id) const { return allocations_.Find(id); }
  const Allocation& GetAllocation(AllocationId id) const { return allocations_.at(id); }
  const Node* FindNode(NodeId id) const { return nodes_.Find(id); }
  const Node& GetNode(NodeId id) const { return nodes_.at(id); }
  const Node* FindNodeByName(absl::string_view name) const;
  std::optional<ClassId> FindClass(absl::string_view name) const;
  const std::string& ClassName(ClassId id) const;  // "" for none
  const User* FindUser(UserId id) const;
  const User* FindUserByName(TenantId tenant, absl::string_view name) const;
  const Token* FindToken(absl::string_view id) const;

  const std::map<JobId, Job>& jobs() const { return jobs_.values(); }  // live only
  const std::map<AllocationId, Allocation>& allocations() const { return allocations_.values(); }
  const std::map<NodeId, Node>& nodes() const { return nodes_.values(); }
  const std::map<ClassId, std::string>& classes() const { return classes_; }
  const std::map<UserId, User>& users() const { return users_; }
  const std::map<std::string, Token>& tokens() const { return tokens_; }
  const QuotaTree& quota() const { return quota_; }
  const SlotMap<GroupId, PendingGroup>& groups() const { return groups_; }
  const PendingGroup& GetGroup(GroupId id) const { return groups_.at(id); }
  // Groups that avoid nodes under suspicion.
  const std::set<GroupId>& avoiding_groups() const { return avoiding_groups_; }
  // Groups with ready jobs, by the class they try first (none if they name none) and by tenant.
  const std::map<ClassId, std::map<TenantId, TenantQueue>>& queues() const { return queues_; }
  // A group's place there, if it has ready jobs.
  std::optional<QueuePlace> PlaceOf(GroupId id) const;
  // What is free on which node.
  const FreeIndex& free_index() const { return free_index_; }
  // What is usually submitted. Jobs that a restart finds count as if they came then.
  const ShapeMix& shape_mix() const { return shape_mix_; }
  // With whom an active job may share a device.
  static ShareOwner OwnerOf(const Job& job);
  // Whether the allocation is from before a restore, and its agent has not confirmed it: then what
  // came of it since the backup is not known.
  bool IsDoubtful(const Allocation& allocation) const {
    return allocation.id <= restored_allocation_ && !allocation.confirmed;
  }
  // Allocations held on a node, by id.
  const std::set<AllocationId>& AllocationsOn(NodeId node) const;
  // Live jobs that hold, or are about to give back, devices. An array never does.
  const std::set<JobId>& active_jobs() const { return active_jobs_; }
  const ActiveTimes& active_times() const { return active_times_; }
  // Active jobs of a class that hold devices, and those of one tenant with one label.
  const std::set<JobId>& HoldersOf(ClassId device_class) const;
  const EndIndex& EndsOf(ClassId device_class) const;
  // The longest grace of those that hold devices of the class.
  absl::Duration LongestGrace(ClassId device_class) const;
  const ReturningMembers& ReturningOf(ClassId device_class) const;
  const std::map<int, PriorityHolders>& HoldersByPriority(TenantId, ClassId) const;
  // Of a tenant's preemptible jobs that hold devices of the class; nothing if there are none.
  std::optional<int> LowestPriority(TenantId tenant, ClassId device_class) const;
  // How many devices those of lower priority may hold, at most.
  int64_t DevicesBelow(int priority, TenantId tenant, ClassId device_class) const;
  const std::set<JobId>& Labelled(TenantId tenant, ClassId device_class, Funding funding) const;
  // Devices that the job's unreleased allocations hold.
  int64_t HeldDevices(const Job& job) const;
  // What nodes keep for claims until they start there (quota.md, A6).
  const std::map<JobId, Start>& nominations() const { return nominations_.claims(); }
  // Reclaims whose claim has neither started nor given up: those of the nominations.
  const std::map<JobId, Reclaim>& open_reclaims() const { return nominations_.reclaims(); }
  // Nominations with a node or a device that can't be used now.
  const std::set<JobId>& broken_nominations() const { return nominations_.broken(); }
  // Whether the claim's job may start, on devices that are what it asks for and can be used.
  bool MayStart(const Start& claim) const;
  // Whether a gang of its own tenant that was asked for it has not ended, though it may have given
  // back what it was asked for.
  bool AwaitsOwnTenant(JobId claim) const;
  const WaitingClaims& waiting_claims() const { return nominations_.waiting(); }
  bool AreUsable(const std::vector<Placement>& members) const;
  // As of the last round, by class.
  const std::map<ClassId, Anchor>& anchors() const { return anchors_; }
  // Ended ones until the next TakeChanges().
  const std::map<BookingId, Booking>& bookings() const { return bookings_; }
  // Quota edits that are still to come, one per key.
  const std::map<QuotaKey, QuotaEdit>& quota_edits() const { return quota_edits_; }
  // Queued and held ones; an array counts as its tasks that have not started.
  int64_t PendingCount(TenantId tenant) const;
  // Whether a queued job may be planned.
  static bool IsReady(const Job& job);
  // How often a plan may start this job now: once, or the tasks of an array within its bound.
  int StartableTasks(JobId id) const { return Startable(GetJob(id)); }
  // The started tasks of an array that are not over.
  const std::set<JobId>& TasksOf(JobId array) const;
  // Pending jobs that wait for this one.
  const std::set<JobId>& DependentsOf(JobId parent) const;
  int64_t PendingDevices(TenantId tenant, ProjectId project, ClassId device_class) const;
  // Devices of a class: all that are known (not removed), and those that can be used now.
  int64_t KnownDevices(ClassId device_class) const;
  int64_t UsableDevices(ClassId device_class) const;
  // Known nodes with at least so many devices of a class.
  int NodesWith(ClassId device_class, int devices) const;
  // The reason as of the last round, or from the job's own state.
  PendingReason ReasonOf(const Job& job) const;
  // What keeps a queued job, but for the back-off after an attempt.
  Blocker BlockerOf(const Job& job) const;
  // The blocker in words, for a job with this spec.
  PendingReason Describe(const JobSpec& spec, const Blocker& blocker) const;

  // ---- Changing: nouns of the center ----
  ClassId InternClass(absl::string_view name);
  TenantId AddTenant(Tenant tenant);
  ProjectId AddProject(Project project);
  UserId AddUser(User user);
  void PutToken(Token token);
  void PutLimits(const QuotaKey& key, const QuotaLimits& limits);
  // Replaces what was to come for the key.
  void PutQuotaEdit(const QuotaEdit& edit);
  // Nothing is to come for the key any more. `why`: it had become impossible; empty: as asked.
  void DropQuotaEdit(const QuotaKey& key, absl::string_view why);
  void PutTenant(Tenant tenant);
  // What is usually submitted, as on another cluster, of which this one is a part.
  void SetShapeMix(const ShapeMix& mix) { shape_mix_ = mix; }
  BookingId AddBooking(Booking booking, absl::Time now);
  // As it is on another cluster, of which this one is a part. It acts from the next
  // RefreshBookings().
  void PutBooking(Booking booking);
  void EndBooking(BookingId id, absl::Time now);
  // Ends bookings that are over; closes and opens nodes as maintenance begins and ends.
  void RefreshBookings(absl::Time now);
  NodeId EnsureNode(absl::string_view name);
  // Replaces what is not tied to live allocations: the caller has checked the inventory.
  void PutFacts(NodeId id, NodeFacts facts);
  void SetNodeState(NodeId id, NodeState state, absl::string_view detail);
  // For fields without an index or a rule of their own. The node's row is written.
  template <typename Change>
  void UpdateNode(NodeId id, Change change) {
    change(nodes_.at(id));
    changed_nodes_.insert(id);
  }
  // For the fields of a node that are not durable.
  template <typename Change>
  void TouchNode(NodeId id, Change change) {
    change(nodes_.at(id));
  }

  // ---- Changing: jobs ----
  JobId AddJob(JobSpec spec, absl::Time now);
  void SetHeld(JobId id, bool held);
  void RequestCancel(JobId id);
  // Queued -> dispatching: creates the allocations and takes the devices.
  // Requires: the devices are free and the limits hold.
  void StartJob(const Start& start, absl::Time now);
  void MoveJob(JobId id, JobState state);
  void MoveAttempt(JobId id, AttemptState state);
  void SetRendezvous(JobId id, absl::string_view address, int port);
  // Claims count on the end of what is over within its grace and the kill timeout.
  void SetStarted(JobId id, absl::Time now, absl::Duration kill_timeout);
  // The first reason given to an attempt stays.
  void SetEnd(JobId id, const JobEnd& end);
  // Makes the next task of an array a job of its own, which is queued.
  // Requires: StartableTasks(array) > 0.
  JobId AddTask(JobId array);
  // The tasks that have not started never will; the array ends with its last live task.
  // Requires: the array is not over.
  void CancelTasks(JobId array, absl::Time now);
  // Of the tasks that have not started these never will, now instead of those cancelled before; the
  // array goes on with the others, or ends with its last live task.
  // Requires: the array is pending; they are those of before and one or more that have not started.
  void CancelUnstarted(JobId array, std::vector<IndexRange> cancelled, absl::Time now);
  // For a job that waits, whose last attempt's reason is history.
  void ReplaceEnd(JobId id, const JobEnd& end);
  // The grace is never longer than what was said before, and the first reason stays.
  void SetStop(JobId id, absl::Duration grace, StopReason reason);
  // For a new request about a job that is not over. Requires: it fits what holds devices.
  void SetSpec(JobId id, JobSpec spec);
  void SetCheckpoint(JobId id, absl::Time at);
  void SetNotice(JobId id, JobNotice notice);
  // The newest last; only the newest eight are kept.
  void SetSuspects(JobId id, std::vector<NodeId> nodes);
  void MoveAllocation(AllocationId id, AllocationState state);
  void MarkSent(AllocationId id, absl::Time now);
  void MarkConfirmed(AllocationId id) { allocations_.at(id).confirmed = true; }
  void ReleaseAllocation(AllocationId id, ReleaseEvidence evidence, absl::Time now);
  // Ends the job, its array with its last task, and those that wait for what is impossible now.
  // Requires: every allocation is released (or there is none).
  void FinishJob(JobId id, JobState state, absl::Time now);
  void RequeueJob(JobId id, absl::Time not_before, absl::Time now);
  // ActiveTimes::TakeBefore.
  std::vector<JobId> TakeActiveBefore(absl::Time dispatched, absl::Time limit);
  void NoteActive(JobId id) { active_times_.Note(jobs_.at(id)); }
  // What time alone changes: jobs whose back-off is over may be planned, bookings begin and end.
  void WakeJobs(absl::Time now);
  void SetBlocker(GroupId id, const Blocker& blocker);
  // When time alone changes something next: a back-off, a booking, a quota.
  std::optional<absl::Time> NextWake() const;

  // ---- Changing: reclaim ----
  // Keeps the claim's devices for it, with the certificate of why. Requires: it has no nomination.
  void Nominate(const Start& claim, Reclaim certificate);
  // The claim has started (`settled_at` now) or gave up (InfiniteFuture).
  void DropNomination(JobId claim, absl::Time settled_at);
  void SetAnchors(std::vector<Anchor> anchors);
  // Finds out which of the stirred claims only wait. After a round: until the next one little
  // happens to few of them.
  void ListWaitingClaims();

  // Borrowed gangs become owned where the entitlement has room: non-preemptible first, then
  // priority, start, id (quota.md, "Labels").
  void UpgradeLabels(TenantId tenant, ClassId device_class);
  // Owned gangs that a higher priority of their tenant, which must own what it has, may make
  // borrowed ones; who goes first first (quota.md, "Labels").
  std::vector<JobId> YieldingLabels(TenantId tenant, ClassId device_class, int priority) const;
  // Makes an owned gang a borrowed one.
  void TakeLabel(JobId id) { Relabel(id, Funding::kBorrowed); }
  // After a cut: the preemptible owned gangs of lowest priority, latest first, become borrowed
  // until the owned sum fits the entitlement. Returns them.
  std::vector<JobId> DowngradeLabels(TenantId tenant, ClassId device_class);

  // ---- Durability ----
  void Restore(StoredState state);
  // What became different. Ended jobs and released allocations leave the cluster with it.
  Changes TakeChanges();
  bool HasChanges() const;
  // What the next round has to look at: every change that it could react to is noted there.
  const StirredClasses& stirred() const { return stirred_; }
  // What happened is not said to any class, or is unknown.
  void StirAll() { stirred_.StirAll(); }
  // A round has looked at what is stirred, its plan is applied, and the next would decide nothing.
  void SettleStirred() { stirred_.Settle(); }
  // Since this value was made or restored.
  const TransitionCounts& transitions() const { return transitions_; }

 private:
  friend class ClusterDamage;  // plants faults that the invariants must find

  // The only caller of Move().
  template <typename State>
  void Advance(State& state, State to) {
    transitions_.Count(state, to);
    Move(state, to);
  }
  Job& MutableJob(JobId id);
  Allocation& MutableAllocation(AllocationId id);
  static GroupKey KeyOf(const Job& job);
  static bool IsPending(const Job& job);
  // Tasks that will be jobs, of a pending one: 1, or what is left of the array.
  static int UnstartedTasks(const Job& job);
  static int Startable(const Job& job);
  JobId InsertJob(Job job);
  // After Restore: every job into its indexes.
  void IndexJobs();
  // FinishJob for one job.
  void EndJob(JobId id, JobState state, absl::Time now);
  // The links between arrays and tasks, and between jobs and those that depend on them.
  void LinkJob(const Job& job);
  void UnlinkDependencies(const Job& job);
  // Of a pending array that is in no index: the tasks that have not started never will.
  void LeaveRest(Job& array);
  // What the end of a job means to its array and to those that wait for it. Appends what ends.
  void NoteTaskEnded(JobId id, absl::Time now, std::vector<JobId>& ended);
  // Too many have failed: tasks that have not started never will. Appends those that are jobs.
  void EndUnstarted(Job& array, absl::Time now, std::vector<JobId>& ended);
  void DecideDependents(JobId parent, absl::Time now, std::vector<JobId>& ended);
  void DecideStarted(JobId parent);
  // Drops what is decided; whether the waiting job is to end.
  bool DecideDependent(const Job& waiting, const Job& parent);
  GroupId EnsureGroup(const Job& job);
  void DropGroup(GroupId id);
  // By tenant, of the class that the gang names first.
  std::map<TenantId, TenantQueue>& QueuesFor(const GangShape& gang);
  // Runs `change` on a group and moves the group to its new place in the queue; without ready jobs
  // it has none.
  template <typename Change>
  void ChangeGroup(GroupId id, Change change);
  void IndexPending(Job& job);
  void UnindexPending(Job& job);
  // For a new nomination, or one with a node that has changed.
  void CheckNomination(const Start& claim);
  // The classes that such a gang could start in.
  void StirFor(const GangShape& gang);
  // The classes that have devices on the node.
  void StirNode(NodeId id);
  // Recomputes what is free on a node whose facts or state are new.
  void RefreshNode(NodeId id);
  // Jobs with this label that hold devices of the class, in the order of "Labels".
  std::vector<JobId> LabelOrder(TenantId tenant, ClassId device_class, Funding funding) const;
  void IndexHolder(Job& job, bool holds);
  // After a change of what Job::ends_by or EndingJob depends on. Requires: it holds devices.
  void RefreshEnd(Job& job);
  EndingJob EndingOf(const Job& job) const;
  // The allocation leaves those that come back with the end of its job.
  void UncountEnding(const Allocation& allocation);
  void IndexReturning(const Allocation& allocation, bool returning);
  // After a restart nobody keeps devices for a claim any more: the planner finds it again.
  void GiveUpReclaims(std::vector<Reclaim> open);
  // The jobs with shares of the same device; the job itself is the first.
  std::vector<JobId> SharersOf(const Job& job) const;
  // With all its sharers: a device has one label.
  void Relabel(JobId id, Funding funding);
  static QuotaTree::Gang GangOf(const Job& job, int64_t devices);
  // Puts an allocation on its node and into the quota use.
  void AdoptAllocation(Allocation allocation);
  void DropEnded(Changes& changes);
  void TakeBookings(Changes& changes);

  IdMap<JobId, Job> jobs_;
  IdMap<AllocationId, Allocation> allocations_;
  IdMap<NodeId, Node> nodes_;
  std::map<NodeId, std::set<AllocationId>> allocations_on_;
  std::map<std::string, NodeId> node_names_;
  std::map<ClassId, std::string> classes_;
  std::map<std::string, ClassId> class_ids_;
  std::map<UserId, User> users_;
  std::map<std::string, Token> tokens_;
  QuotaTree quota_;
  SlotMap<GroupId, PendingGroup> groups_;
  std::map<GroupKey, GroupId> group_ids_;
  struct KnownShape {
    ShapeId id;
    int groups = 0;
  };
  std::map<std::pair<GangShape, std::vector<NodeId>>, KnownShape> shapes_;
  std::set<GroupId> avoiding_groups_;
  std::map<ClassId, std::map<TenantId, TenantQueue>> queues_;
  FreeIndex free_index_;
  ShapeMix shape_mix_;
  std::set<JobId> active_jobs_;
  ActiveTimes active_times_;
  std::map<ClassId, std::set<JobId>> holders_;
  std::map<ClassId, EndIndex> ends_;
  std::map<ClassId, ReturningMembers> returning_;
  absl::flat_hash_map<std::pair<TenantId, ClassId>, std::map<int, PriorityHolders>> priorities_;
  std::map<ClassId, std::map<absl::Duration, int>> graces_;  // of holders
  absl::flat_hash_map<std::tuple<TenantId, ClassId, Funding>, std::set<JobId>> labelled_;
  Nominations nominations_;
  std::map<ClassId, Anchor> anchors_;
  std::set<std::pair<absl::Time, JobId>> waking_;  // jobs in back-off, by its end
  std::map<TenantId, int64_t> pending_count_;
  std::map<BookingId, Booking> bookings_;
  std::set<NodeId> booked_out_;  // by maintenance that is under way
  absl::Time next_booking_change_ = absl::InfiniteFuture();
  std::map<QuotaKey, QuotaEdit> quota_edits_;
  std::map<JobId, std::set<JobId>> array_tasks_;  // live ones
  std::map<JobId, std::set<JobId>> dependents_;   // by the job that they wait for

  JobId last_job_;
  AllocationId last_allocation_;
  AllocationId restored_allocation_;
  ShapeId last_shape_;
  ReclaimId last_reclaim_;
  BookingId last_booking_;
  StirredClasses stirred_;
  TransitionCounts transitions_;

  Changes new_nouns_;  // classes, tenants, projects, quotas, users, tokens, attempts
  std::set<JobId> changed_jobs_;
  std::set<AllocationId> changed_allocations_;
  std::set<NodeId> changed_nodes_;
  std::set<BookingId> changed_bookings_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_CLUSTER_H_
