#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/follow.h"
#include "client/job_rank.h"
#include "client/log_download.h"
#include "client/log_sources.h"
#include "client/log_view.h"
#include "client/moment.h"
#include "client/rank_set.h"
#include "client/text.h"
#include "client/unreachable.h"
#include "client/views.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int64_t kLinesMax = 100'000'000;

constexpr Option kLogsOptions[] = {
    Flag("follow", "go on until the job ends", 'f'),
    Value("rank", "LIST", "of these ranks, as 0,5-7 (the first that failed, else 0)"),
    Flag("all", "of all ranks, by time; what several say alike stands once"),
    Value("attempt", "N", "of this attempt, from 0 (the newest)"),
    Value("since", "TIME", "only what came since: 10m, 08:00, \"2026-12-06 08:00\""),
    Value("tail", "N", "only the last N lines of each rank"),
    Value("grep", "REGEX", "only lines in which this is found"),
    Flag("raw", "what the job wrote, byte for byte, at a terminal, too"),
    Value("download", "DIR", "into a file DIR/rank-N.log for each rank (all of them)"),
};

absl::Status ReadRanks(const Arguments& arguments, int32_t named, LogQuery& query) {
  const OptionValue* const list = arguments.Find("rank");
  if ((named >= 0 ? 1 : 0) + (list != nullptr ? 1 : 0) + (arguments.Has("all") ? 1 : 0) > 1) {
    return ErrorAt({}, "the ranks are named twice", "use one of JOB/RANK, --rank and --all");
  }
  query.ranks = {named};
  if (list != nullptr) {
    ASSIGN_OR_RETURN(query.ranks, RanksOf(*list));
  }
  query.with_ranks = arguments.Has("all") || query.ranks.size() > 1;
  return absl::OkStatus();
}

absl::StatusOr<LogQuery> ReadQuery(const Arguments& arguments, const JobRank& place) {
  LogQuery query;
  query.request.set_job_id(place.job);
  query.request.set_follow(arguments.Has("follow"));
  query.request.set_attempt(-1);
  query.request.set_tail_lines(-1);
  query.is_raw = arguments.Has("raw");
  RETURN_IF_ERROR(ReadRanks(arguments, place.rank, query));
  if (const OptionValue* const value = arguments.Find("attempt"); value != nullptr) {
    ASSIGN_OR_RETURN(const int64_t attempt, IntegerOf(*value, 0, INT32_MAX));
    query.request.set_attempt(static_cast<int32_t>(attempt));
  }
  if (const OptionValue* const value = arguments.Find("tail"); value != nullptr) {
    ASSIGN_OR_RETURN(const int64_t lines, IntegerOf(*value, 0, kLinesMax));
    query.request.set_tail_lines(lines);
  }
  if (const OptionValue* const value = arguments.Find("since"); value != nullptr) {
    ASSIGN_OR_RETURN(const absl::Time since, PastOf(*value, absl::Now()));
    query.request.set_since_us(std::max<int64_t>(absl::ToUnixMicros(since), 1));
  }
  if (const OptionValue* const value = arguments.Find("grep"); value != nullptr) {
    ASSIGN_OR_RETURN(query.lines, LinePattern::Of(*value));
  }
  return query;
}

// What does not go together.
absl::Status CheckForm(const Context& context, const LogQuery& query) {
  const bool follow = query.request.follow();
  if (context.arguments.Has("download")) {
    if (follow || query.lines.has_value()) {
      return ErrorAt({}, absl::StrCat("--download does not go with ", follow ? "-f" : "--grep"),
                     "download first, then look into the files");
    }
    return absl::OkStatus();
  }
  switch (context.output.kind) {
    case OutputKind::kTable:
    case OutputKind::kWide:
    case OutputKind::kJsonl:
      return absl::OkStatus();
    case OutputKind::kJson:
      return follow ? ErrorAt({}, "a log that goes on makes no JSON document", "use -o jsonl")
                    : absl::OkStatus();
    case OutputKind::kCsv:
    case OutputKind::kName:
    case OutputKind::kFields:
      return ErrorAt({}, "the lines of a log are no table", "use -o json or jsonl, or none");
  }
  return absl::OkStatus();
}

// Following a job that waits begins at its start.
absl::Status AwaitStart(Context& context, ApiClient& api, uint64_t job_id,
                        const FollowLimits& limits) {
  v1::GetJobRequest get;
  get.set_job_id(job_id);
  ASSIGN_OR_RETURN(const v1::GetJobResponse response, api.GetJob(get));
  const v1::JobState state = response.job().state();
  const bool waits = state == v1::JOB_STATE_QUEUED || state == v1::JOB_STATE_HELD ||
                     state == v1::JOB_STATE_DISPATCHING || state == v1::JOB_STATE_STARTING;
  // An array has no log however long one waits: the scheduler says who has.
  if (!waits || response.job().has_array()) {
    return absl::OkStatus();
  }
  const std::string& reason = response.job().reason().message();
  context.console.Err(absl::StrCat("job ", job_id, " is ", JobStateWord(state),
                                   reason.empty() ? "" : ": ", CleanText(reason), "\n"));
  v1::WaitJobRequest request;
  request.set_job_id(job_id);
  request.set_until(v1::WaitJobRequest::UNTIL_STARTED);
  return WaitForJob(api, request, limits, nullptr).status();
}

// The ranks of the attempt, which from here on is this one: another may begin meanwhile. Returns
// the job.
absl::StatusOr<v1::Job> FindRanks(ApiClient& api, bool all, LogQuery& query) {
  v1::GetJobRequest get;
  get.set_job_id(query.request.job_id());
  get.set_with_spec(all);
  get.set_all_attempts(all);
  ASSIGN_OR_RETURN(const v1::GetJobResponse response, api.GetJob(get));
  const v1::Job& job = response.job();
  if (query.request.attempt() == -1) {
    query.request.set_attempt(job.attempt());
  }
  if (!all) {
    return job;
  }
  std::set<int32_t> nodes;
  for (const v1::Allocation& allocation : job.allocations()) {
    if (allocation.attempt() == query.request.attempt()) {
      nodes.insert(allocation.rank());  // an elastic job may have fewer than it asked for
    }
  }
  if (nodes.empty()) {
    for (int32_t node = 0; node < job.gang().nodes(); ++node) {
      nodes.insert(node);
    }
  }
  const int32_t ranks_per_node = response.spec().launch() == v1::LAUNCH_MODE_DEVICE
                                     ? std::max(1, job.gang().devices_per_node())
                                     : 1;
  query.ranks.clear();
  for (const int32_t node : nodes) {
    for (int32_t rank = 0; rank < ranks_per_node; ++rank) {
      query.ranks.push_back(node * ranks_per_node + rank);
    }
  }
  return job;
}

absl::StatusOr<int> Download(Context& context, ApiClient& api, LogQuery& query) {
  ASSIGN_OR_RETURN(const v1::Job job, FindRanks(api, query.ranks.front() == -1, query));
  ASSIGN_OR_RETURN(const int code,
                   DownloadLogs(context, query, context.arguments.Find("download")->text));
  if (query.request.attempt() == job.attempt() && !IsEnded(job.state())) {
    context.PrintNotes({absl::StrCat("job ", job.id(), " is ", JobStateWord(job.state()),
                                     ": these are its logs so far")});
  }
  return code;
}

absl::StatusOr<int> Show(Context& context, ApiClient& api, LogQuery& query,
                         const FollowLimits& limits) {
  if (context.arguments.Has("download")) {
    return Download(context, api, query);
  }
  if (query.with_ranks) {
    RETURN_IF_ERROR(FindRanks(api, context.arguments.Has("all"), query).status());
  }
  if (query.ranks.size() > LogSources::kLogsMax) {
    return ErrorAt({},
                   absl::StrCat("these are ", query.ranks.size(), " ranks, and ",
                                LogSources::kLogsMax, " logs are read at a time"),
                   absl::StrCat("use --rank 0-", LogSources::kLogsMax - 1, ", or --download DIR"));
  }
  if (query.with_ranks || query.lines.has_value() || !context.output.for_people()) {
    return ShowLogLines(context, query, limits);
  }
  RETURN_IF_ERROR(ShowLogBytes(context, query, limits));
  return kExitDone;
}

absl::StatusOr<int> RunLogs(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1, "the job, e.g. `berth logs -f 4812`"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const JobRank place, FindJobRank(*api, context.arguments.words[0]));
  ASSIGN_OR_RETURN(LogQuery query, ReadQuery(context.arguments, place));
  RETURN_IF_ERROR(CheckForm(context, query));
  ASSIGN_OR_RETURN(const FollowLimits limits, FollowLimitsOf(context));
  absl::Status start;
  if (query.request.follow()) {
    start = AwaitStart(context, *api, place.job, limits);
  }
  absl::StatusOr<int> code = start.ok() ? Show(context, *api, query, limits) : start;
  if (!query.request.follow()) {
    return code;
  }
  if (IsUnreachable(code.status())) {
    context.PrintError(code.status());
    return kExitServerLost;
  }
  return code.ok() && *code == kExitUnreachable ? kExitServerLost : code;
}

}  // namespace

const Command kLogsCommand = {
    .name = "logs",
    .plural = nullptr,
    .group = CommandGroup::kWatch,
    .summary = "the output of a job",
    .usage = "JOB[/RANK] [OPTIONS]",
    .examples =
        "berth logs -f 4812 --all\n"
        "berth logs last --rank 0,5-7 --since 10m --grep 'loss|error'\n"
        "berth logs 4812 --attempt 0 --download logs\n",
    .options = kLogsOptions,
    .takes_job_options = false,
    .run = RunLogs,
};

}  // namespace berth
