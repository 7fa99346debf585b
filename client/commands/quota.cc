#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/moment.h"
#include "client/text.h"
#include "client/views.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int64_t kDevicesMax = 1'000'000'000;
constexpr int64_t kBlocksMax = 1'000'000;

constexpr Option kSetOptions[] = {
    Value("project", "PROJECT", "of this project, not of the whole tenant"),
    WithAlias(Value("class", "CLASS", "the device class"), "model"),
    WithAlias(Value("entitlement", "N", "devices owned", 'd'), "devices"),
    Value("limit", "N|none", "devices at most, owned and borrowed"),
    Value("non-lendable", "N", "devices of the entitlement never lent"),
    Value("weight", "N|none", "share of the surplus (the entitlement)"),
    Value("block-level", "LEVEL",
          "the entitlement is owed in whole blocks: node, rack, block, pod"),
    Value("blocks", "N", "so many of them; 0: in devices alone"),
    Value("from", "TIME", "take effect then, e.g. \"2026-12-01 00:00\" or +2d (now)"),
    Flag("allow-oversell", "entitlements may exceed what the center has"),
    Flag("dry-run", "only show what would change"),
};

std::string LimitText(const v1::QuotaLimits& limits) {
  return absl::StrCat(
      "entitlement ", limits.entitlement(), ", limit ",
      limits.has_limit() ? absl::StrCat(limits.limit()) : "none",
      limits.non_lendable() == 0 ? "" : absl::StrCat(", never lent ", limits.non_lendable()),
      limits.has_weight() ? absl::StrCat(", weight ", limits.weight()) : "",
      limits.block_level_count() == 0
          ? ""
          : absl::StrCat(", of it ", limits.block_level_count(), " whole ",
                         CleanText(limits.block_level()), "s"));
}

std::string OwnerText(const std::string& tenant, const std::string& project) {
  return CleanText(project.empty() ? tenant : absl::StrCat(tenant, "/", project));
}

// A change that is still to come.
std::string EditText(const v1::QuotaEdit& edit) {
  return absl::StrCat("from ",
                      absl::FormatTime("%Y-%m-%d %H:%M:%S", TimeFromMicros(edit.effective_at_us()),
                                       absl::LocalTimeZone()),
                      ": ", OwnerText(edit.tenant(), edit.project()), " ",
                      CleanText(edit.device_class()), ": ", LimitText(edit.limits()), "\n");
}

absl::StatusOr<int> RunQuota(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 1, ""));
  v1::GetQuotaRequest request;
  if (!context.arguments.words.empty()) {
    request.set_tenant(context.arguments.words[0].text);
  }
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::GetQuotaResponse response, api->GetQuota(request));
  RETURN_IF_ERROR(context.Print(QuotaListing({response.rows().begin(), response.rows().end()},
                                             {response.edits().begin(), response.edits().end()})));
  if (context.output.for_people()) {
    for (const v1::QuotaEdit& edit : response.edits()) {
      context.console.Out(EditText(edit));
    }
  }
  return kExitDone;
}

// What an option says about one number; `none` is allowed where the number may be absent.
absl::StatusOr<int64_t> Devices(const OptionValue& value) {
  return IntegerOf(value, 0, kDevicesMax);
}

absl::Status ChangeBlocks(const Arguments& arguments, v1::QuotaLimits& limits) {
  const OptionValue* const blocks = arguments.Find("blocks");
  if (const OptionValue* const level = arguments.Find("block-level"); level != nullptr) {
    limits.set_block_level(level->text);
    if (blocks == nullptr && limits.block_level_count() == 0) {
      return ValueError(*level, "say how many blocks with --blocks");
    }
  }
  if (blocks != nullptr) {
    ASSIGN_OR_RETURN(const int64_t count, IntegerOf(*blocks, 0, kBlocksMax));
    limits.set_block_level_count(static_cast<int32_t>(count));
    if (count == 0) {
      limits.clear_block_level();
    } else if (limits.block_level().empty()) {
      limits.set_block_level("node");
    }
  }
  return absl::OkStatus();
}

absl::Status ChangeLimits(const Arguments& arguments, v1::QuotaLimits& limits) {
  if (const OptionValue* const value = arguments.Find("entitlement"); value != nullptr) {
    ASSIGN_OR_RETURN(const int64_t devices, Devices(*value));
    limits.set_entitlement(devices);
  }
  if (const OptionValue* const value = arguments.Find("non-lendable"); value != nullptr) {
    ASSIGN_OR_RETURN(const int64_t devices, Devices(*value));
    limits.set_non_lendable(devices);
  }
  if (const OptionValue* const value = arguments.Find("limit"); value != nullptr) {
    limits.clear_limit();
    if (value->text != "none") {
      ASSIGN_OR_RETURN(const int64_t devices, Devices(*value));
      limits.set_limit(devices);
    }
  }
  if (const OptionValue* const value = arguments.Find("weight"); value != nullptr) {
    limits.clear_weight();
    if (value->text != "none") {
      ASSIGN_OR_RETURN(const int64_t weight, Devices(*value));
      limits.set_weight(weight);
    }
  }
  return ChangeBlocks(arguments, limits);
}

// Even a change to what is there already replaces the one that is still to come: it must be meant.
absl::Status CheckChangesSomething(const Arguments& arguments) {
  constexpr const char* kChanges[] = {"entitlement", "limit",       "non-lendable",
                                      "weight",      "block-level", "blocks"};
  const bool named = std::any_of(std::begin(kChanges), std::end(kChanges),
                                 [&](const char* name) { return arguments.Has(name); });
  return named ? absl::OkStatus()
               : ErrorAt({}, "name what is to change, e.g. --entitlement 64",
                         "berth quota set --help");
}

// What is not named in the options stays as it is.
absl::Status KeepPresentLimits(ApiClient& api, v1::SetQuotaRequest& request) {
  v1::GetQuotaRequest get;
  get.set_tenant(request.tenant());
  ASSIGN_OR_RETURN(const v1::GetQuotaResponse response, api.GetQuota(get));
  for (const v1::QuotaRow& row : response.rows()) {
    if (row.project() == request.project() && row.device_class() == request.device_class()) {
      *request.mutable_limits() = row.limits();
    }
  }
  return absl::OkStatus();
}

// The request that the words and options describe, with the limits not filled in yet.
absl::StatusOr<v1::SetQuotaRequest> MakeSetRequest(const Arguments& arguments) {
  RETURN_IF_ERROR(CheckWordCount(
      arguments, 1, 1, "the tenant, e.g. `berth quota set acme --class nvidia-h800-80g -d 64`"));
  if (arguments.Text("class").empty()) {
    return ErrorAt({}, "name the device class with --class", "berth nodes");
  }
  v1::SetQuotaRequest request;
  request.set_tenant(arguments.words[0].text);
  request.set_project(arguments.Text("project"));
  request.set_device_class(arguments.Text("class"));
  request.set_allow_oversell(arguments.Has("allow-oversell"));
  request.set_dry_run(arguments.Has("dry-run"));
  if (const OptionValue* const value = arguments.Find("from"); value != nullptr) {
    ASSIGN_OR_RETURN(const absl::Time from, FutureOf(*value, absl::Now()));
    request.set_effective_at_us(absl::ToUnixMicros(from));
  }
  return request;
}

absl::Status PrintChange(Context& context, const v1::SetQuotaRequest& request,
                         const v1::SetQuotaResponse& response) {
  if (!context.output.for_people()) {
    Listing listing = QuotaListing({response.after()}, {});
    listing.rows[0].json["before"] = QuotaJson(response.before());
    listing.rows[0].json["effects"] =
        std::vector<std::string>(response.effects().begin(), response.effects().end());
    return context.Print(listing);
  }
  const std::string when =
      request.effective_at_us() == 0
          ? ""
          : absl::StrCat(
                "from ",
                absl::FormatTime("%Y-%m-%d %H:%M:%S", TimeFromMicros(request.effective_at_us()),
                                 absl::LocalTimeZone()),
                ": ");
  context.console.Out(
      absl::StrCat(when, request.dry_run() ? "would change the quota of " : "quota of ",
                   OwnerText(request.tenant(), request.project()), " for ",
                   CleanText(request.device_class()), ": ", LimitText(response.before().limits()),
                   " → ", LimitText(response.after().limits()), "\n"));
  for (const std::string& effect : response.effects()) {
    context.console.Out(absl::StrCat("  ", CleanText(effect), "\n"));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> RunQuotaSet(Context& context) {
  ASSIGN_OR_RETURN(v1::SetQuotaRequest request, MakeSetRequest(context.arguments));
  // Wrong numbers are told before the scheduler is asked anything.
  RETURN_IF_ERROR(CheckChangesSomething(context.arguments));
  v1::QuotaLimits checked;
  RETURN_IF_ERROR(ChangeLimits(context.arguments, checked));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  RETURN_IF_ERROR(KeepPresentLimits(*api, request));
  RETURN_IF_ERROR(ChangeLimits(context.arguments, *request.mutable_limits()));
  ASSIGN_OR_RETURN(const v1::SetQuotaResponse response, api->SetQuota(request));
  RETURN_IF_ERROR(PrintChange(context, request, response));
  return kExitDone;
}

}  // namespace

const Command kQuotaCommand = {
    .name = "quota",
    .plural = nullptr,
    .group = CommandGroup::kQuota,
    .summary = "what a tenant owns, uses, borrows and lends",
    .usage = "[TENANT]",
    .examples = "berth quota\nberth quota acme\nberth quota -o json\n",
    .options = {},
    .takes_job_options = false,
    .run = RunQuota,
};

const Command kQuotaSetCommand = {
    .name = "quota set",
    .plural = nullptr,
    .group = CommandGroup::kQuota,
    .summary = "change it; what is not named stays",
    .usage = "TENANT --class CLASS [OPTIONS]",
    .examples =
        "berth quota set acme --class nvidia-h800-80g --entitlement 64 --limit 96\n"
        "berth quota set acme --class nvidia-h800-80g --limit none --from \"2026-12-01 00:00\"\n"
        "berth quota set acme --project llm --class nvidia-h800-80g -d 32 --dry-run\n",
    .options = kSetOptions,
    .takes_job_options = false,
    .run = RunQuotaSet,
};

}  // namespace berth
