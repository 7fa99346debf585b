#ifndef BERTH_SCHEDULER_CONVERT_H_
#define BERTH_SCHEDULER_CONVERT_H_

// Proto messages <-> core structs: the only files that know both. convert.cc holds jobs and nodes,
// convert_past.cc attempts, certificates and bookings, convert_explain.cc explanations,
// convert_center.cc the nouns of the center, convert_submit.cc and convert_gang.cc the submissions,
// convert_agent.cc the agents' side.

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "proto/agent_api.pb.h"
#include "proto/client_api.pb.h"
#include "scheduler/control_loop.h"
#include "scheduler/core/explain.h"

namespace berth {

// ---- Users' side ----
// Checks form and bounds of everything in the spec (InvalidArgument with code B12xx); names are
// resolved by the engine. The parts that the core does not see (command, environment ...) are
// checked too.
absl::StatusOr<SubmitJob> ToSubmitJob(const v1::SubmitJobRequest& request);
// Submission key and payload of the same request. `request.spec` is what the agents will get.
SubmitPayload ToSubmitPayload(const v1::SubmitJobRequest& request);
// The tenant that a list is about: the named one, the actor's own, or none (all) for people of the
// center. A tenant that the actor may not see is NotFound.
absl::StatusOr<std::optional<TenantId>> ToListedTenant(absl::string_view name, const Actor& actor,
                                                       const Cluster& cluster);
// 0 means the default; more than the bound means the bound.
absl::StatusOr<int> ToPageSize(int page_size);
absl::StatusOr<JobListQuery> ToJobListQuery(const v1::ListJobsRequest& request, const Actor& actor,
                                            const Cluster& cluster);

v1::Job ToProto(const JobRecord& record, const Cluster& cluster);
v1::JobEnd ToProto(const JobEnd& end);
v1::CancelledTasks ToProto(const CancelledTasks& tasks);
v1::JobNotice ToProto(const JobNotice& notice);
v1::Attempt ToProto(const Attempt& attempt, const Cluster& cluster);
// Names only what the actor may see; the numbers stay, so that everybody can check them.
v1::Reclaim ToProto(const Reclaim& reclaim, const Actor& actor, const Cluster& cluster);
v1::Booking ToProto(const Booking& booking, const Cluster& cluster);
// Everything that was worked out; the job itself and its past are the caller's.
void FillExplanation(const Explanation& explanation, const Actor& actor, const Cluster& cluster,
                     v1::Explanation& message);
v1::Allocation ToProto(const AllocationRecord& record, const Cluster& cluster);
// `with_tenants` only for callers who may see other tenants.
v1::Node ToProto(const Node& node, const Cluster& cluster, bool with_tenants);
v1::QuotaRow ToProto(const QuotaRow& row, const Cluster& cluster);
v1::QuotaEdit ToProto(const QuotaEdit& edit, const Cluster& cluster);
v1::Tenant ToProto(const Tenant& tenant);
v1::Project ToProto(const Project& project, const Cluster& cluster);
v1::User ToProto(const User& user, const Cluster& cluster);
v1::Token ToProto(const Token& token, const Cluster& cluster);
absl::StatusOr<QuotaLimits> ToQuotaLimits(const v1::QuotaLimits& limits);
v1::Role ToProto(Role role);
std::optional<Role> ToRole(v1::Role role);

// ---- Agents' side ----
// Whether a message has a form that the functions below can convert.
absl::Status CheckFacts(const v1::NodeFacts& facts);
absl::Status CheckReport(const v1::Report& report);
absl::Status CheckHeartbeat(const v1::Heartbeat& heartbeat);
absl::Status CheckNotices(const v1::Notices& notices);
absl::StatusOr<AgentHello> ToAgentHello(const v1::Hello& hello);  // node and session are left empty
AgentHeartbeat ToAgentHeartbeat(const v1::Heartbeat& heartbeat);
AgentNotices ToAgentNotices(const v1::Notices& notices);
TaskReport ToTaskReport(const v1::Report& report);
ReportedFacts ToReportedFacts(const v1::NodeFacts& facts);
v1::SchedulerMessage ToProto(const NodeCommand& command);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CONVERT_H_
