#include "absl/strings/str_cat.h"

#include "client/commands/commands.h"
#include "client/job_rank.h"
#include "client/job_session.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr Option kExecOptions[] = {
    Flag("interactive", "pass standard input on to the command", 'i'),
    Flag("tty", "give the command a terminal", 't'),
};

absl::StatusOr<int> RunExec(Context& context) {
  const Arguments& arguments = context.arguments;
  RETURN_IF_ERROR(CheckWordAndCommand(arguments, "berth exec 4812 -- nvidia-smi"));
  JobSignals signals;
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const JobRank place, FindJobRank(*api, arguments.words[0]));
  v1::EnterJobRequest request;
  request.set_job_id(place.job);
  request.set_rank(place.rank);
  v1::EnterJobRequest::Command& command = *request.mutable_command();
  command.mutable_argv()->Assign(arguments.after_dashes.begin(), arguments.after_dashes.end());
  command.set_terminal(arguments.Has("tty") &&
                       (!arguments.Has("interactive") || CanPassTerminal(context, "command")));
  ASSIGN_OR_RETURN(const InsideEnd end, RunInJobHere(context, std::move(request),
                                                     arguments.Has("interactive"), signals));
  return end.code;
}

}  // namespace

const Command kExecCommand = {
    .name = "exec",
    .plural = nullptr,
    .group = CommandGroup::kInside,
    .summary = "run a command inside a running job",
    .usage = "[-it] JOB[/RANK] -- COMMAND ARGUMENTS",
    .examples =
        "berth exec 4812 -- nvidia-smi\n"
        "berth exec -it 4812/16 -- bash\n"
        "berth exec -i 4812 -- python - < probe.py\n",
    .options = kExecOptions,
    .takes_job_options = false,
    .run = RunExec,
};

}  // namespace berth
