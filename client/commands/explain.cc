#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/explanation_text.h"
#include "client/job_ids.h"
#include "client/views.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr Option kOptions[] = {
    Flag("verbose", "every node and every gang that could have been recalled", 'v'),
};

absl::StatusOr<int> RunExplain(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1, "the job, e.g. `berth explain 4812`"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  v1::ExplainJobRequest request;
  ASSIGN_OR_RETURN(const uint64_t id, FindJobId(*api, context.arguments.words[0]));
  request.set_job_id(id);
  ASSIGN_OR_RETURN(const v1::ExplainJobResponse response, api->ExplainJob(request));
  if (context.output.for_people()) {
    context.console.Out(
        ExplanationText(response.explanation(), context.arguments.Has("verbose"), absl::Now()));
    return kExitDone;
  }
  Listing listing{.kind = "ExplanationList", .columns = {}, .rows = {}, .name_field = "verdict"};
  listing.rows.push_back({.json = ExplanationJson(response.explanation()), .cells = {}});
  RETURN_IF_ERROR(context.Print(listing));
  return kExitDone;
}

}  // namespace

const Command kExplainCommand = {
    .name = "explain",
    .plural = nullptr,
    .group = CommandGroup::kWatch,
    .summary = "why a job waits, when it starts, why it ended, who recalled it",
    .usage = "JOB [OPTIONS]",
    .examples =
        "berth explain 4812\n"
        "berth explain last -v\n"
        "berth explain @llm7b-sft -o json\n",
    .options = kOptions,
    .takes_job_options = false,
    .run = RunExplain,
};

}  // namespace berth
