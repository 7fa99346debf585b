#ifndef BERTH_TESTS_SIMULATION_PLAN_CHECKS_H_
#define BERTH_TESTS_SIMULATION_PLAN_CHECKS_H_

// Properties of one plan, judged from the cluster it was made of (quota.md). Each is a function of
// its arguments and counts what it looked at.

#include <map>

#include "scheduler/core/plan.h"
#include "scheduler/core/policy.h"
#include "tests/simulation/center_books.h"
#include "tests/simulation/findings.h"

namespace berth {

struct PlanView {
  const Cluster& cluster;
  const Policy& policy;
  absl::Time now;
  const Plan& plan;
};

// Gangs are whole, on distinct usable nodes that no booking takes from them, on devices that nobody
// holds and that are kept for nobody else; no device is given out twice, nor more than all of it,
// and shares of a device are for one project.
void CheckPlaces(const PlanView& view, Findings& findings);
// What claims of the cluster will take of the nodes' processors and memory, but for those that
// start or lapse with the plan.
std::map<NodeId, HostResources> HostsClaimed(const PlanView& view);
// A start leaves the claims on its nodes the processors and the memory that they will take: of what
// is free, or comes back with their devices.
void CheckKeptHosts(const PlanView& view, Findings& findings);
// No start exceeds the limit of its tenant or project (A1), what may not be stopped stays within
// the entitlement (A2), a borrow request leaves the others' non-lendable parts free (A4), and a
// start is owned exactly when the owned sum stays within the entitlement (Labels, I1).
void CheckLimits(const PlanView& view, Findings& findings);
// R1 and R2: other tenants lose borrowed gangs only, to a claim within its owner's entitlement, and
// only while they use more than they own; within a tenant only a lower priority is stopped.
void CheckVictims(const PlanView& view, Findings& findings);
// R3 to R5: the certificate's numbers are those of the cluster, and asked in the order of R3.
void CheckCertificates(const PlanView& view, Findings& findings);
// R4: no proper subset of the victims would do, and no other subset of those asked costs less.
void CheckMinimal(const PlanView& view, Findings& findings);

// T1: after every owned start as many of the owed blocks can be found as before, by an exact
// search.
void CheckOwedBlocks(const PlanView& view, Findings& findings);

// All of them.
void CheckPlan(const PlanView& view, Findings& findings);

// For a cluster at rest: no owned claim waits although its devices could be recalled. A claim
// behind an anchor of another owned claim, or behind its own tenant's head, waits for that.
void CheckOwnedClaims(const Cluster& cluster, const Policy& policy, absl::Time now,
                      Findings& findings);
// For a cluster at rest: a borrow request that has waited for Policy::borrow_age waits behind an
// anchor of its class, and behind no younger request.
void CheckStarvation(const Cluster& cluster, const Policy& policy, absl::Time now,
                     Findings& findings);

}  // namespace berth

#endif  // BERTH_TESTS_SIMULATION_PLAN_CHECKS_H_
