#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/commands/secret_output.h"
#include "client/exit_codes.h"
#include "client/text.h"
#include "client/views.h"
#include "common/error_detail.h"
#include "common/quantity.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr Option kUserAddOptions[] = {
    Value("tenant", "TENANT", "of this tenant (yours)"),
    Value("role", "ROLE", "member, tenant-admin, auditor or operator (member)"),
};

constexpr Option kTokenCreateOptions[] = {
    Value("user", "USER", "for this user (you)"),
    Value("tenant", "TENANT", "of the user (yours)"),
    Value("node", "NODE", "for the agent of this node (operators)"),
    Value("lifetime", "TIME", "valid for so long (30d)"),
    Value("token-file", "FILE", "into this file (mode 0600) instead of the output"),
};

Listing UserListing(const std::vector<v1::User>& users) {
  Listing listing{.kind = "UserList", .columns = {}, .rows = {}};
  for (const char* header : {"USER", "TENANT", "ROLE", "CREATED"}) {
    listing.columns.push_back({.header = header});
  }
  for (const v1::User& user : users) {
    Json json;
    json["id"] = user.id();
    json["name"] = user.name();
    json["tenant"] = user.tenant().empty() ? Json() : Json(user.tenant());
    json["role"] = RoleWord(user.role());
    json["created_at"] = TimeJson(user.created_at_us());
    listing.rows.push_back({
        .json = std::move(json),
        .cells = {user.name(), user.tenant(), RoleWord(user.role()),
                  TimeForPeople(TimeFromMicros(user.created_at_us()), absl::Now())}
    });
  }
  return listing;
}

absl::StatusOr<int> RunUserAdd(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1, "the user, e.g. `berth user add wei`"));
  v1::AddUserRequest request;
  request.set_name(context.arguments.words[0].text);
  request.set_tenant(context.arguments.Text("tenant"));
  if (const OptionValue* const value = context.arguments.Find("role"); value != nullptr) {
    request.set_role(RoleOfWord(value->text));
    if (request.role() == v1::ROLE_UNSPECIFIED || request.role() == v1::ROLE_NODE) {
      return ValueError(*value, "must be member, tenant-admin, auditor or operator");
    }
  }
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::AddUserResponse response, api->AddUser(request));
  const v1::User& user = response.user();
  if (context.output.for_people()) {
    context.console.Out(absl::StrCat("user ", CleanText(user.name()), " added",
                                     user.tenant().empty() ? "" : " to ", CleanText(user.tenant()),
                                     " as ", RoleWord(user.role()), "\n"));
    context.console.Hint(
        absl::StrCat("→ berth token create --user ", CleanText(user.name()), "\n"));
    return kExitDone;
  }
  RETURN_IF_ERROR(context.Print(UserListing({user})));
  return kExitDone;
}

absl::StatusOr<int> RunUserList(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 0, ""));
  v1::ListUsersRequest request;
  request.set_tenant(context.arguments.Text("tenant"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::ListUsersResponse response, api->ListUsers(request));
  RETURN_IF_ERROR(context.Print(UserListing({response.users().begin(), response.users().end()})));
  return kExitDone;
}

// The center gives no token for longer than its bound.
void TellShorterLifetime(Context& context, const v1::CreateTokenRequest& request,
                         const v1::Token& token) {
  const int64_t lifetime_ms = (token.expires_at_us() - token.created_at_us()) / 1000;
  if (lifetime_ms > 0 && lifetime_ms < request.lifetime_ms()) {
    context.PrintNotes(
        {absl::StrCat("valid for ", berth::FormatDuration(absl::Milliseconds(lifetime_ms)),
                      ", the longest that the center gives")});
  }
}

absl::StatusOr<int> RunTokenCreate(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 0, ""));
  v1::CreateTokenRequest request;
  request.set_user(context.arguments.Text("user"));
  request.set_tenant(context.arguments.Text("tenant"));
  request.set_node(context.arguments.Text("node"));
  if (!request.user().empty() && !request.node().empty()) {
    return ErrorAt({}, "a token is for a user or for a node, not for both");
  }
  if (const OptionValue* const value = context.arguments.Find("lifetime"); value != nullptr) {
    ASSIGN_OR_RETURN(const absl::Duration lifetime, DurationOf(*value));
    request.set_lifetime_ms(absl::ToInt64Milliseconds(lifetime));
  }
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::CreateTokenResponse response, api->CreateToken(request));
  TellShorterLifetime(context, request, response.token());
  RETURN_IF_ERROR(DeliverToken(context, response.token(), response.secret()));
  return kExitDone;
}

absl::StatusOr<int> RunTokenList(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 0, ""));
  v1::ListTokensRequest request;
  request.set_tenant(context.arguments.Text("tenant"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::ListTokensResponse response, api->ListTokens(request));
  RETURN_IF_ERROR(
      context.Print(TokenListing({response.tokens().begin(), response.tokens().end()})));
  return kExitDone;
}

absl::StatusOr<int> RunTokenRevoke(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1,
                                 "the token's id (the part after brth_), see `berth tokens`"));
  v1::RevokeTokenRequest request;
  request.set_id(context.arguments.words[0].text);
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::RevokeTokenResponse response, api->RevokeToken(request));
  if (context.output.for_people()) {
    context.console.Out(absl::StrCat("token ", CleanText(response.token().id()), " revoked\n"));
    return kExitDone;
  }
  RETURN_IF_ERROR(context.Print(TokenListing({response.token()})));
  return kExitDone;
}

}  // namespace

const Command kUserAddCommand = {
    .name = "user add",
    .plural = nullptr,
    .group = CommandGroup::kPeople,
    .summary = "add a user",
    .usage = "NAME [OPTIONS]",
    .examples =
        "berth user add wei\n"
        "berth user add lin --tenant acme --role tenant-admin\n"
        "berth user add audit1 --role auditor\n",
    .options = kUserAddOptions,
    .takes_job_options = false,
    .run = RunUserAdd,
};

const Command kUserListCommand = {
    .name = "user list",
    .plural = "users",
    .group = CommandGroup::kPeople,
    .summary = "the users of a tenant",
    .usage = "[OPTIONS]",
    .examples = "berth users\nberth user list --tenant acme\nberth users -o json\n",
    .options = kOfTenantOptions,
    .takes_job_options = false,
    .run = RunUserList,
};

const Command kTokenCreateCommand = {
    .name = "token create",
    .plural = nullptr,
    .group = CommandGroup::kPeople,
    .summary = "make a token and print it, once",
    .usage = "[OPTIONS]",
    .examples =
        "berth token create --user wei > wei.token\n"
        "berth token create --user ci --tenant acme --lifetime 90d --token-file ci.token\n"
        "berth token create --node n31 --token-file /etc/berth/agent.token\n",
    .options = kTokenCreateOptions,
    .takes_job_options = false,
    .run = RunTokenCreate,
};

const Command kTokenListCommand = {
    .name = "token list",
    .plural = "tokens",
    .group = CommandGroup::kPeople,
    .summary = "the tokens of a tenant, without their secrets",
    .usage = "[OPTIONS]",
    .examples = "berth tokens\nberth token list --tenant acme\nberth tokens -o json\n",
    .options = kOfTenantOptions,
    .takes_job_options = false,
    .run = RunTokenList,
};

const Command kTokenRevokeCommand = {
    .name = "token revoke",
    .plural = nullptr,
    .group = CommandGroup::kPeople,
    .summary = "make a token worthless at once",
    .usage = "ID",
    .examples =
        "berth token revoke 7Hq2kW9xPzLm\n"
        "berth token revoke 7Hq2kW9xPzLm -o json\n"
        "berth tokens -o fields=id,user,state\n",
    .options = {},
    .takes_job_options = false,
    .run = RunTokenRevoke,
};

}  // namespace berth
