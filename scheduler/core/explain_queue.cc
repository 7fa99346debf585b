// Who comes before a job: the head of its tenant's queue, and all that the planner looks at first.

#include <algorithm>
#include <map>
#include <utility>

#include "scheduler/core/admission.h"
#include "scheduler/core/explain_parts.h"
#include "scheduler/core/queue_order.h"

namespace berth {
namespace {

ClassId QueueOf(const GangShape& gang) {
  return gang.classes.empty() ? ClassId() : gang.classes.front();
}

// The next job of a group that has no devices coming; none if all have.
JobId NextOf(const Cluster& cluster, const PendingGroup& group) {
  for (JobId job : group.ready) {
    if (!cluster.nominations().contains(job)) {
      return job;
    }
  }
  return JobId();
}

class Queue {
 public:
  Queue(const Cluster& cluster, const Stuck& stuck, ClassId device_class)
      : cluster_(cluster), stuck_(stuck), quota_(stuck.cluster), class_(device_class) {
    owned_ = IsOwned(stuck.key());
  }

  Ahead Count() {
    for (const auto& [queue_class, tenants] : cluster_.queues()) {
      for (const auto& [tenant, groups] : tenants) {
        for (const QueuePlace& place : groups.places()) {
          const PendingGroup& group = cluster_.GetGroup(place.group);
          if (Competes(group.key)) {
            AddGroup(queue_class, group);
          }
        }
      }
    }
    ahead_.own.resize(std::min(ahead_.own.size(), Ahead::kNamedMax));
    ahead_.others.resize(std::min(ahead_.others.size(), Ahead::kNamedMax));
    return std::move(ahead_);
  }

 private:
  bool Competes(const GroupKey& key) const {
    if (!class_ || key.gang.classes.empty() || key.gang.devices_per_node == 0) {
      return true;
    }
    const std::vector<ClassId>& classes = key.gang.classes;
    return std::find(classes.begin(), classes.end(), class_) != classes.end();
  }

  bool IsOwned(const GroupKey& key) const {
    Grant ignored;
    const std::vector<ClassId> classes = ClassOrder(stuck_.cluster, key.tenant, key.gang);
    return std::any_of(classes.begin(), classes.end(), [&](ClassId id) {
      return !id || !quota_.Admit(key, id, Phase::kOwned, ignored).has_value();
    });
  }

  Share ShareOf(TenantId tenant) const {
    const QuotaView::Position& position = quota_.Of(tenant, QueueOf(stuck_.key().gang));
    return owned_ ? OwnedShare(position.limits, position.use.used())
                  : BorrowShare(position.limits, position.use.used());
  }

  // Whether the planner comes to that tenant's queue first.
  bool TenantFirst(TenantId tenant) const {
    const Share theirs = ShareOf(tenant);
    const Share ours = ShareOf(stuck_.job.spec.tenant);
    return theirs < ours || (!(ours < theirs) && tenant < stuck_.job.spec.tenant);
  }

  bool ComesFirst(ClassId queue_class, const GroupKey& key, JobId job) const {
    const Job& other = cluster_.GetJob(job);
    const bool owned = IsOwned(key);
    if (owned != owned_) {
      return owned || IsRipe(other);
    }
    const ClassId queue = QueueOf(stuck_.key().gang);
    if (queue_class != queue) {
      return queue_class < queue || IsRipe(other);
    }
    if (key.tenant != stuck_.job.spec.tenant) {
      return TenantFirst(key.tenant) || (!owned_ && IsRipe(other));
    }
    return std::pair(-other.spec.priority, other.id) <
           std::pair(-stuck_.job.spec.priority, stuck_.job.id);
  }

  // Old borrow requests go before the younger ones of all tenants.
  bool IsRipe(const Job& job) const {
    return !owned_ && job.submitted_at + stuck_.policy.borrow_age <= stuck_.now;
  }

  void AddGroup(ClassId queue_class, const PendingGroup& group) {
    for (JobId job : group.ready) {
      if (job == stuck_.job.id || !ComesFirst(queue_class, group.key, job)) {
        continue;
      }
      ++ahead_.jobs;
      ahead_.devices += group.key.gang.devices() * cluster_.StartableTasks(job);
      (group.key.tenant == stuck_.job.spec.tenant ? ahead_.own : ahead_.others).push_back(job);
    }
  }

  const Cluster& cluster_;
  const Stuck& stuck_;
  const QuotaView quota_;
  const ClassId class_;
  bool owned_ = false;
  Ahead ahead_;
};

}  // namespace

std::optional<Blocker> HeadBlocker(const Stuck& stuck) {
  const Cluster& cluster = stuck.cluster;
  const Tenant& tenant = *cluster.quota().FindTenant(stuck.job.spec.tenant);
  const bool fifo = tenant.queue_preset == QueuePreset::kFifo;
  if (!fifo && tenant.queue_preset != QueuePreset::kStepped) {
    return std::nullopt;
  }
  const TenantQueue& queue =
      cluster.queues().at(QueueOf(stuck.job.spec.gang)).at(stuck.job.spec.tenant);
  for (const QueuePlace& place : queue.places()) {
    if (place.group == stuck.job.group) {
      return std::nullopt;
    }
    const JobId head = NextOf(cluster, cluster.GetGroup(place.group));
    if (!head) {
      continue;
    }
    const absl::Time unlocks = cluster.GetJob(head).submitted_at + tenant.stepped_timeout;
    if (fifo || stuck.now < unlocks) {
      return Blocker{.code = ReasonCode::kQueueHead,
                     .job = head,
                     .until = fifo ? absl::InfinitePast() : unlocks};
    }
  }
  return std::nullopt;
}

Ahead AheadOf(const Cluster& cluster, const Stuck& stuck, ClassId device_class) {
  return Queue(cluster, stuck, device_class).Count();
}

}  // namespace berth
