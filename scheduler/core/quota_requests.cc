#include "scheduler/core/quota_requests.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/core/center_requests.h"
#include "scheduler/core/names.h"
#include "scheduler/core/quota_checks.h"
#include "scheduler/core/utc_text.h"

namespace berth {
namespace {

absl::StatusOr<QuotaKey> ResolveKey(const Step& step, const Actor& actor, const SetQuota& request) {
  ASSIGN_OR_RETURN(const Tenant* tenant, FindVisibleTenant(step.cluster, actor, request.tenant));
  QuotaKey key{tenant->id, ProjectId(), ClassId()};
  if (request.project.empty() && actor.role != Role::kOperator) {
    return MakeError(absl::StatusCode::kPermissionDenied,
                     {.code = "B7205",
                      .message = "only an operator may set a tenant's quota",
                      .why = "tenant admins split it among their projects",
                      .fix = "add --project NAME"});
  }
  if (!request.project.empty()) {
    const Project* project = step.cluster.quota().FindProjectByName(tenant->id, request.project);
    if (project == nullptr) {
      return MakeError(absl::StatusCode::kNotFound,
                       {.code = "B2002",
                        .message = absl::StrFormat("tenant \"%s\" has no project \"%s\"",
                                                   tenant->name, request.project),
                        .why = "",
                        .fix = "berth project list"});
    }
    key.project = project->id;
  }
  RETURN_IF_ERROR(CheckName("device class", request.device_class));
  const auto device_class = step.cluster.FindClass(request.device_class);
  if (device_class.has_value()) {
    key.device_class = *device_class;
  } else if (!request.allow_oversell) {
    std::vector<std::string> known;
    for (const auto& [id, name] : step.cluster.classes()) {
      known.push_back(name);
    }
    return MakeError(
        absl::StatusCode::kInvalidArgument,
        {.code = "B2316",
         .message = absl::StrCat("no node has devices of class \"", request.device_class, "\""),
         .why = absl::StrCat("known classes: ", absl::StrJoin(known, ", ")),
         .fix = "for nodes still to come say --allow-oversell"});
  }
  return key;
}

// What the edit does to jobs: labels and starts. Nothing running is stopped by it.
std::vector<std::string> ApplyLimits(Cluster& cluster, const QuotaKey& key,
                                     const QuotaLimits& limits) {
  std::vector<std::string> effects;
  cluster.PutLimits(key, limits);
  if (key.project) {
    return effects;
  }
  const int64_t borrowed_before = cluster.quota().Use(key).borrowed;
  for (JobId id : cluster.DowngradeLabels(key.tenant, key.device_class)) {
    effects.push_back(absl::StrFormat("job %d becomes borrowed and may be recalled", id.value()));
  }
  cluster.UpgradeLabels(key.tenant, key.device_class);
  const QuotaUse use = cluster.quota().Use(key);
  if (use.borrowed < borrowed_before) {
    effects.push_back(
        absl::StrFormat("%d borrowed devices in use become owned", borrowed_before - use.borrowed));
  }
  if (limits.limit.has_value() && use.used() > *limits.limit) {
    effects.push_back(absl::StrFormat(
        "%d devices are in use, above the limit %d: nothing is stopped, nothing more starts",
        use.used(), *limits.limit));
  }
  if (use.non_preemptible > limits.entitlement) {
    effects.push_back(
        absl::StrFormat("%d devices of jobs that may not be stopped stay above the entitlement %d",
                        use.non_preemptible, limits.entitlement));
  }
  return effects;
}

// The edit takes effect later, through the checks of that moment.
// Another edit of the same quota takes the place of one that is still to come.
void NoteReplacedEdit(const Cluster& cluster, const QuotaKey& key, Outcome& outcome) {
  const auto edit = cluster.quota_edits().find(key);
  if (edit != cluster.quota_edits().end()) {
    outcome.notes.push_back(
        absl::StrCat("replaces the edit that was to come at ", UtcText(edit->second.effective_at)));
  }
}

Outcome KeepForLater(const Step& step, const Actor& actor, const QuotaKey& key,
                     const SetQuota& request) {
  Outcome outcome;
  outcome.tenant = key.tenant;
  outcome.project = key.project;
  outcome.quota_before = MakeQuotaRow(step.cluster, key);
  outcome.quota_after = outcome.quota_before;
  outcome.quota_after.limits = request.limits;
  outcome.notes.push_back(absl::StrCat("takes effect at ", UtcText(request.effective_at)));
  NoteReplacedEdit(step.cluster, key, outcome);
  const absl::Status now =
      CheckQuotaSums(step.cluster, key, request.limits, request.allow_oversell);
  if (!now.ok()) {
    outcome.notes.push_back(
        absl::StrCat("as things are now it would be dropped then: ", now.message()));
  }
  if (!request.dry_run) {
    step.cluster.PutQuotaEdit({.key = key,
                               .limits = request.limits,
                               .effective_at = request.effective_at,
                               .by = actor.user,
                               .allow_oversell = request.allow_oversell});
  }
  return outcome;
}

}  // namespace

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const SetQuota& request) {
  RETURN_IF_ERROR(CheckQuotaNumbers(request.limits));
  ASSIGN_OR_RETURN(QuotaKey key, ResolveKey(step, actor, request));
  const bool later = request.effective_at > step.now;
  if (!later) {
    RETURN_IF_ERROR(CheckQuotaSums(step.cluster, key, request.limits, request.allow_oversell));
  }
  // A preview is the same edit on a copy.
  Cluster fork;
  if (request.dry_run) {
    fork = step.cluster;
  }
  Cluster& cluster = request.dry_run ? fork : step.cluster;
  if (!key.device_class) {
    key.device_class = cluster.InternClass(request.device_class);
  }
  if (later) {
    const Step on{cluster, step.policy, step.sched_epoch, step.now, step.commands};
    return KeepForLater(on, actor, key, request);
  }
  Outcome outcome;
  outcome.tenant = key.tenant;
  outcome.project = key.project;
  outcome.quota_before = MakeQuotaRow(cluster, key);
  outcome.notes = ApplyLimits(cluster, key, request.limits);
  NoteReplacedEdit(cluster, key, outcome);
  cluster.DropQuotaEdit(key, "");
  outcome.quota_after = MakeQuotaRow(cluster, key);
  return outcome;
}

void ApplyQuotaEdits(const Step& step) {
  std::vector<QuotaEdit> due;
  for (const auto& [key, edit] : step.cluster.quota_edits()) {
    if (edit.effective_at <= step.now) {
      due.push_back(edit);
    }
  }
  // What one gives up another may get at the same time: again until nothing more is possible.
  std::map<QuotaKey, absl::Status> refused;
  for (size_t left = due.size() + 1; !due.empty() && due.size() < left;) {
    left = due.size();
    std::erase_if(due, [&](const QuotaEdit& edit) {
      const absl::Status status =
          CheckQuotaSums(step.cluster, edit.key, edit.limits, edit.allow_oversell);
      if (!status.ok()) {
        refused[edit.key] = status;
        return false;
      }
      ApplyLimits(step.cluster, edit.key, edit.limits);
      step.cluster.DropQuotaEdit(edit.key, "");
      return true;
    });
  }
  for (const QuotaEdit& edit : due) {
    step.cluster.DropQuotaEdit(edit.key, refused.at(edit.key).message());
  }
}

QuotaRow MakeQuotaRow(const Cluster& cluster, const QuotaKey& key) {
  QuotaRow row;
  row.key = key;
  row.limits = cluster.quota().Limits(key);
  row.use = cluster.quota().Use(key);
  row.pending = cluster.PendingDevices(key.tenant, key.project, key.device_class);
  row.capacity = cluster.UsableDevices(key.device_class);
  // Lent: what the tenant owns and does not use, as far as others borrow.
  int64_t borrowed_by_others = 0;
  for (const auto& [id, tenant] : cluster.quota().tenants()) {
    if (id != key.tenant) {
      borrowed_by_others += cluster.quota().Use({id, ProjectId(), key.device_class}).borrowed;
    }
  }
  const int64_t idle = std::max<int64_t>(row.limits.entitlement - row.use.used(), 0);
  row.lent = key.project ? 0 : std::min(idle, borrowed_by_others);
  return row;
}

std::vector<QuotaRow> ListQuotaRows(const Cluster& cluster, std::optional<TenantId> tenant) {
  std::vector<QuotaRow> rows;
  for (const auto& [id, record] : cluster.quota().tenants()) {
    if (tenant.has_value() && *tenant != id) {
      continue;
    }
    for (ClassId device_class : cluster.quota().ClassesOf(id)) {
      rows.push_back(MakeQuotaRow(cluster, {id, ProjectId(), device_class}));
      for (const auto& [project_id, project] : cluster.quota().projects()) {
        const QuotaKey key{id, project_id, device_class};
        if (project.tenant == id && cluster.quota().limits().contains(key)) {
          rows.push_back(MakeQuotaRow(cluster, key));
        }
      }
    }
  }
  return rows;
}

}  // namespace berth
