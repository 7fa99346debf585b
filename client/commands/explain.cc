#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/commands/job_update.h"
#include "client/exit_codes.h"
#include "client/explanation_text.h"
#include "client/follow.h"
#include "client/job_ids.h"
#include "client/text.h"
#include "client/views.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr absl::Duration kWatchPause = absl::Seconds(1);
constexpr int64_t kLastLines = 10;
constexpr size_t kLastBytes = 64 * 1024;
constexpr int kLineCells = 200;

constexpr auto kExplainOptions = [] {
  std::array<Option, 3 + kUpdateOptions.size()> options{
      Flag("verbose", "every node and every gang that could have been recalled", 'v'),
      Flag("watch", "again whenever it changes, until the job ends", 'w'),
      Flag("what-if", "as if the job were changed so, with these options of `berth update`:"),
  };
  std::copy(kUpdateOptions.begin(), kUpdateOptions.end(), options.begin() + 3);
  return options;
}();

absl::Status ReadChange(const Arguments& arguments, v1::ExplainJobRequest& request) {
  if (arguments.Has("what-if")) {
    ASSIGN_OR_RETURN(*request.mutable_what_if(), MakeUpdate(arguments));
    return absl::OkStatus();
  }
  for (const Option& option : kUpdateOptions) {
    if (const OptionValue* const value = arguments.Find(option.name); value != nullptr) {
      return ErrorAt(value->origin, absl::StrCat("--", option.name, " is a change of the job"),
                     "add --what-if to see what it would bring; `berth update` makes it");
    }
  }
  return absl::OkStatus();
}

// The end of what the rank wrote that failed first. None: no rank failed.
absl::StatusOr<std::vector<std::string>> LastLines(ApiClient& api, const v1::Job& job) {
  if (!job.has_end() || job.end().failed_rank() < 0) {
    return std::vector<std::string>{};
  }
  v1::StreamLogsRequest request;
  request.set_job_id(job.id());
  request.set_attempt(-1);
  request.set_rank(job.end().failed_rank());
  request.set_tail_lines(kLastLines);
  std::string log;
  RETURN_IF_ERROR(CopyLog(api, request, {}, [&log](const std::string& data) {
    log += data;
    if (log.size() > kLastBytes) {
      log.erase(0, log.size() - kLastBytes);
    }
  }));
  if (!log.empty() && log.back() == '\n') {
    log.pop_back();
  }
  if (log.empty()) {
    return std::vector<std::string>{};
  }
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(log, '\n')) {
    lines.push_back(CutToWidth(CleanText(line), kLineCells));
  }
  return lines;
}

absl::Status Show(Context& context, const v1::Explanation& explanation,
                  const std::vector<std::string>& last_lines) {
  if (context.output.for_people()) {
    std::string text = ExplanationText(explanation, context.arguments.Has("verbose"), absl::Now());
    for (const std::string& line : last_lines) {
      absl::StrAppend(&text, &line == &last_lines.front() ? "LAST LINES\n    " : "    ", line,
                      "\n");
    }
    context.console.Out(text);
    return absl::OkStatus();
  }
  Listing listing{.kind = "ExplanationList", .columns = {}, .rows = {}, .name_field = "verdict"};
  Json json = ExplanationJson(explanation);
  json["last_lines"] = last_lines;
  listing.rows.push_back({.json = std::move(json), .cells = {}});
  return context.Print(listing);
}

// What must differ for it to be news. It is worked out anew each second, and only as_of changes.
std::string Essence(const v1::Explanation& explanation) {
  Json json = ExplanationJson(explanation);
  json.erase("as_of");
  return json.dump();
}

absl::StatusOr<int> RunExplain(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1, "the job, e.g. `berth explain 4812`"));
  v1::ExplainJobRequest request;
  RETURN_IF_ERROR(ReadChange(context.arguments, request));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const uint64_t id, FindJobId(*api, context.arguments.words[0]));
  request.set_job_id(id);
  const bool watch = context.arguments.Has("watch");
  std::string shown;
  while (true) {
    ASSIGN_OR_RETURN(const v1::ExplainJobResponse response, api->ExplainJob(request));
    const v1::Explanation& explanation = response.explanation();
    const bool ended = explanation.verdict() == v1::Explanation::VERDICT_ENDED;
    const bool redraw = watch && context.console.out_is_terminal() && context.output.for_people();
    if (std::string essence = Essence(explanation); redraw || essence != shown) {
      shown = std::move(essence);
      context.console.Out(redraw ? "\x1b[H\x1b[J" : "");
      const auto last_lines =
          ended ? LastLines(*api, explanation.job()) : std::vector<std::string>{};
      RETURN_IF_ERROR(Show(context, explanation, last_lines.value_or(std::vector<std::string>{})));
    }
    if (!watch || ended || !context.console.Flush()) {
      return kExitDone;
    }
    absl::SleepFor(kWatchPause);
  }
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
        "berth explain 4812 --what-if --nodes 3 --time 12h\n"
        "berth explain @llm7b-sft --watch\n",
    .options = kExplainOptions,
    .takes_job_options = false,
    .run = RunExplain,
};

}  // namespace berth
