#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/confirm.h"
#include "client/exit_codes.h"
#include "client/text.h"
#include "client/views.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr Option kDrainOptions[] = {
    Value("reason", "TEXT", "shown with the node"),
};
constexpr Option kConfirmDeadOptions[] = {
    Value("reason", "TEXT", "shown with the node"),
    YesOption(),
};
constexpr Option kEndHoldOptions[] = {
    YesOption(),
};

absl::StatusOr<int> RunNodeList(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 0, ""));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::ListNodesResponse response, api->ListNodes({}));
  RETURN_IF_ERROR(
      context.Print(NodeListing({response.nodes().begin(), response.nodes().end()}, absl::Now())));
  return kExitDone;
}

absl::Status PrintNode(Context& context, const v1::Node& node, const std::string& sentence) {
  if (context.output.for_people()) {
    context.console.Out(sentence);
    return absl::OkStatus();
  }
  return context.Print(NodeListing({node}, absl::Now()));
}

absl::StatusOr<int> RunNodeDrain(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1, "the node, e.g. `berth node drain n1`"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  v1::DrainNodeRequest request;
  request.set_name(context.arguments.words[0].text);
  request.set_reason(context.arguments.Text("reason"));
  ASSIGN_OR_RETURN(const v1::DrainNodeResponse response, api->DrainNode(request));
  const std::string jobs = absl::StrJoin(response.jobs(), ", ");
  const std::string sentence = absl::StrCat(
      CleanText(response.node().name()), " is ", NodeStateWord(response.node().state()),
      jobs.empty() ? "; nothing runs there\n" : "; these jobs go on there: ", jobs,
      jobs.empty() ? "" : "\n");
  RETURN_IF_ERROR(PrintNode(context, response.node(), sentence));
  return kExitDone;
}

absl::StatusOr<int> RunNodeUndrain(Context& context) {
  RETURN_IF_ERROR(
      CheckWordCount(context.arguments, 1, 1, "the node, e.g. `berth node undrain n1`"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  v1::UndrainNodeRequest request;
  request.set_name(context.arguments.words[0].text);
  ASSIGN_OR_RETURN(const v1::UndrainNodeResponse response, api->UndrainNode(request));
  RETURN_IF_ERROR(PrintNode(context, response.node(),
                            absl::StrCat(CleanText(response.node().name()), " is ",
                                         NodeStateWord(response.node().state()), "\n")));
  return kExitDone;
}

std::string ReleasedText(
    const google::protobuf::RepeatedPtrField<v1::ReleasedAllocation>& released) {
  if (released.empty()) {
    return "nothing was held there\n";
  }
  std::string text;
  for (const v1::ReleasedAllocation& allocation : released) {
    absl::StrAppend(&text, "released allocation ", allocation.allocation_id(), " of job ",
                    allocation.job_id(), ": ", allocation.devices(),
                    allocation.devices() == 1 ? " device\n" : " devices\n");
  }
  return text;
}

absl::StatusOr<int> RunNodeConfirmDead(Context& context) {
  RETURN_IF_ERROR(
      CheckWordCount(context.arguments, 1, 1, "the node, e.g. `berth node confirm-dead n1`"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  v1::ConfirmNodeDeadRequest request;
  request.set_name(context.arguments.words[0].text);
  request.set_reason(context.arguments.Text("reason"));
  ASSIGN_OR_RETURN(
      const bool yes,
      Confirm(context, absl::StrCat("Is ", CleanText(request.name()),
                                    " off or wiped for sure? What still runs there would run a "
                                    "second time elsewhere.")));
  if (!yes) {
    context.console.Err("nothing was released\n");
    return kExitFailed;
  }
  ASSIGN_OR_RETURN(const v1::ConfirmNodeDeadResponse response, api->ConfirmNodeDead(request));
  RETURN_IF_ERROR(PrintNode(context, response.node(),
                            absl::StrCat(CleanText(response.node().name()), " is ",
                                         NodeStateWord(response.node().state()), "; ",
                                         ReleasedText(response.released()))));
  return kExitDone;
}

absl::StatusOr<int> RunNodeEndHold(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 1, "at most one node"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  v1::EndLossHoldRequest request;
  if (!context.arguments.words.empty()) {
    request.set_name(context.arguments.words[0].text);
  }
  const std::string whose =
      request.name().empty() ? "All nodes that are held" : CleanText(request.name());
  ASSIGN_OR_RETURN(const bool yes,
                   Confirm(context, absl::StrCat(whose,
                                                 " are lost after all, and their jobs are "
                                                 "stopped or queued again?")));
  if (!yes) {
    context.console.Err("nothing was released\n");
    return kExitFailed;
  }
  ASSIGN_OR_RETURN(const v1::EndLossHoldResponse response, api->EndLossHold(request));
  context.console.Out(absl::StrCat("lost: ", CleanText(absl::StrJoin(response.nodes(), ", ")), "; ",
                                   ReleasedText(response.released())));
  return kExitDone;
}

}  // namespace

const Command kNodeListCommand = {
    .name = "node list",
    .plural = "nodes",
    .group = CommandGroup::kNodes,
    .summary = "the nodes and their devices",
    .usage = "[OPTIONS]",
    .examples = "berth nodes\nberth nodes -o wide\nberth node list -o json\n",
    .options = {},
    .takes_job_options = false,
    .run = RunNodeList,
};

const Command kNodeDrainCommand = {
    .name = "node drain",
    .plural = nullptr,
    .group = CommandGroup::kNodes,
    .summary = "start nothing new on a node; what runs goes on",
    .usage = "NODE [OPTIONS]",
    .examples =
        "berth node drain n31\n"
        "berth node drain n31 --reason \"HBM replacement\"\n"
        "berth node drain n31 -o json\n",
    .options = kDrainOptions,
    .takes_job_options = false,
    .run = RunNodeDrain,
};

const Command kNodeUndrainCommand = {
    .name = "node undrain",
    .plural = nullptr,
    .group = CommandGroup::kNodes,
    .summary = "use a drained or quarantined node again",
    .usage = "NODE",
    .examples =
        "berth node undrain n31\n"
        "berth node undrain n31 -o json\n"
        "berth nodes -o fields=name,state,state_detail\n",
    .options = {},
    .takes_job_options = false,
    .run = RunNodeUndrain,
};

const Command kNodeConfirmDeadCommand = {
    .name = "node confirm-dead",
    .plural = nullptr,
    .group = CommandGroup::kNodes,
    .summary = "give away what is held on a node that is off for sure",
    .usage = "NODE [OPTIONS]",
    .examples =
        "berth node confirm-dead n31\n"
        "berth node confirm-dead n31 --yes -o json\n"
        "berth node confirm-dead n31 --yes --reason \"power supply burnt\"\n",
    .options = kConfirmDeadOptions,
    .takes_job_options = false,
    .run = RunNodeConfirmDead,
};

const Command kNodeEndHoldCommand = {
    .name = "node end-hold",
    .plural = nullptr,
    .group = CommandGroup::kNodes,
    .summary = "declare nodes lost that are held because many fell silent at once",
    .usage = "[NODE] [OPTIONS]",
    .examples =
        "berth node end-hold\n"
        "berth node end-hold n31\n"
        "berth node end-hold n31 --yes\n",
    .options = kEndHoldOptions,
    .takes_job_options = false,
    .run = RunNodeEndHold,
};

}  // namespace berth
