#ifndef BERTH_SCHEDULER_CORE_CENTER_REQUESTS_H_
#define BERTH_SCHEDULER_CORE_CENTER_REQUESTS_H_

// What operators and tenant admins ask: tenants, projects, users, tokens. (Quotas:
// quota_requests.h; nodes: node_requests.h.) Each checks the actor's rights on the object, then
// changes the cluster; refused requests change nothing.

#include "absl/status/statusor.h"

#include "scheduler/core/event.h"
#include "scheduler/core/step.h"

namespace berth {

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const AddTenant& request);
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const AddProject& request);
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor, const AddUser& request);
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const AddToken& request);
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const RevokeToken& request);
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const BootstrapOperator& request);
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const SetTenantQueue& request);
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const SuspendTenant& request);

// The tenant of this name if the actor may see it; "" is the actor's own. NotFound otherwise.
absl::StatusOr<const Tenant*> FindVisibleTenant(const Cluster& cluster, const Actor& actor,
                                                absl::string_view name);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_CENTER_REQUESTS_H_
