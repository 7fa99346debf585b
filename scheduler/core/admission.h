#ifndef BERTH_SCHEDULER_CORE_ADMISSION_H_
#define BERTH_SCHEDULER_CORE_ADMISSION_H_

// Is this spec acceptable at all? The reasons for "never": what could not start on an idle center
// under the present quotas is refused at submit, not queued.

#include <string>
#include <vector>

#include "absl/status/status.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/job.h"

namespace berth {

// OK, or why the job can never run: FailedPrecondition with refused_by_entitlement and the bound.
// Nodes that are silent or drained count: they may come back.
absl::Status CheckAdmission(const Cluster& cluster, const JobSpec& spec);

// What the submitter should know although the job is accepted, e.g. that it can be recalled.
std::vector<std::string> AdmissionNotes(const Cluster& cluster, const JobSpec& spec);

// Whether nodes that are there, without `avoided`, could hold the gang's least size, were they
// empty, of a class that the quotas let it have.
bool HasPlaceWithout(const Cluster& cluster, const JobSpec& spec,
                     const std::vector<NodeId>& avoided);

// The classes a gang may use, in the order they are tried: as asked, or, if none was named, those
// the tenant owns first, then the others by name.
std::vector<ClassId> ClassOrder(const Cluster& cluster, TenantId tenant, const GangShape& gang);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_ADMISSION_H_
