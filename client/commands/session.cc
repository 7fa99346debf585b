#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/commands/secret_output.h"
#include "client/exit_codes.h"
#include "client/text.h"
#include "client/views.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr Option kBootstrapOptions[] = {
    Value("socket", "PATH", "admin_socket of the scheduler"),
    Value("user", "NAME", "the operator to create (operator)"),
    Value("token-file", "FILE", "write the token there (mode 0600)"),
};

absl::StatusOr<int> RunWhoAmI(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 0, ""));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::WhoAmIResponse answer, api->WhoAmI({}));
  const v1::User& user = answer.user();
  if (context.output.for_people()) {
    const std::string expires =
        TimeForPeople(TimeFromMicros(answer.token_expires_at_us()), absl::Now());
    std::vector<std::pair<std::string, std::string>> facts;
    facts.emplace_back("user", user.name());
    facts.emplace_back("tenant", user.tenant().empty() ? "the center" : user.tenant());
    facts.emplace_back("role", RoleWord(user.role()));
    facts.emplace_back("token", answer.token_id());
    facts.emplace_back("expires", expires);
    facts.emplace_back("scheduler",
                       absl::StrCat(context.settings.server, " ", answer.server_version()));
    context.console.Out(RenderFacts(facts));
    return kExitDone;
  }
  Json json;
  json["name"] = user.name();
  json["tenant"] = user.tenant().empty() ? Json() : Json(user.tenant());
  json["role"] = RoleWord(user.role());
  json["token_id"] = answer.token_id();
  json["token_expires_at"] = TimeJson(answer.token_expires_at_us());
  json["server"] = context.settings.server;
  json["server_version"] = answer.server_version();
  Listing listing{.kind = "UserList", .columns = {}, .rows = {}};
  listing.rows.push_back({.json = std::move(json), .cells = {}});
  RETURN_IF_ERROR(context.Print(listing));
  return kExitDone;
}

absl::StatusOr<int> RunVersion(Context& context) {
  if (context.output.for_people()) {
    context.console.Out("berth " BERTH_VERSION "\n");
    return kExitDone;
  }
  Listing listing{.kind = "VersionList", .columns = {}, .rows = {}};
  Json json;
  json["name"] = "berth";
  json["version"] = BERTH_VERSION;
  listing.rows.push_back({.json = std::move(json), .cells = {}});
  RETURN_IF_ERROR(context.Print(listing));
  return kExitDone;
}

absl::StatusOr<int> RunBootstrap(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 0, ""));
  const std::string socket = context.arguments.Text("socket");
  if (socket.empty()) {
    return ErrorAt({}, "name the scheduler's socket with --socket",
                   "berth admin bootstrap --socket DATA_DIR/admin.sock");
  }
  v1::BootstrapRequest request;
  request.set_user(context.arguments.Text("user"));
  ASSIGN_OR_RETURN(const v1::BootstrapResponse response, CallLocally(socket, request));
  RETURN_IF_ERROR(DeliverToken(context, response.token(), response.secret()));
  return kExitDone;
}

}  // namespace

const Command kWhoAmICommand = {
    .name = "whoami",
    .plural = nullptr,
    .group = CommandGroup::kClient,
    .summary = "who the scheduler takes you for",
    .usage = "[OPTIONS]",
    .examples = "berth whoami\nberth whoami -o json\nberth whoami --server h:7443\n",
    .options = {},
    .takes_job_options = false,
    .run = RunWhoAmI,
};

const Command kVersionCommand = {
    .name = "version",
    .plural = nullptr,
    .group = CommandGroup::kClient,
    .summary = "the version of this program",
    .usage = "[OPTIONS]",
    .examples = "berth version\nberth --version\nberth version -o json\n",
    .options = {},
    .takes_job_options = false,
    .run = RunVersion,
};

const Command kAdminBootstrapCommand = {
    .name = "admin bootstrap",
    .plural = nullptr,
    .group = CommandGroup::kPeople,
    .summary = "the first operator's token, on the scheduler's machine",
    .usage = "--socket PATH [OPTIONS]",
    .examples =
        "berth admin bootstrap --socket /var/lib/berth/admin.sock\n"
        "berth admin bootstrap --socket DIR/admin.sock --user wei\n"
        "berth admin bootstrap --socket DIR/admin.sock --token-file operator.token\n",
    .options = kBootstrapOptions,
    .takes_job_options = false,
    .run = RunBootstrap,
};

}  // namespace berth
