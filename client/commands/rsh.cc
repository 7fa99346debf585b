#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/job_session.h"
#include "client/text.h"
#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr absl::Duration kStartPatience = absl::Seconds(30);
constexpr absl::Duration kStartPause = absl::Milliseconds(100);

// Those that launchers pass to ssh; only -n means something here.
constexpr Option kRshOptions[] = {
    Flag("null-input", "the command has no input", 'n'),
    Value("login", "NAME", "for launchers; a job has one user", 'l'),
    Flag("no-forwarding", "for launchers; there is nothing to forward", 'x'),
};

absl::Status NotInside(absl::string_view message) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B1305",
                    .message = message,
                    .why = "rsh runs inside a job, to reach its other nodes",
                    .fix = "from outside: berth exec JOB/RANK -- COMMAND"});
}

// The job's nodes in the order of their ranks: "host slots=8" lines.
absl::StatusOr<std::vector<std::string>> ReadHosts(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> hosts;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> parts = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (!parts.empty()) {
      hosts.push_back(parts[0]);
    }
  }
  if (hosts.empty()) {
    return NotInside(
        absl::StrCat("the job's nodes are not in \"", CleanText(path), "\" (BERTH_HOSTFILE)"));
  }
  return hosts;
}

// Not heard of as running yet.
bool IsStarting(const v1::Allocation& allocation) {
  return allocation.state() == "reserved" || allocation.state() == "sent" ||
         allocation.state() == "prepared";
}

// Once all of the job runs: its first process may ask before the scheduler has heard of the last.
absl::StatusOr<v1::ListAllocationsResponse> ListRunning(Context& context, uint64_t job) {
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  v1::ListAllocationsRequest request;
  request.set_job_id(job);
  const absl::Time give_up = absl::Now() + kStartPatience;
  while (true) {
    ASSIGN_OR_RETURN(v1::ListAllocationsResponse response, api->ListAllocations(request));
    const auto& members = response.allocations();
    if (std::none_of(members.begin(), members.end(), IsStarting) || absl::Now() > give_up) {
      return response;
    }
    absl::SleepFor(kStartPause);
  }
}

// The place of a host among the job's nodes: the name of one, or as the hostfile has it.
absl::StatusOr<int32_t> FindNode(Context& context, uint64_t job, const std::string& host) {
  ASSIGN_OR_RETURN(const v1::ListAllocationsResponse response, ListRunning(context, job));
  for (const v1::Allocation& allocation : response.allocations()) {
    if (allocation.released_at_us() == 0 && allocation.node() == host) {
      return allocation.rank();
    }
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> hosts,
                   ReadHosts(Variable(context.environment, "BERTH_HOSTFILE")));
  const auto found = std::find(hosts.begin(), hosts.end(), host);
  if (found == hosts.end()) {
    return MakeError(absl::StatusCode::kNotFound,
                     {.code = "B1305",
                      .message = absl::StrCat("\"", CleanText(host), "\" is no node of this job"),
                      .why = absl::StrCat("its nodes are ", absl::StrJoin(hosts, ", ")),
                      .fix = ""});
  }
  return static_cast<int32_t>(found - hosts.begin());
}

// Where every device has a process, so many are on each node; the first of them is meant.
absl::StatusOr<int32_t> RanksPerNode(const Environment& environment) {
  int32_t ranks = 1;
  if (!Variable(environment, "RANK").empty() &&
      !absl::SimpleAtoi(Variable(environment, "LOCAL_WORLD_SIZE"), &ranks)) {
    return NotInside("LOCAL_WORLD_SIZE is not a number");
  }
  return ranks;
}

absl::StatusOr<int> RunRsh(Context& context) {
  const Arguments& arguments = context.arguments;
  RETURN_IF_ERROR(CheckWordAndCommand(arguments, "berth rsh HOST COMMAND"));
  v1::EnterJobRequest request;
  uint64_t job = 0;
  if (!absl::SimpleAtoi(Variable(context.environment, "BERTH_JOB_ID"), &job) || job == 0) {
    return NotInside("BERTH_JOB_ID does not name a job");
  }
  request.set_job_id(job);
  JobSignals signals;
  ASSIGN_OR_RETURN(const int32_t node, FindNode(context, job, arguments.words[0].text));
  ASSIGN_OR_RETURN(const int32_t ranks, RanksPerNode(context.environment));
  request.set_rank(node * ranks);
  // As ssh does: the words become one line for the shell there.
  for (const std::string& word :
       {std::string("/bin/sh"), std::string("-c"), absl::StrJoin(arguments.after_dashes, " ")}) {
    request.mutable_command()->add_argv(word);
  }
  ASSIGN_OR_RETURN(const InsideEnd end, RunInJobHere(context, std::move(request),
                                                     !arguments.Has("null-input"), signals));
  return end.code;
}

}  // namespace

const Command kRshCommand = {
    .name = "rsh",
    .plural = nullptr,
    .group = CommandGroup::kInside,
    .summary = "inside a job: run a command on another node of it, as ssh would",
    .usage = "[-n] HOST COMMAND...",
    .examples =
        "berth rsh node-07 hostname\n"
        "mpirun --mca plm_rsh_agent \"berth rsh\" --hostfile $BERTH_HOSTFILE ./solver\n"
        "berth rsh -n node-07 'nvidia-smi > smi.txt'\n",
    .options = kRshOptions,
    .takes_job_options = false,
    .ends_at_word = true,
    .run = RunRsh,
};

}  // namespace berth
