#include "scheduler/core/center_requests.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/core/job_requests.h"
#include "scheduler/core/names.h"

namespace berth {
namespace {

absl::Status NoSuch(absl::string_view what, absl::string_view name, absl::string_view fix) {
  return MakeError(absl::StatusCode::kNotFound,
                   {.code = "B2003",
                    .message = absl::StrCat("no ", what, " \"", name, "\""),
                    .why = "",
                    .fix = fix});
}

absl::Status Exists(absl::string_view what, absl::string_view name) {
  return MakeError(absl::StatusCode::kAlreadyExists,
                   {.code = "B2004",
                    .message = absl::StrCat(what, " \"", name, "\" exists already"),
                    .why = "names are unique",
                    .fix = "choose another name"});
}

absl::Status Denied(absl::string_view message, absl::string_view why) {
  return MakeError(absl::StatusCode::kPermissionDenied,
                   {.code = "B7204", .message = message, .why = why, .fix = ""});
}

TenantId AddTenantWithProject(const Step& step, Tenant tenant) {
  tenant.created_at = step.now;
  const TenantId id = step.cluster.AddTenant(std::move(tenant));
  step.cluster.AddProject({ProjectId(), id, kDefaultProject, step.now});
  return id;
}

// A role may be given by who holds more: members by a tenant's admin, all by an operator.
absl::Status CheckGrant(const Actor& actor, Role role) {
  if (role == Role::kNode) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.code = "B1212",
                      .message = "a user cannot have the role node",
                      .why = "",
                      .fix = "berth token create --node NAME"});
  }
  const bool allowed =
      actor.role == Role::kOperator || (actor.role == Role::kTenantAdmin && role == Role::kMember);
  return allowed
             ? absl::OkStatus()
             : Denied(absl::StrCat("a ", Name(actor.role), " may not grant the role ", Name(role)),
                      "nobody grants what is above their own role");
}

// The user a token is for, if the actor may make one for them.
absl::StatusOr<const User*> FindTokenUser(const Step& step, const Actor& actor,
                                          const AddToken& request) {
  if (request.user.empty()) {
    return step.cluster.FindUser(actor.user);
  }
  const bool center = actor.IsCenter() && request.tenant.empty();
  TenantId tenant_id;
  if (!center) {
    ASSIGN_OR_RETURN(const Tenant* tenant, FindVisibleTenant(step.cluster, actor, request.tenant));
    tenant_id = tenant->id;
  }
  const User* user = step.cluster.FindUserByName(tenant_id, request.user);
  if (user == nullptr) {
    return NoSuch("user", request.user, "berth user list");
  }
  const bool allowed = actor.role == Role::kOperator || actor.user == user->id ||
                       (actor.role == Role::kTenantAdmin && actor.tenant == user->tenant);
  if (!allowed) {
    return Denied(absl::StrCat("a ", Name(actor.role), " may make tokens for themselves only"),
                  "tenant admins make them for their tenant's users");
  }
  return user;
}

absl::StatusOr<Outcome> AddNodeToken(const Step& step, const Actor& actor,
                                     const AddToken& request) {
  if (actor.role != Role::kOperator) {
    return Denied("only an operator may make a token for a node", "");
  }
  RETURN_IF_ERROR(CheckName("node", request.node));
  Token token;
  token.id = request.id;
  token.secret_hash = request.secret_hash;
  token.node = step.cluster.EnsureNode(request.node);
  token.role = Role::kNode;
  token.created_by = actor.user;
  token.created_at = step.now;
  token.expires_at = step.now + (request.lifetime > absl::ZeroDuration()
                                     ? std::min(request.lifetime, step.policy.node_token_lifetime)
                                     : step.policy.node_token_lifetime);
  Outcome outcome;
  outcome.node = token.node;
  outcome.token_id = token.id;
  step.cluster.PutToken(std::move(token));
  return outcome;
}

}  // namespace

absl::StatusOr<const Tenant*> FindVisibleTenant(const Cluster& cluster, const Actor& actor,
                                                absl::string_view name) {
  const Tenant* tenant = name.empty() ? cluster.quota().FindTenant(actor.tenant)
                                      : cluster.quota().FindTenantByName(name);
  if (tenant == nullptr || !actor.MaySee(tenant->id)) {
    return name.empty() ? MakeError(absl::StatusCode::kInvalidArgument,
                                    {.code = "B1213",
                                     .message = "which tenant?",
                                     .why = "your token belongs to the center, not to a tenant",
                                     .fix = "add --tenant NAME"})
                        : NoSuch("tenant", name, "berth tenant list");
  }
  return tenant;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& /*actor*/,
                                      const AddTenant& request) {
  RETURN_IF_ERROR(CheckName("tenant", request.name));
  if (step.cluster.quota().FindTenantByName(request.name) != nullptr) {
    return Exists("tenant", request.name);
  }
  Tenant tenant;
  tenant.name = request.name;
  tenant.display_name = request.display_name.empty() ? request.name : request.display_name;
  if (request.default_time_limit > absl::ZeroDuration()) {
    tenant.default_time_limit = std::min(request.default_time_limit, step.policy.time_limit_max);
  }
  if (request.queue_max > 0) {
    tenant.queue_max = request.queue_max;
  }
  Outcome outcome;
  outcome.tenant = AddTenantWithProject(step, std::move(tenant));
  return outcome;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const AddProject& request) {
  RETURN_IF_ERROR(CheckName("project", request.name));
  ASSIGN_OR_RETURN(const Tenant* tenant, FindVisibleTenant(step.cluster, actor, request.tenant));
  if (step.cluster.quota().FindProjectByName(tenant->id, request.name) != nullptr) {
    return Exists("project", request.name);
  }
  Outcome outcome;
  outcome.tenant = tenant->id;
  outcome.project = step.cluster.AddProject({ProjectId(), tenant->id, request.name, step.now});
  return outcome;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const AddUser& request) {
  RETURN_IF_ERROR(CheckName("user", request.name));
  RETURN_IF_ERROR(CheckGrant(actor, request.role));
  TenantId tenant_id;
  if (request.role == Role::kMember || request.role == Role::kTenantAdmin) {
    ASSIGN_OR_RETURN(const Tenant* tenant, FindVisibleTenant(step.cluster, actor, request.tenant));
    tenant_id = tenant->id;
  } else if (!request.tenant.empty()) {
    return MakeError(
        absl::StatusCode::kInvalidArgument,
        {.code = "B1214",
         .message = absl::StrCat("the role ", Name(request.role), " belongs to the center"),
         .why = "",
         .fix = "leave out --tenant"});
  }
  if (step.cluster.FindUserByName(tenant_id, request.name) != nullptr) {
    return Exists("user", request.name);
  }
  Outcome outcome;
  outcome.tenant = tenant_id;
  outcome.user = step.cluster.AddUser({UserId(), request.name, tenant_id, request.role, step.now});
  return outcome;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const AddToken& request) {
  if (!request.node.empty()) {
    return AddNodeToken(step, actor, request);
  }
  ASSIGN_OR_RETURN(const User* user, FindTokenUser(step, actor, request));
  Token token;
  token.id = request.id;
  token.secret_hash = request.secret_hash;
  token.user = user->id;
  token.tenant = user->tenant;
  token.role = user->role;
  token.created_by = actor.user;
  token.created_at = step.now;
  const absl::Duration lifetime = request.lifetime > absl::ZeroDuration()
                                      ? std::min(request.lifetime, step.policy.token_lifetime_max)
                                      : step.policy.token_lifetime_default;
  token.expires_at = step.now + lifetime;
  const Token* own = step.cluster.FindToken(actor.token_id);
  if (own != nullptr && actor.user == user->id && actor.role == Role::kMember) {
    token.expires_at = std::min(token.expires_at, own->expires_at);
  }
  Outcome outcome;
  outcome.user = user->id;
  outcome.tenant = user->tenant;
  outcome.token_id = token.id;
  step.cluster.PutToken(std::move(token));
  return outcome;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const RevokeToken& request) {
  const Token* token = step.cluster.FindToken(request.id);
  const bool visible =
      token != nullptr &&
      (actor.role == Role::kOperator || (token->role != Role::kNode && token->user == actor.user) ||
       (actor.role == Role::kTenantAdmin && token->tenant == actor.tenant && token->tenant));
  if (!visible) {
    return NoSuch("token", request.id, "berth token list");
  }
  Token revoked = *token;
  revoked.revoked = true;
  Outcome outcome;
  outcome.token_id = revoked.id;
  step.cluster.PutToken(std::move(revoked));
  return outcome;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& /*actor*/,
                                      const BootstrapOperator& request) {
  const std::string name = request.user.empty() ? "operator" : request.user;
  RETURN_IF_ERROR(CheckName("user", name));
  const User* known = step.cluster.FindUserByName(TenantId(), name);
  if (known != nullptr && known->role != Role::kOperator) {
    return Exists("user with another role", name);
  }
  if (step.cluster.quota().FindTenantByName(kCenterTenant) == nullptr) {
    Tenant center;
    center.name = kCenterTenant;
    center.display_name = kCenterTenant;
    AddTenantWithProject(step, std::move(center));
  }
  Outcome outcome;
  outcome.user =
      known != nullptr
          ? known->id
          : step.cluster.AddUser({UserId(), name, TenantId(), Role::kOperator, step.now});
  outcome.token_id = request.token_id;
  Token token;
  token.id = request.token_id;
  token.secret_hash = request.secret_hash;
  token.user = outcome.user;
  token.role = Role::kOperator;
  token.created_by = outcome.user;
  token.created_at = step.now;
  token.expires_at = step.now + step.policy.token_lifetime_max;
  step.cluster.PutToken(std::move(token));
  return outcome;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const SetTenantQueue& request) {
  if (actor.role != Role::kOperator) {
    return Denied("only an operator may set how a tenant's jobs queue", "");
  }
  ASSIGN_OR_RETURN(const Tenant* known, FindVisibleTenant(step.cluster, actor, request.tenant));
  if (request.stepped_timeout <= absl::ZeroDuration()) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.code = "B1216",
                      .message = "the timeout of a stepped queue must be longer than nothing",
                      .why = "",
                      .fix = "--stepped-timeout 1h"});
  }
  Tenant tenant = *known;
  tenant.queue_preset = request.preset;
  tenant.stepped_timeout = request.stepped_timeout;
  Outcome outcome;
  outcome.tenant = tenant.id;
  outcome.notes.push_back(
      absl::StrCat("queue: ", Name(known->queue_preset), " -> ", Name(tenant.queue_preset)));
  step.cluster.PutTenant(std::move(tenant));
  return outcome;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const SuspendTenant& request) {
  if (actor.role != Role::kOperator) {
    return Denied("only an operator may suspend a tenant", "");
  }
  ASSIGN_OR_RETURN(const Tenant* known, FindVisibleTenant(step.cluster, actor, request.tenant));
  Outcome outcome;
  outcome.tenant = known->id;
  if (known->suspended == request.suspended) {
    outcome.notes.push_back(request.suspended ? "it was suspended before" : "it was not suspended");
    return outcome;
  }
  const auto& active = step.cluster.active_jobs();
  const auto running = std::count_if(active.begin(), active.end(), [&](JobId job) {
    return step.cluster.GetJob(job).spec.tenant == known->id;
  });
  const int64_t pending = step.cluster.PendingCount(known->id);
  if (request.suspended) {
    outcome.notes.push_back(absl::StrFormat("running jobs that go on: %d", running));
    outcome.notes.push_back(absl::StrFormat("pending jobs that do not start: %d", pending));
  } else {
    outcome.notes.push_back(absl::StrFormat("pending jobs that may start again: %d", pending));
  }
  Tenant tenant = *known;
  tenant.suspended = request.suspended;
  step.cluster.PutTenant(std::move(tenant));
  return outcome;
}

}  // namespace berth
