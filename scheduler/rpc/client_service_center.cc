// The part of the client service that is about the center: nodes, tenants, tokens, quotas.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "common/credentials.h"
#include "common/status_macros.h"
#include "scheduler/convert.h"
#include "scheduler/rpc/client_events.h"
#include "scheduler/rpc/client_service.h"
#include "scheduler/rpc/device_use.h"

namespace berth {
namespace {

// What a tenant's people see of a node: what it could run, not where it is or whose jobs it has.
void HideDetails(v1::Node& node) {
  node.clear_jobs();
  v1::NodeFacts& facts = *node.mutable_facts();
  facts.clear_hostname();
  facts.clear_address();
  facts.clear_kernel();
  facts.clear_facilities();
  facts.clear_topology();
  for (v1::Device& device : *facts.mutable_devices()) {
    device.clear_uuid();
    device.clear_health_detail();
  }
}

v1::Node ToNode(const Node& node, const Actor& actor, const Cluster& cluster) {
  v1::Node message = ToProto(node, cluster, actor.IsCenter());
  if (!actor.IsCenter()) {
    HideDetails(message);
  }
  return message;
}

std::vector<QuotaEdit> EditsByTime(const Cluster& cluster) {
  std::vector<QuotaEdit> edits;
  for (const auto& [key, edit] : cluster.quota_edits()) {
    edits.push_back(edit);
  }
  std::stable_sort(edits.begin(), edits.end(), [](const QuotaEdit& a, const QuotaEdit& b) {
    return a.effective_at < b.effective_at;
  });
  return edits;
}

void FillReleased(const Outcome& outcome,
                  google::protobuf::RepeatedPtrField<v1::ReleasedAllocation>& released) {
  for (const ReleasedShare& share : outcome.released) {
    v1::ReleasedAllocation& allocation = *released.Add();
    allocation.set_allocation_id(share.allocation.value());
    allocation.set_job_id(share.job.value());
    allocation.set_devices(share.devices);
  }
}

bool IsListed(const std::optional<TenantId>& listed, TenantId tenant) {
  return !listed.has_value() || *listed == tenant;
}

}  // namespace

ClientService::Reactor* ClientService::ListNodes(Context* context,
                                                 const v1::ListNodesRequest* request,
                                                 v1::ListNodesResponse* response) {
  return router_.Read(context, "Client.ListNodes",
                      [=, this](const Actor& actor, const ReadView& view) -> absl::Status {
                        for (const auto& [id, node] : view.cluster().nodes()) {
                          if (!request->name().empty() && request->name() != node.name) {
                            continue;
                          }
                          v1::Node& message = *response->add_nodes();
                          message = ToNode(node, actor, view.cluster());
                          if (request->with_uses()) {
                            FillUses(node, actor, view, samples_, message);
                          }
                        }
                        return absl::OkStatus();
                      });
}

ClientService::Reactor* ClientService::DrainNode(Context* context,
                                                 const v1::DrainNodeRequest* request,
                                                 v1::DrainNodeResponse* response) {
  return router_.Apply(
      context, *request,
      {.rpc = "Client.DrainNode",
       .object = absl::StrCat("node/", request->name()),
       .event = ToEvent(*request),
       .answer = [=](const Actor& actor, const Outcome& outcome, const ReadView& view) {
         *response->mutable_node() =
             ToNode(view.cluster().GetNode(outcome.node), actor, view.cluster());
         for (const JobId job : outcome.jobs) {
           response->add_jobs(job.value());
         }
         return absl::OkStatus();
       }});
}

ClientService::Reactor* ClientService::UndrainNode(Context* context,
                                                   const v1::UndrainNodeRequest* request,
                                                   v1::UndrainNodeResponse* response) {
  return router_.Apply(
      context, *request,
      {.rpc = "Client.UndrainNode",
       .object = absl::StrCat("node/", request->name()),
       .event = ToEvent(*request),
       .answer = [=](const Actor& actor, const Outcome& outcome, const ReadView& view) {
         *response->mutable_node() =
             ToNode(view.cluster().GetNode(outcome.node), actor, view.cluster());
         return absl::OkStatus();
       }});
}

ClientService::Reactor* ClientService::ConfirmNodeDead(Context* context,
                                                       const v1::ConfirmNodeDeadRequest* request,
                                                       v1::ConfirmNodeDeadResponse* response) {
  return router_.Apply(
      context, *request,
      {.rpc = "Client.ConfirmNodeDead",
       .object = absl::StrCat("node/", request->name()),
       .event = ToEvent(*request),
       .answer = [=](const Actor& actor, const Outcome& outcome, const ReadView& view) {
         *response->mutable_node() =
             ToNode(view.cluster().GetNode(outcome.node), actor, view.cluster());
         FillReleased(outcome, *response->mutable_released());
         return absl::OkStatus();
       }});
}

ClientService::Reactor* ClientService::EndLossHold(Context* context,
                                                   const v1::EndLossHoldRequest* request,
                                                   v1::EndLossHoldResponse* response) {
  return router_.Apply(context, *request,
                       {.rpc = "Client.EndLossHold",
                        .object = absl::StrCat("node/", request->name()),
                        .event = ToEvent(*request),
                        .answer = [=](const Actor&, const Outcome& outcome, const ReadView&) {
                          for (const std::string& name : outcome.notes) {
                            response->add_nodes(name);
                          }
                          FillReleased(outcome, *response->mutable_released());
                          return absl::OkStatus();
                        }});
}

ClientService::Reactor* ClientService::AddTenant(Context* context,
                                                 const v1::AddTenantRequest* request,
                                                 v1::AddTenantResponse* response) {
  return router_.Apply(
      context, *request,
      {.rpc = "Client.AddTenant",
       .object = absl::StrCat("tenant/", request->name()),
       .event = ToEvent(*request),
       .answer = [=](const Actor&, const Outcome& outcome, const ReadView& view) {
         if (const Tenant* tenant = view.cluster().quota().FindTenant(outcome.tenant)) {
           *response->mutable_tenant() = ToProto(*tenant);
         }
         return absl::OkStatus();
       }});
}

ClientService::Reactor* ClientService::ListTenants(Context* context, const v1::ListTenantsRequest*,
                                                   v1::ListTenantsResponse* response) {
  return router_.Read(context, "Client.ListTenants", [=](const Actor& actor, const ReadView& view) {
    for (const auto& [id, tenant] : view.cluster().quota().tenants()) {
      if (actor.MaySee(id)) {
        *response->add_tenants() = ToProto(tenant);
      }
    }
    return absl::OkStatus();
  });
}

ClientService::Reactor* ClientService::AddProject(Context* context,
                                                  const v1::AddProjectRequest* request,
                                                  v1::AddProjectResponse* response) {
  return router_.Apply(
      context, *request,
      {.rpc = "Client.AddProject",
       .object = absl::StrCat("project/", request->name()),
       .event = ToEvent(*request),
       .answer = [=](const Actor&, const Outcome& outcome, const ReadView& view) {
         if (const Project* project = view.cluster().quota().FindProject(outcome.project)) {
           *response->mutable_project() = ToProto(*project, view.cluster());
         }
         return absl::OkStatus();
       }});
}

ClientService::Reactor* ClientService::ListProjects(Context* context,
                                                    const v1::ListProjectsRequest* request,
                                                    v1::ListProjectsResponse* response) {
  return router_.Read(context, "Client.ListProjects",
                      [=](const Actor& actor, const ReadView& view) -> absl::Status {
                        ASSIGN_OR_RETURN(const auto listed,
                                         ToListedTenant(request->tenant(), actor, view.cluster()));
                        for (const auto& [id, project] : view.cluster().quota().projects()) {
                          if (IsListed(listed, project.tenant)) {
                            *response->add_projects() = ToProto(project, view.cluster());
                          }
                        }
                        return absl::OkStatus();
                      });
}

ClientService::Reactor* ClientService::AddUser(Context* context, const v1::AddUserRequest* request,
                                               v1::AddUserResponse* response) {
  return router_.Apply(context, *request,
                       {.rpc = "Client.AddUser",
                        .object = absl::StrCat("user/", request->name()),
                        .event = ToEvent(*request),
                        .answer = [=](const Actor&, const Outcome& outcome, const ReadView& view) {
                          if (const User* user = view.cluster().FindUser(outcome.user)) {
                            *response->mutable_user() = ToProto(*user, view.cluster());
                          }
                          return absl::OkStatus();
                        }});
}

ClientService::Reactor* ClientService::ListUsers(Context* context,
                                                 const v1::ListUsersRequest* request,
                                                 v1::ListUsersResponse* response) {
  return router_.Read(context, "Client.ListUsers",
                      [=](const Actor& actor, const ReadView& view) -> absl::Status {
                        ASSIGN_OR_RETURN(const auto listed,
                                         ToListedTenant(request->tenant(), actor, view.cluster()));
                        for (const auto& [id, user] : view.cluster().users()) {
                          if (IsListed(listed, user.tenant)) {
                            *response->add_users() = ToProto(user, view.cluster());
                          }
                        }
                        return absl::OkStatus();
                      });
}

ClientService::Reactor* ClientService::CreateToken(Context* context,
                                                   const v1::CreateTokenRequest* request,
                                                   v1::CreateTokenResponse* response) {
  const BearerToken token = NewBearerToken();
  absl::StatusOr<AddToken> event = ToAddToken(*request);
  if (event.ok()) {
    event->id = token.id;
    event->secret_hash = Sha256(token.secret.Reveal());
  }
  return router_.Apply(
      context, *request,
      {.rpc = "Client.CreateToken",
       .object = absl::StrCat("token/", token.id),
       .event = event.ok() ? absl::StatusOr<UserEvent>(*std::move(event)) : event.status(),
       .answer = [=](const Actor&, const Outcome& outcome, const ReadView& view) {
         if (const Token* added = view.cluster().FindToken(outcome.token_id)) {
           *response->mutable_token() = ToProto(*added, view.cluster());
         }
         response->set_secret(FormatBearerToken(token));
         return absl::OkStatus();
       }});
}

ClientService::Reactor* ClientService::ListTokens(Context* context,
                                                  const v1::ListTokensRequest* request,
                                                  v1::ListTokensResponse* response) {
  return router_.Read(
      context, "Client.ListTokens", [=](const Actor& actor, const ReadView& view) -> absl::Status {
        ASSIGN_OR_RETURN(const auto listed,
                         ToListedTenant(request->tenant(), actor, view.cluster()));
        for (const auto& [id, token] : view.cluster().tokens()) {
          const bool is_own = token.user && token.user == actor.user;
          if (IsListed(listed, token.tenant) && (is_own || actor.role != Role::kMember)) {
            *response->add_tokens() = ToProto(token, view.cluster());
          }
        }
        return absl::OkStatus();
      });
}

ClientService::Reactor* ClientService::RevokeToken(Context* context,
                                                   const v1::RevokeTokenRequest* request,
                                                   v1::RevokeTokenResponse* response) {
  return router_.Apply(context, *request,
                       {.rpc = "Client.RevokeToken",
                        .object = absl::StrCat("token/", request->id()),
                        .event = ToEvent(*request),
                        .answer = [=](const Actor&, const Outcome& outcome, const ReadView& view) {
                          if (const Token* token = view.cluster().FindToken(outcome.token_id)) {
                            *response->mutable_token() = ToProto(*token, view.cluster());
                          }
                          return absl::OkStatus();
                        }});
}

ClientService::Reactor* ClientService::GetQuota(Context* context,
                                                const v1::GetQuotaRequest* request,
                                                v1::GetQuotaResponse* response) {
  return router_.Read(context, "Client.GetQuota",
                      [=](const Actor& actor, const ReadView& view) -> absl::Status {
                        ASSIGN_OR_RETURN(const auto listed,
                                         ToListedTenant(request->tenant(), actor, view.cluster()));
                        for (const QuotaRow& row : view.ListQuota(listed)) {
                          v1::QuotaRow& out = *response->add_rows();
                          out = ToProto(row, view.cluster());
                          if (!actor.IsCenter()) {
                            out.clear_capacity();
                          }
                        }
                        for (const QuotaEdit& edit : EditsByTime(view.cluster())) {
                          if (IsListed(listed, edit.key.tenant)) {
                            *response->add_edits() = ToProto(edit, view.cluster());
                          }
                        }
                        return absl::OkStatus();
                      });
}

ClientService::Reactor* ClientService::SetQuota(Context* context,
                                                const v1::SetQuotaRequest* request,
                                                v1::SetQuotaResponse* response) {
  return router_.Apply(
      context, *request,
      {.rpc = "Client.SetQuota",
       .object = absl::StrCat("quota/", request->tenant(), "/", request->project(), "/",
                              request->device_class()),
       .event = ToEvent(*request),
       .answer = [=](const Actor& actor, const Outcome& outcome, const ReadView& view) {
         *response->mutable_before() = ToProto(outcome.quota_before, view.cluster());
         *response->mutable_after() = ToProto(outcome.quota_after, view.cluster());
         response->mutable_effects()->Assign(outcome.notes.begin(), outcome.notes.end());
         if (!actor.IsCenter()) {
           response->mutable_before()->clear_capacity();
           response->mutable_after()->clear_capacity();
         }
         return absl::OkStatus();
       }});
}

}  // namespace berth
