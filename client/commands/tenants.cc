#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/text.h"
#include "client/views.h"
#include "common/quantity.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int64_t kQueueMax = 100'000'000;

constexpr Option kTenantAddOptions[] = {
    Value("display", "TEXT", "the name for people"),
    Value("time-limit", "TIME", "of jobs that name none (24h)"),
    Value("queue-max", "N", "pending jobs at most (100000)"),
};

constexpr Option kTenantSetOptions[] = {
    Value("queue", "QUEUE",
          "how its jobs pass each other: easy, fifo, traverse, stepped[:TIMEOUT]"),
};

constexpr std::pair<const char*, v1::QueuePreset> kQueues[] = {
    {"easy",     v1::QUEUE_PRESET_EASY    },
    {"fifo",     v1::QUEUE_PRESET_FIFO    },
    {"traverse", v1::QUEUE_PRESET_TRAVERSE},
    {"stepped",  v1::QUEUE_PRESET_STEPPED },
};

std::string QueueWord(v1::QueuePreset queue) {
  for (const auto& [word, preset] : kQueues) {
    if (preset == queue) {
      return word;
    }
  }
  return "unknown";
}

std::string QueueText(const v1::Tenant& tenant) {
  const std::string timeout =
      tenant.queue() == v1::QUEUE_PRESET_STEPPED
          ? absl::StrCat(":",
                         berth::FormatDuration(absl::Milliseconds(tenant.stepped_timeout_ms())))
          : "";
  return absl::StrCat(QueueWord(tenant.queue()), timeout);
}

Listing TenantListing(const std::vector<v1::Tenant>& tenants) {
  Listing listing{.kind = "TenantList", .columns = {}, .rows = {}};
  for (const char* header : {"TENANT", "NAME", "STATE", "TIME LIMIT", "QUEUE MAX", "QUEUE"}) {
    listing.columns.push_back({.header = header});
  }
  for (const v1::Tenant& tenant : tenants) {
    Json json;
    json["id"] = tenant.id();
    json["name"] = tenant.name();
    json["display_name"] = tenant.display_name();
    json["suspended"] = tenant.suspended();
    json["created_at"] = TimeJson(tenant.created_at_us());
    json["default_time_limit_seconds"] = static_cast<double>(tenant.default_time_limit_ms()) / 1000;
    json["queue_max"] = tenant.queue_max();
    json["queue"] = QueueWord(tenant.queue());
    json["stepped_timeout_seconds"] =
        tenant.queue() == v1::QUEUE_PRESET_STEPPED
            ? Json(static_cast<double>(tenant.stepped_timeout_ms()) / 1000)
            : Json();
    listing.rows.push_back({
        .json = std::move(json),
        .cells = {tenant.name(), tenant.display_name(), tenant.suspended() ? "suspended" : "active",
                  berth::FormatDuration(absl::Milliseconds(tenant.default_time_limit_ms())),
                  absl::StrCat(tenant.queue_max()), QueueText(tenant)}
    });
  }
  return listing;
}

Listing ProjectListing(const std::vector<v1::Project>& projects) {
  Listing listing{.kind = "ProjectList", .columns = {}, .rows = {}};
  for (const char* header : {"PROJECT", "TENANT", "CREATED"}) {
    listing.columns.push_back({.header = header});
  }
  for (const v1::Project& project : projects) {
    Json json;
    json["id"] = project.id();
    json["name"] = project.name();
    json["tenant"] = project.tenant();
    json["created_at"] = TimeJson(project.created_at_us());
    listing.rows.push_back({
        .json = std::move(json),
        .cells = {project.name(), project.tenant(),
                  TimeForPeople(TimeFromMicros(project.created_at_us()), absl::Now())}
    });
  }
  return listing;
}

absl::StatusOr<int> RunTenantAdd(Context& context) {
  RETURN_IF_ERROR(
      CheckWordCount(context.arguments, 1, 1, "the tenant, e.g. `berth tenant add acme`"));
  v1::AddTenantRequest request;
  request.set_name(context.arguments.words[0].text);
  request.set_display_name(context.arguments.Text("display"));
  if (const OptionValue* const value = context.arguments.Find("time-limit"); value != nullptr) {
    ASSIGN_OR_RETURN(const absl::Duration limit, DurationOf(*value));
    request.set_default_time_limit_ms(absl::ToInt64Milliseconds(limit));
  }
  if (const OptionValue* const value = context.arguments.Find("queue-max"); value != nullptr) {
    ASSIGN_OR_RETURN(const int64_t queue_max, IntegerOf(*value, 1, kQueueMax));
    request.set_queue_max(queue_max);
  }
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::AddTenantResponse response, api->AddTenant(request));
  if (context.output.for_people()) {
    context.console.Out(absl::StrCat("tenant ", CleanText(response.tenant().name()), " added\n"));
    context.console.Hint(absl::StrCat("→ berth quota set ", response.tenant().name(),
                                      " --class CLASS --entitlement N\n"));
    return kExitDone;
  }
  RETURN_IF_ERROR(context.Print(TenantListing({response.tenant()})));
  return kExitDone;
}

absl::Status ReadQueue(const OptionValue& value, v1::SetTenantQueueRequest& request) {
  const size_t colon = value.text.find(':');
  const std::string word = value.text.substr(0, colon);
  for (const auto& [known, preset] : kQueues) {
    if (word == known) {
      request.set_queue(preset);
    }
  }
  if (request.queue() == v1::QUEUE_PRESET_UNSPECIFIED) {
    return ValueError(
        value, absl::StrCat("\"", CleanText(word), "\" is none of easy, fifo, traverse, stepped"));
  }
  if (colon == std::string::npos) {
    return absl::OkStatus();
  }
  if (request.queue() != v1::QUEUE_PRESET_STEPPED) {
    return ValueError(value, "only a stepped queue has a timeout", "write it like stepped:2h");
  }
  OptionValue timeout = value;
  timeout.text = value.text.substr(colon + 1);
  ASSIGN_OR_RETURN(const absl::Duration length, DurationOf(timeout));
  request.set_stepped_timeout_ms(absl::ToInt64Milliseconds(length));
  return absl::OkStatus();
}

absl::StatusOr<int> RunTenantSet(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1,
                                 "the tenant, e.g. `berth tenant set acme --queue fifo`"));
  const OptionValue* const queue = context.arguments.Find("queue");
  if (queue == nullptr) {
    return ErrorAt({}, "name what is to change, e.g. --queue fifo", "berth tenant set --help");
  }
  v1::SetTenantQueueRequest request;
  request.set_tenant(context.arguments.words[0].text);
  RETURN_IF_ERROR(ReadQueue(*queue, request));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::SetTenantQueueResponse response, api->SetTenantQueue(request));
  if (context.output.for_people()) {
    context.console.Out(absl::StrCat("tenant ", CleanText(response.tenant().name()), " queues ",
                                     QueueText(response.tenant()), "\n"));
    return kExitDone;
  }
  RETURN_IF_ERROR(context.Print(TenantListing({response.tenant()})));
  return kExitDone;
}

absl::StatusOr<int> RunSuspend(Context& context, bool suspended) {
  RETURN_IF_ERROR(
      CheckWordCount(context.arguments, 1, 1, "the tenant, e.g. `berth tenant suspend acme`"));
  v1::SuspendTenantRequest request;
  request.set_tenant(context.arguments.words[0].text);
  request.set_suspended(suspended);
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::SuspendTenantResponse response, api->SuspendTenant(request));
  if (!context.output.for_people()) {
    RETURN_IF_ERROR(context.Print(TenantListing({response.tenant()})));
    return kExitDone;
  }
  const std::string name = CleanText(response.tenant().name());
  context.console.Out(
      absl::StrCat("tenant ", name, suspended ? " is suspended" : " is active", "\n"));
  for (const std::string& effect : response.effects()) {
    context.console.Out(absl::StrCat("  ", CleanText(effect), "\n"));
  }
  if (suspended) {
    context.console.Hint(absl::StrCat("→ berth tenant resume ", name, "\n"));
  }
  return kExitDone;
}

absl::StatusOr<int> RunTenantSuspend(Context& context) {
  return RunSuspend(context, true);
}

absl::StatusOr<int> RunTenantResume(Context& context) {
  return RunSuspend(context, false);
}

absl::StatusOr<int> RunTenantList(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 0, ""));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::ListTenantsResponse response, api->ListTenants({}));
  RETURN_IF_ERROR(
      context.Print(TenantListing({response.tenants().begin(), response.tenants().end()})));
  return kExitDone;
}

absl::StatusOr<int> RunProjectAdd(Context& context) {
  RETURN_IF_ERROR(
      CheckWordCount(context.arguments, 1, 1, "the project, e.g. `berth project add llm`"));
  v1::AddProjectRequest request;
  request.set_name(context.arguments.words[0].text);
  request.set_tenant(context.arguments.Text("tenant"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::AddProjectResponse response, api->AddProject(request));
  if (context.output.for_people()) {
    context.console.Out(absl::StrCat("project ", CleanText(response.project().tenant()), "/",
                                     CleanText(response.project().name()), " added\n"));
    return kExitDone;
  }
  RETURN_IF_ERROR(context.Print(ProjectListing({response.project()})));
  return kExitDone;
}

absl::StatusOr<int> RunProjectList(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 0, ""));
  v1::ListProjectsRequest request;
  request.set_tenant(context.arguments.Text("tenant"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::ListProjectsResponse response, api->ListProjects(request));
  RETURN_IF_ERROR(
      context.Print(ProjectListing({response.projects().begin(), response.projects().end()})));
  return kExitDone;
}

}  // namespace

const Command kTenantAddCommand = {
    .name = "tenant add",
    .plural = nullptr,
    .group = CommandGroup::kTenants,
    .summary = "add a tenant (operators)",
    .usage = "NAME [OPTIONS]",
    .examples =
        "berth tenant add acme\n"
        "berth tenant add acme --display \"Acme 科技\"\n"
        "berth tenant add acme --time-limit 36h --queue-max 5000\n",
    .options = kTenantAddOptions,
    .takes_job_options = false,
    .run = RunTenantAdd,
};

const Command kTenantSetCommand = {
    .name = "tenant set",
    .plural = nullptr,
    .group = CommandGroup::kTenants,
    .summary = "change how a tenant's jobs queue (operators)",
    .usage = "NAME --queue QUEUE",
    .examples =
        "berth tenant set acme --queue fifo\n"
        "berth tenant set acme --queue stepped:2h\n"
        "berth tenants -o fields=name,queue\n",
    .options = kTenantSetOptions,
    .takes_job_options = false,
    .run = RunTenantSet,
};

const Command kTenantSuspendCommand = {
    .name = "tenant suspend",
    .plural = nullptr,
    .group = CommandGroup::kTenants,
    .summary = "a tenant submits nothing, and nothing of it starts; what runs goes on (operators)",
    .usage = "NAME",
    .examples =
        "berth tenant suspend acme\n"
        "berth tenant suspend acme -o json\n"
        "berth tenants -o fields=name,suspended\n",
    .options = {},
    .takes_job_options = false,
    .run = RunTenantSuspend,
};

const Command kTenantResumeCommand = {
    .name = "tenant resume",
    .plural = nullptr,
    .group = CommandGroup::kTenants,
    .summary = "end a tenant's suspension (operators)",
    .usage = "NAME",
    .examples =
        "berth tenant resume acme\n"
        "berth tenant resume acme -o json\n"
        "berth tenants -o fields=name,suspended\n",
    .options = {},
    .takes_job_options = false,
    .run = RunTenantResume,
};

const Command kTenantListCommand = {
    .name = "tenant list",
    .plural = "tenants",
    .group = CommandGroup::kTenants,
    .summary = "the tenants you may see",
    .usage = "[OPTIONS]",
    .examples = "berth tenants\nberth tenant list -o json\nberth tenants -o name\n",
    .options = {},
    .takes_job_options = false,
    .run = RunTenantList,
};

const Command kProjectAddCommand = {
    .name = "project add",
    .plural = nullptr,
    .group = CommandGroup::kTenants,
    .summary = "add a project to a tenant",
    .usage = "NAME [OPTIONS]",
    .examples =
        "berth project add llm\n"
        "berth project add llm --tenant acme\n"
        "berth project add vision -o json\n",
    .options = kOfTenantOptions,
    .takes_job_options = false,
    .run = RunProjectAdd,
};

const Command kProjectListCommand = {
    .name = "project list",
    .plural = "projects",
    .group = CommandGroup::kTenants,
    .summary = "the projects of a tenant",
    .usage = "[OPTIONS]",
    .examples = "berth projects\nberth project list --tenant acme\nberth projects -o name\n",
    .options = kOfTenantOptions,
    .takes_job_options = false,
    .run = RunProjectList,
};

}  // namespace berth
