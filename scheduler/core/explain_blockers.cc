// Every constraint that keeps a job from starting, each looked at on its own.

#include <algorithm>
#include <utility>

#include "scheduler/core/explain_parts.h"
#include "scheduler/core/round_books.h"

namespace berth {
namespace {

class BlockerList {
 public:
  BlockerList(const Stuck& stuck, ClassId device_class)
      : stuck_(stuck),
        class_(device_class),
        key_(stuck.key()),
        books_(stuck.cluster, stuck.policy, stuck.now),
        quota_(books_.quota()),
        view_(stuck.cluster) {
    // Claims that have their devices coming use their tenants' quotas already.
    books_.SettleNominations();
  }

  std::vector<Blocker> Make() {
    if (!JoinsOpenDevice()) {
      if (class_) {
        blockers_ = quota_.Objections(key_, class_, Phase::kBorrow);
        AddLendable();
      }
      AddNodes();
      AddOwedBlocks();
    }
    AddOrder();
    std::stable_sort(blockers_.begin(), blockers_.end(),
                     [](const Blocker& a, const Blocker& b) { return a.code < b.code; });
    return std::move(blockers_);
  }

 private:
  // What the job gets once nothing but the placement is in its way.
  Grant GrantOf() const {
    Grant grant{.nodes = key_.gang.nodes, .funding = Funding::kNone, .owned_claim = true};
    if (class_) {
      grant.nodes = quota_.NodesBesides(key_, class_, Phase::kBorrow);
      quota_.Label(key_, class_, int64_t{grant.nodes} * key_.gang.devices_per_node, grant);
    }
    return grant;
  }

  // A share beside others takes no new device, whatever the quota says.
  bool JoinsOpenDevice() const {
    const auto fits = [this](Funding funding) {
      return view_.FitsOpenDevice(
          RequestOf(stuck_, key_.gang, class_, {.nodes = key_.gang.nodes, .funding = funding}));
    };
    return fits(Funding::kOwned) || (key_.may_borrow && fits(Funding::kBorrowed));
  }

  // A4, for what an elastic gang would take, too.
  void AddLendable() {
    const Grant grant = GrantOf();
    if (grant.owned_claim) {
      return;
    }
    Blocker ignored;
    const auto members = view_.Place(RequestOf(stuck_, key_.gang, class_, grant), ignored);
    const int64_t nodes = members.has_value() ? static_cast<int64_t>(members->size())
                                              : static_cast<int64_t>(grant.nodes);
    if (const auto blocker = quota_.CheckLendable(
            key_.tenant, class_, nodes * key_.gang.devices_per_node, view_.FreeCount(class_))) {
      blockers_.push_back(*blocker);
    }
  }

  void AddNodes() {
    const GangShape& gang = key_.gang;
    const NodeCensus census = TakeCensus(stuck_, class_);
    if (census.suitable < gang.least_nodes()) {
      blockers_.push_back(
          {.code = ReasonCode::kNoNodes, .device_class = class_, .have = census.suitable});
    }
    if (census.by_booking) {
      blockers_.push_back({.code = ReasonCode::kBooked,
                           .device_class = class_,
                           .have = census.booked,
                           .bound = census.suitable});
    }
    if (census.by_topology) {
      blockers_.push_back({.code = ReasonCode::kTopology,
                           .device_class = class_,
                           .have = census.close,
                           .bound = view_.FreeCount(class_),
                           .other = census.together});
    }
    if (census.by_host) {
      blockers_.push_back(
          {.code = ReasonCode::kHostResources, .device_class = class_, .have = census.available});
    }
    if (census.by_devices) {
      const int64_t free = view_.FreeCount(class_);
      const int64_t asked = gang.least_devices();
      const bool broken = free >= asked;
      blockers_.push_back({.code = broken ? ReasonCode::kFragmentation : ReasonCode::kDevicesBusy,
                           .device_class = class_,
                           .asked = broken ? 0 : asked,
                           .have = broken ? census.whole : free,
                           .bound = broken ? free : stuck_.cluster.UsableDevices(class_)});
    }
  }

  // T1, as if nothing else that is listed were in the way.
  void AddOwedBlocks() {
    Grant grant = GrantOf();
    GangShape bare = key_.gang;
    bare.per_node = Has(ReasonCode::kHostResources) ? HostResources() : bare.per_node;
    bare.topology_required = bare.topology_required && !Has(ReasonCode::kTopology);
    PlaceRequest request = RequestOf(stuck_, bare, class_, grant);
    if (Has(ReasonCode::kBooked)) {
      request.start = request.end = absl::InfinitePast();
    }
    if (view_.BlockClaims(class_).empty()) {
      return;
    }
    const bool busy = Has(ReasonCode::kFragmentation) || Has(ReasonCode::kDevicesBusy);
    const FreeView then = busy ? Emptied() : view_;
    Blocker ignored;
    const auto members = then.Place(request, ignored);
    if (!members.has_value()) {
      return;
    }
    // An elastic gang may be owned with the nodes that it gets, and borrowed with all.
    quota_.Label(key_, class_, static_cast<int64_t>(members->size()) * key_.gang.devices_per_node,
                 grant);
    request.funding = grant.funding;
    if (const auto blocker = CheckBlocks(then, request, *members)) {
      blockers_.push_back(*blocker);
    }
  }

  FreeView Emptied() const {
    FreeView empty = view_;
    for (JobId holder : stuck_.cluster.HoldersOf(class_)) {
      for (AllocationId id : stuck_.cluster.GetJob(holder).allocations) {
        const Allocation& allocation = stuck_.cluster.GetAllocation(id);
        if (allocation.state != AllocationState::kReleased) {
          empty.Give(allocation);
        }
      }
    }
    for (const auto& [claim, start] : stuck_.cluster.nominations()) {
      if (start.device_class == class_) {
        empty.Give(start);
      }
    }
    return empty;
  }

  static bool IsOfNodes(ReasonCode code) {
    return code >= ReasonCode::kNoNodes && code <= ReasonCode::kDevicesBusy;
  }

  bool Has(ReasonCode code) const {
    return std::any_of(blockers_.begin(), blockers_.end(),
                       [code](const Blocker& blocker) { return blocker.code == code; });
  }

  // The anchor of the class, the head of the queue; and whatever else the planner itself says.
  void AddOrder() {
    const Anchor* anchor = FindAnchor();
    bool owned_anchor = false;
    if (anchor != nullptr) {
      const Job& first = stuck_.cluster.GetJob(anchor->job);
      const PendingGroup& group = stuck_.cluster.GetGroup(first.group);
      Grant grant;
      const Phase phase = class_ && quota_.Admit(group.key, class_, Phase::kOwned, grant)
                              ? Phase::kBorrow
                              : Phase::kOwned;
      owned_anchor = phase == Phase::kOwned && grant.funding == Funding::kOwned;
      books_.TryAnchor({group, anchor->job, class_, phase});
    }
    const auto said = books_.TryStart(
        {stuck_.cluster.GetGroup(stuck_.job.group), stuck_.job.id, class_, Phase::kBorrow});
    // What it says of the nodes is one of several ways to see it: the census has the others.
    const bool counted = said.has_value() && IsOfNodes(said->code) &&
                         std::any_of(blockers_.begin(), blockers_.end(),
                                     [](const auto& blocker) { return IsOfNodes(blocker.code); });
    if (said.has_value() && !counted && !Has(said->code)) {
      blockers_.push_back(*said);
    }
    if (said.has_value() && anchor != nullptr && !Has(ReasonCode::kBehindAnchor) &&
        WouldDelay(*anchor, owned_anchor)) {
      blockers_.push_back({.code = ReasonCode::kBehindAnchor,
                           .device_class = class_,
                           .job = anchor->job,
                           .until = anchor->shadow});
    }
    if (const auto head = HeadBlocker(stuck_)) {
      blockers_.push_back(*head);
    }
    if (blockers_.empty()) {
      blockers_.push_back({.code = ReasonCode::kBeingEvaluated, .device_class = class_});
    }
  }

  const Anchor* FindAnchor() const {
    const auto found = stuck_.cluster.anchors().find(class_);
    if (found == stuck_.cluster.anchors().end() || found->second.job == stuck_.job.id) {
      return nullptr;
    }
    const Job* job = stuck_.cluster.FindJob(found->second.job);
    return job != nullptr && job->group ? &found->second : nullptr;
  }

  // Whether the job, were there room for it, would hold devices when the anchor needs them.
  bool WouldDelay(const Anchor& anchor, bool owned_anchor) const {
    const absl::Duration notice = stuck_.job.spec.grace + stuck_.policy.kill_timeout;
    const bool recallable = owned_anchor && GrantOf().funding == Funding::kBorrowed &&
                            stuck_.now + notice <= anchor.shadow;
    return !recallable && stuck_.now + stuck_.job.spec.time_limit > anchor.shadow;
  }

  const Stuck& stuck_;
  const ClassId class_;
  const GroupKey& key_;
  RoundBooks books_;
  const QuotaView& quota_;
  const FreeView view_;
  std::vector<Blocker> blockers_;
};

}  // namespace

PlaceRequest RequestOf(const Stuck& stuck, const GangShape& gang, ClassId device_class,
                       const Grant& grant) {
  PlaceRequest request(gang, device_class);
  request.tenant = stuck.job.spec.tenant;
  request.project = stuck.job.spec.project;
  request.funding = device_class ? grant.funding : Funding::kNone;
  request.preemptible = stuck.job.spec.preemptible;
  request.nodes = grant.nodes;
  request.start = stuck.now;
  request.end = stuck.now + stuck.job.spec.time_limit;
  request.suspect_nodes = &stuck.job.suspect_nodes;
  return request;
}

std::vector<Blocker> OwnBlockers(const Cluster& cluster, const Job& job, absl::Time now) {
  std::vector<Blocker> blockers;
  if (job.state == JobState::kHeld) {
    blockers.push_back({.code = ReasonCode::kHeld});
  }
  const bool waits = job.not_before > now;
  if (waits && job.attempt.state != AttemptState::kNone) {
    blockers.push_back({.code = ReasonCode::kBackOff, .until = job.not_before});
  }
  if (!job.spec.dependencies.empty()) {
    blockers.push_back({.code = ReasonCode::kDependency,
                        .have = static_cast<int64_t>(job.spec.dependencies.size()),
                        .job = job.spec.dependencies.front().job});
  }
  if (waits && job.attempt.state == AttemptState::kNone) {
    blockers.push_back({.code = ReasonCode::kBeginTime, .until = job.not_before});
  }
  if (cluster.StartableTasks(job.id) == 0) {
    blockers.push_back({.code = ReasonCode::kArrayThrottle,
                        .have = job.tasks.live,
                        .bound = job.spec.array.concurrent_max});
  }
  if (cluster.quota().FindTenant(job.spec.tenant)->suspended) {
    blockers.push_back({.code = ReasonCode::kTenantSuspended});
  }
  return blockers;
}

std::vector<Blocker> ClassBlockers(const Stuck& stuck, ClassId device_class) {
  return BlockerList(stuck, device_class).Make();
}

}  // namespace berth
