#ifndef BERTH_SCHEDULER_CORE_QUOTA_REQUESTS_H_
#define BERTH_SCHEDULER_CORE_QUOTA_REQUESTS_H_

// Setting what a tenant or a project owns and may use, with its preview, and reading it back.

#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "scheduler/core/event.h"
#include "scheduler/core/step.h"

namespace berth {

// Operators set tenants', tenant admins split their own among their projects. Refused with the
// numbers: E > L, N > E, projects above their tenant, tenants above the capacity unless said so.
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const SetQuota& request);

// The edits whose time has come. One that is not possible any more is dropped, and said so in the
// Changes.
void ApplyQuotaEdits(const Step& step);

// One row with its present use.
QuotaRow MakeQuotaRow(const Cluster& cluster, const QuotaKey& key);
// The rows of one tenant or of all, per class; projects with limits of their own
// after their tenant.
std::vector<QuotaRow> ListQuotaRows(const Cluster& cluster, std::optional<TenantId> tenant);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_QUOTA_REQUESTS_H_
