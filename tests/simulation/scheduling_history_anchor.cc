// The part of a history that watches its anchors: no start of a round may postpone one.

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"

#include "tests/simulation/plan_checks.h"
#include "tests/simulation/scheduling_history.h"

namespace berth {

// Whether a start of this owned claim goes before the anchor: any goes before a borrow request, and
// before an owned claim those of other tenants, of the tenant's own those of a higher priority or
// of the same that came earlier, and those in another queue.
bool SchedulingHistory::MayPass(const Job& job, const Anchor& anchor) const {
  const Job& anchored = cluster_.GetJob(anchor.job);
  const auto queue = [](const Job& of) {
    return of.spec.gang.classes.empty() ? ClassId() : of.spec.gang.classes.front();
  };
  const auto rank = [](const Job& of) { return std::pair(-of.spec.priority, of.id); };
  return anchored.spec.tenant != job.spec.tenant || rank(job) < rank(anchored) ||
         queue(job) != queue(anchored);
}

// Whether the anchor is an owned claim, not a borrow request that has waited for long. Behind a
// head that locks its tenant's queue nothing claims.
bool SchedulingHistory::IsClaim(const Anchor& anchor) const {
  const Job& job = cluster_.GetJob(anchor.job);
  const QuotaKey key{job.spec.tenant, ProjectId(), anchor.device_class};
  return !LocksQueue(key.tenant) &&
         cluster_.quota().EntitlementSum(anchor.device_class) <=
             cluster_.UsableDevices(anchor.device_class) &&
         CenterBooks(cluster_).UseOf(key.tenant, key.device_class).used() +
                 job.spec.gang.least_devices() <=
             cluster_.quota().Limits(key).entitlement;
}

bool SchedulingHistory::WouldBeOwned(const Anchor& anchor) const {
  const Job& job = cluster_.GetJob(anchor.job);
  return CenterBooks(cluster_).UseOf(job.spec.tenant, anchor.device_class).owned +
             job.spec.gang.least_devices() <=
         cluster_.quota().Limits({job.spec.tenant, ProjectId(), anchor.device_class}).entitlement;
}

bool SchedulingHistory::LocksQueue(TenantId tenant) const {
  const QueuePreset preset = cluster_.quota().FindTenant(tenant)->queue_preset;
  return preset == QueuePreset::kFifo || preset == QueuePreset::kStepped;
}

bool SchedulingHistory::StartsClaim(const Plan& plan, const Anchor& anchor) const {
  CenterBooks books(cluster_);
  const bool claims = IsClaim(anchor);
  return std::any_of(plan.starts.begin(), plan.starts.end(), [&](const Start& start) {
    const Job& job = cluster_.GetJob(start.job);
    const QuotaKey key{job.spec.tenant, ProjectId(), start.device_class};
    books.Start(job, start);
    const bool owned = books.UseOf(key.tenant, start.device_class).used() <=
                       cluster_.quota().Limits(key).entitlement;
    // An older request goes before a younger one; a task before the next of its array; and in a
    // queue that its head locks a higher priority before a lower one.
    const Job& anchored = cluster_.GetJob(anchor.job);
    const bool heads = LocksQueue(key.tenant) && anchored.spec.tenant == key.tenant &&
                       job.spec.priority > anchored.spec.priority;
    const bool older = start.job == anchor.job || (!claims && job.id < anchor.job) || heads ||
                       cluster_.nominations().contains(start.job);
    return start.device_class == anchor.device_class &&
           (older || (owned && (!claims || MayPass(job, anchor))));
  });
}

// Whether a gang's label changed: what is owned now is recalled no more, and was started so long as
// an owner could have started it then.
bool SchedulingHistory::LabelsMoved() {
  bool moved = false;
  for (JobId id : cluster_.active_jobs()) {
    const Attempt& attempt = cluster_.GetJob(id).attempt;
    const auto before = labels_.find({id, attempt.number});
    moved = moved || (before != labels_.end() && before->second != attempt.funding);
  }
  return moved;
}

void SchedulingHistory::NoteLabels() {
  labels_.clear();
  for (JobId id : cluster_.active_jobs()) {
    const Attempt& attempt = cluster_.GetJob(id).attempt;
    labels_[{id, attempt.number}] = attempt.funding;
  }
}

// What no start of a round may do: let the anchor's time move later. A recall, the end of a
// nomination, a node, a quota or a label that changed, and what goes before the anchor may.
void SchedulingHistory::Watch(const Plan& plan) {
  if (LabelsMoved() || !plan.recalls.empty() || !cluster_.nominations().empty()) {
    Disturb();
  }
  std::map<ClassId, Watched> next;
  for (const Anchor& anchor : plan.anchors) {
    findings_.Saw("anchors");
    const bool claims = StartsClaim(plan, anchor);
    const auto before = watched_.find(anchor.device_class);
    // Rule T1 binds only what is labelled owned, as the anchor is once what its tenant owns has
    // ended, be it before its time.
    const bool bound = OwesBlocks(cluster_, anchor.device_class) && WouldBeOwned(anchor);
    if (before != watched_.end() && before->second.anchor.job == anchor.job &&
        before->second.undisturbed && !claims && before->second.claims == IsClaim(anchor) &&
        bound == before->second.bound) {
      const std::string about =
          absl::StrFormat("job %d, by %s", anchor.job.value(),
                          absl::FormatDuration(anchor.shadow - before->second.anchor.shadow));
      findings_.Expect("anchor never postponed",
                       anchor.shadow <= std::max(before->second.anchor.shadow, now_), about);
    } else if (before != watched_.end() && before->second.anchor.job != anchor.job &&
               cluster_.FindJob(before->second.anchor.job) != nullptr) {
      findings_.Saw("anchors displaced");
    }
    next[anchor.device_class] = {anchor, !claims, IsClaim(anchor), bound};
  }
  watched_ = std::move(next);
}

}  // namespace berth
