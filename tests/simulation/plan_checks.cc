#include "tests/simulation/plan_checks.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"

namespace berth {
namespace {

std::string About(const Job& job) {
  return absl::StrFormat("job %d of tenant %d", job.id.value(), job.spec.tenant.value());
}

bool IsKeptFor(const Cluster& cluster, JobId job, NodeId node, int index) {
  const auto claim = cluster.nominations().find(job);
  if (claim == cluster.nominations().end()) {
    return false;
  }
  for (const Placement& member : claim->second.members) {
    if (member.node == node &&
        std::any_of(member.devices.begin(), member.devices.end(),
                    [index](const DeviceShare& share) { return share.index == index; })) {
      return true;
    }
  }
  return false;
}

bool IsClaim(const Cluster& cluster, JobId job) {
  return cluster.nominations().contains(job);
}

// A start, or a claim whose devices may still be held.
struct Taking {
  const Start& start;
  bool waits = false;
};

// A share goes to a free device, or beside others of its project and label while there is room.
void CheckShare(const PlanView& view, const Job& job, const Start& start,
                const CenterBooks::DeviceState& device, Findings& findings) {
  const int asked = start.members.front().devices.front().milli;
  findings.Expect(
      "milli-devices",
      asked == job.spec.gang.device_share_milli && device.milli + asked <= kWholeDeviceMilli,
      About(job) + " gets more of a device than there is");
  if (!device.held()) {
    return;
  }
  findings.Saw("shares beside others");
  const Job* other = view.cluster.FindJob(device.sharer);
  const bool known = other != nullptr && other->spec.project == job.spec.project &&
                     other->spec.preemptible == job.spec.preemptible;
  findings.Expect("shares stay in a project",
                  known && (device.owner == job.spec.tenant) == (start.funding == Funding::kOwned),
                  About(job) + " shares a device with others than those of its project and label");
}

void CheckMember(const PlanView& view, const CenterBooks& books, const Taking& taking,
                 const Placement& member, Findings& findings) {
  const Job& job = view.cluster.GetJob(taking.start.job);
  findings.Expect("gangs atomic",
                  static_cast<int>(member.devices.size()) == job.spec.gang.devices_per_node,
                  About(job) + " gets another number of devices on a node");
  for (const DeviceShare& share : member.devices) {
    const CenterBooks::DeviceState* device = books.FindDevice(member.node, share.index);
    const bool known =
        device != nullptr && device->usable && device->device_class == taking.start.device_class;
    findings.Expect("places exist", known, About(job) + " gets an unusable device");
    if (!known) {
      return;
    }
    if (job.spec.gang.device_share_milli > 0 && !taking.waits) {
      CheckShare(view, job, taking.start, *device, findings);
    } else {
      findings.Expect("no device twice", taking.waits || !device->held(),
                      About(job) + " gets a device that is held");
    }
    findings.Expect("nominated devices",
                    !device->nominated || IsKeptFor(view.cluster, job.id, member.node, share.index),
                    About(job) + " gets a device that is kept for a claim");
  }
}

// What is asked for beside devices: processors and memory, one domain.
void CheckHosts(const PlanView& view, const CenterBooks& books, const Taking& taking,
                Findings& findings) {
  const Job& job = view.cluster.GetJob(taking.start.job);
  const GangShape& gang = job.spec.gang;
  std::set<std::string> domains;
  for (const Placement& member : taking.start.members) {
    domains.insert(DomainOf(gang.topology, view.cluster.GetNode(member.node)));
    if (gang.per_node.cpu_milli > 0 && !taking.waits) {
      findings.Expect("host resources", books.HasHost(member.node, gang.per_node),
                      About(job) + " gets more of a host than is free");
    }
  }
  if (gang.topology_required) {
    findings.Expect("one domain", domains.size() == 1, About(job) + " is spread too far");
  }
}

void CheckGang(const PlanView& view, const CenterBooks& books, const Taking& taking,
               Findings& findings) {
  const Start& start = taking.start;
  const Job& job = view.cluster.GetJob(start.job);
  const GangShape& gang = job.spec.gang;
  const auto members = static_cast<int>(start.members.size());
  std::set<NodeId> nodes;
  for (const Placement& member : start.members) {
    nodes.insert(member.node);
    CheckMember(view, books, taking, member, findings);
  }
  CheckHosts(view, books, taking, findings);
  findings.Expect("gangs atomic",
                  members >= gang.least_nodes() && members <= gang.nodes &&
                      static_cast<int>(nodes.size()) == members,
                  About(job) + " starts with another number of nodes than it asked for");
  const bool suits = gang.classes.empty() ||
                     std::count(gang.classes.begin(), gang.classes.end(), start.device_class) > 0;
  findings.Expect("places exist", suits, About(job) + " starts in a class it did not ask for");
}

bool LeavesKept(const PlanView& view, const CenterBooks& after, const Job& job,
                ClassId device_class) {
  int64_t kept = 0;
  for (const auto& [id, tenant] : view.cluster.quota().tenants()) {
    if (id != job.spec.tenant) {
      const int64_t has =
          after.UseOf(id, device_class).used() + after.NominatedFor(id, device_class);
      kept += std::max<int64_t>(
          view.cluster.quota().Limits({id, ProjectId(), device_class}).non_lendable - has, 0);
    }
  }
  return kept <= std::max<int64_t>(after.FreeDevices(device_class), 0);
}

// What there is after a start. Owners claim before anybody borrows, a swap inside a tenant is
// decided before the start or after it.
struct Afterwards {
  CenterBooks with_swaps;
  CenterBooks without;
};

// Only a job that must own what it has takes labels, of a lower priority of its tenant that may
// borrow, and no more than it needs: until `bound` devices are owned.
void CheckRelabelled(const PlanView& view, const Start& start, CenterBooks books, int64_t bound,
                     Findings& findings) {
  const Job& job = view.cluster.GetJob(start.job);
  for (JobId id : start.relabelled) {
    const Job& yields = view.cluster.GetJob(id);
    findings.Expect("labels taken",
                    !(job.spec.preemptible && job.spec.may_borrow) && yields.spec.preemptible &&
                        yields.spec.may_borrow && yields.attempt.funding == Funding::kOwned &&
                        yields.spec.tenant == job.spec.tenant &&
                        yields.spec.priority < job.spec.priority &&
                        books.UseOf(job.spec.tenant, start.device_class).owned > bound,
                    About(job) + " takes the label of one that need not give it");
    books.TakeLabel(yields);
  }
}

void CheckStart(const PlanView& view, const Start& start, const CenterBooks& before,
                const Afterwards& after, Findings& findings) {
  const Job& job = view.cluster.GetJob(start.job);
  const ClassId device_class = start.device_class;
  const int64_t count = before.NewDevices(start.members);
  findings.Expect("never borrows", job.spec.may_borrow || start.funding != Funding::kBorrowed,
                  About(job) + " must not borrow and does");
  if (count == 0) {
    return;  // a share of an open device: the quota counts it already
  }
  const QuotaLimits limits =
      view.cluster.quota().Limits({job.spec.tenant, ProjectId(), device_class});
  const CenterBooks::Use use = before.UseOf(job.spec.tenant, device_class);
  if (limits.limit.has_value()) {
    findings.Expect("A1 limit", use.used() + count <= *limits.limit,
                    About(job) + " exceeds the limit of its tenant");
  }
  const auto project_limit =
      view.cluster.quota().Limits({job.spec.tenant, job.spec.project, device_class}).limit;
  if (project_limit.has_value()) {
    findings.Expect("A1 project limit",
                    before.ProjectUse(job.spec.project, device_class) + count <= *project_limit,
                    About(job) + " exceeds the limit of its project");
  }
  if (!job.spec.preemptible) {
    findings.Expect("A2 non-preemptible", use.non_preemptible + count <= limits.entitlement,
                    About(job) + " may not be stopped and exceeds the entitlement");
  }
  const bool was_claim = IsClaim(view.cluster, job.id);
  // Room that the tenant's claims wait for is not there for others.
  CenterBooks others = before;
  others.Lapse(job.id);
  int64_t waiting = others.NominatedFor(job.spec.tenant, device_class);
  for (const Recall& recall : view.plan.recalls) {
    waiting +=
        recall.certificate.tenant == job.spec.tenant && recall.claim.device_class == device_class
            ? CountDevices(recall.claim.members)
            : 0;
  }
  CheckRelabelled(view, start, before, limits.entitlement - waiting - count, findings);
  CenterBooks relabelled = before;
  for (JobId id : start.relabelled) {
    relabelled.TakeLabel(view.cluster.GetJob(id));
  }
  const bool owned =
      relabelled.UseOf(job.spec.tenant, device_class).owned + count <= limits.entitlement;
  const bool has_room = use.owned + waiting + count <= limits.entitlement;
  findings.Expect("labels", start.funding == Funding::kOwned ? owned : !has_room,
                  About(job) + (owned ? " fits what is owned and is borrowed"
                                      : " is owned beyond the entitlement"));
  if (use.used() + count > limits.entitlement && !was_claim) {
    findings.Expect("A4 non-lendable",
                    LeavesKept(view, after.with_swaps, job, device_class) ||
                        LeavesKept(view, after.without, job, device_class),
                    About(job) + " borrows what is never lent");
  }
}

bool IsLive(const Job& job) {
  return job.state == JobState::kRunning || job.state == JobState::kStarting ||
         job.state == JobState::kDispatching;
}

void CheckVictim(const PlanView& view, const CenterBooks& books, const Recall& recall,
                 const ReclaimCandidate& victim, Findings& findings) {
  const Job* job = view.cluster.FindJob(victim.job);
  const bool live = job != nullptr && IsLive(*job);
  findings.Expect("no owned victim", live && job->spec.preemptible,
                  "a victim does not run, or may not be stopped");
  if (!live) {
    return;
  }
  const Job& claim = view.cluster.GetJob(recall.claim.job);
  if (recall.certificate.within_tenant) {
    findings.Expect(
        "priority within a tenant",
        job->spec.tenant == claim.spec.tenant && job->spec.priority < claim.spec.priority,
        About(*job) + " is stopped by one that does not go before it");
    return;
  }
  findings.Expect("no owned victim", job->attempt.funding == Funding::kBorrowed,
                  About(*job) + " is owned and is stopped");
  if (job->spec.tenant != claim.spec.tenant) {
    const ClassId device_class = recall.claim.device_class;
    const int64_t owns =
        view.cluster.quota().Limits({job->spec.tenant, ProjectId(), device_class}).entitlement;
    findings.Expect("no loss within E",
                    books.UseOf(job->spec.tenant, device_class).used() +
                            books.NominatedFor(job->spec.tenant, device_class) >
                        owns,
                    About(*job) + " is stopped though its tenant uses no more than it owns");
  }
}

}  // namespace

void CheckPlaces(const PlanView& view, Findings& findings) {
  CenterBooks books(view.cluster);
  for (const Start& start : view.plan.starts) {
    CheckGang(view, books, {start}, findings);
    const Job& job = view.cluster.GetJob(start.job);
    const std::set<NodeId> closed = ClosedTo(view.cluster, job, view.now);
    for (const Placement& member : start.members) {
      findings.Expect("closed nodes",
                      !closed.contains(member.node) || IsClaim(view.cluster, job.id),
                      About(job) + " starts where it may not be until its end");
    }
    books.Start(job, start);
  }
  for (const Recall& recall : view.plan.recalls) {
    CheckGang(view, books, {recall.claim, true}, findings);
    books.Nominate(view.cluster.GetJob(recall.claim.job), recall.claim);
  }
}

void CheckLimits(const PlanView& view, Findings& findings) {
  CenterBooks before(view.cluster);
  Afterwards after{before, before};
  for (const Recall& recall : view.plan.recalls) {
    const Job& claim = view.cluster.GetJob(recall.claim.job);
    after.with_swaps.Nominate(claim, recall.claim);
    if (!recall.certificate.within_tenant) {
      after.without.Nominate(claim, recall.claim);
    }
  }
  for (const Start& start : view.plan.starts) {
    if (!start.device_class) {
      continue;
    }
    const Job& job = view.cluster.GetJob(start.job);
    after.with_swaps.Start(job, start);
    after.without.Start(job, start);
    CheckStart(view, start, before, after, findings);
    before.Start(job, start);
  }
}

void CheckVictims(const PlanView& view, Findings& findings) {
  const CenterBooks books(view.cluster);
  std::set<JobId> stopped;
  for (const Recall& recall : view.plan.recalls) {
    const Reclaim& certificate = recall.certificate;
    findings.Saw(certificate.within_tenant ? "recalls within a tenant" : "recalls of an owner");
    const int64_t asked = CountDevices(recall.claim.members);
    const int64_t owns = view.cluster.quota()
                             .Limits({certificate.tenant, ProjectId(), certificate.device_class})
                             .entitlement;
    const int64_t used = books.UseOf(certificate.tenant, certificate.device_class).used();
    findings.Expect(
        "R1", certificate.within_tenant || used + asked <= owns,
        absl::StrFormat("job %d claims beyond its entitlement", recall.claim.job.value()));
    for (const ReclaimCandidate& candidate : certificate.candidates) {
      if (candidate.chosen) {
        findings.Expect("no owned victim", stopped.insert(candidate.job).second,
                        "a gang is stopped for two claims");
        CheckVictim(view, books, recall, candidate, findings);
      }
    }
  }
}

void CheckPlan(const PlanView& view, Findings& findings) {
  CheckPlaces(view, findings);
  CheckKeptHosts(view, findings);
  CheckLimits(view, findings);
  CheckVictims(view, findings);
  CheckCertificates(view, findings);
  CheckMinimal(view, findings);
  CheckOwedBlocks(view, findings);
}

}  // namespace berth
