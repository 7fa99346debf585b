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

// The best shell that is there.
constexpr const char* kShellWords[] = {"/bin/sh", "-c",
                                       "command -v bash >/dev/null 2>&1 && exec bash; exec sh"};

absl::StatusOr<v1::EnterJobRequest> MakeRequest(Context& context) {
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const JobRank place, FindJobRank(*api, context.arguments.words[0]));
  v1::EnterJobRequest request;
  request.set_job_id(place.job);
  request.set_rank(place.rank);
  return request;
}

absl::StatusOr<int> RunExec(Context& context) {
  const Arguments& arguments = context.arguments;
  RETURN_IF_ERROR(CheckWordAndCommand(arguments, "berth exec 4812 -- nvidia-smi"));
  JobSignals signals;
  ASSIGN_OR_RETURN(v1::EnterJobRequest request, MakeRequest(context));
  v1::EnterJobRequest::Command& command = *request.mutable_command();
  command.mutable_argv()->Assign(arguments.after_dashes.begin(), arguments.after_dashes.end());
  command.set_terminal(arguments.Has("tty"));
  return RunInJobHere(context, std::move(request), arguments.Has("interactive"), signals);
}

absl::StatusOr<int> RunShell(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1, "the job, e.g. `berth shell 4812`"));
  JobSignals signals;
  ASSIGN_OR_RETURN(v1::EnterJobRequest request, MakeRequest(context));
  v1::EnterJobRequest::Command& command = *request.mutable_command();
  for (const char* word : kShellWords) {
    command.add_argv(word);
  }
  command.set_terminal(true);
  return RunInJobHere(context, std::move(request), true, signals);
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

const Command kShellCommand = {
    .name = "shell",
    .plural = nullptr,
    .group = CommandGroup::kInside,
    .summary = "a shell inside a running job",
    .usage = "JOB[/RANK]",
    .examples =
        "berth shell 4812\n"
        "berth shell last\n"
        "berth shell 4812/16\n",
    .options = {},
    .takes_job_options = false,
    .run = RunShell,
};

}  // namespace berth
