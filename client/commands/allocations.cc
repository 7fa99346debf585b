#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/job_ids.h"
#include "client/views.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int64_t kLimitMax = 10'000;
constexpr int32_t kLimitDefault = 100;

constexpr Option kAllocationsOptions[] = {
    Value("limit", "N", "at most so many, the newest (100)"),
    Value("tenant", "TENANT", "only of this tenant (operators)"),
};

absl::StatusOr<int> RunAllocations(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 1, ""));
  v1::ListAllocationsRequest request;
  request.set_page_size(kLimitDefault);
  request.set_tenant(context.arguments.Text("tenant"));
  if (const OptionValue* const value = context.arguments.Find("limit"); value != nullptr) {
    ASSIGN_OR_RETURN(const int64_t limit, IntegerOf(*value, 1, kLimitMax));
    request.set_page_size(static_cast<int32_t>(limit));
  }
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  if (!context.arguments.words.empty()) {
    ASSIGN_OR_RETURN(const uint64_t id, FindJobId(*api, context.arguments.words[0]));
    request.set_job_id(id);
  }
  ASSIGN_OR_RETURN(const v1::ListAllocationsResponse response, api->ListAllocations(request));
  RETURN_IF_ERROR(context.Print(AllocationListing(
      {response.allocations().begin(), response.allocations().end()}, absl::Now())));
  return kExitDone;
}

}  // namespace

const Command kAllocationsCommand = {
    .name = "allocations",
    .plural = nullptr,
    .group = CommandGroup::kWatch,
    .summary = "who had which devices, from when to when",
    .usage = "[JOB] [OPTIONS]",
    .examples =
        "berth allocations 4812\n"
        "berth allocations --limit 1000 -o csv\n"
        "berth allocations --tenant acme -o json\n",
    .options = kAllocationsOptions,
    .takes_job_options = false,
    .run = RunAllocations,
};

}  // namespace berth
