#ifndef BERTH_SCHEDULER_CORE_JOB_REQUESTS_H_
#define BERTH_SCHEDULER_CORE_JOB_REQUESTS_H_

// What users ask of jobs. Each checks the actor's rights on the object, then changes the cluster;
// refused requests change nothing.

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "scheduler/core/event.h"
#include "scheduler/core/step.h"

namespace berth {

// Jobs of operators that name no tenant run in this one, which the bootstrap makes.
inline constexpr char kCenterTenant[] = "center";
inline constexpr char kDefaultProject[] = "default";

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const SubmitJob& request);
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const CancelJob& request);
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor, const HoldJob& request);
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const ReleaseJob& request);
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const UpdateJob& request);
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const RequeueRunningJob& request);
absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const NoteCheckpoint& request);

// Whether the actor may change this job: its own user, its tenant's admin, or an operator.
bool MayChange(const Actor& actor, const Job& job);

// The live job, if the actor may see and change it.
absl::StatusOr<const Job*> FindChangeableJob(const Step& step, const Actor& actor, JobId id);
absl::Status WrongState(const Job& job, absl::string_view wanted);
// No task of the job, which may be no array, has the index.
absl::Status NoSuchTask(const Job& job, int index);
Outcome JobOutcome(JobId id);

// What a spec must hold, however it came about.
absl::StatusOr<std::vector<ClassId>> ResolveClasses(const Cluster& cluster,
                                                    const std::vector<std::string>& names);
absl::Status CheckTimes(const Policy& policy, const JobSpec& spec);
absl::Status CheckShape(const Policy& policy, const GangShape& gang);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_JOB_REQUESTS_H_
