#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/job_ids.h"
#include "client/screen.h"
#include "client/text.h"
#include "client/top_view.h"
#include "client/unreachable.h"
#include "client/views.h"
#include "common/status_macros.h"
#include <unistd.h>

namespace berth {
namespace {

constexpr absl::Duration kIntervalDefault = absl::Seconds(2);
constexpr absl::Duration kIntervalLeast = absl::Milliseconds(500);
// A live picture does not stand still for longer when the scheduler is away.
constexpr absl::Duration kPatience = absl::Seconds(2);
// No picture has room for more jobs; more are counted only.
constexpr int32_t kJobsMax = 10'000;
constexpr int kEndOfInput = 4;  // Ctrl-D

constexpr Option kTopOptions[] = {
    Flag("once", "print one picture as plain text"),
    Value("interval", "TIME", "how often it is drawn anew (2s)"),
};

// What is looked at.
struct Subject {
  std::optional<uint64_t> job;  // else the center
  bool owners = false;
  std::string server;
};

absl::StatusOr<std::string> Draw(ApiClient& api, const Subject& subject, const PictureSize& size) {
  ASSIGN_OR_RETURN(const v1::ListNodesResponse nodes, api.ListNodes({}));
  if (subject.job.has_value()) {
    v1::GetJobRequest get;
    get.set_job_id(*subject.job);
    ASSIGN_OR_RETURN(const v1::GetJobResponse response, api.GetJob(get));
    return JobPicture(response.job(), {nodes.nodes().begin(), nodes.nodes().end()}, size,
                      absl::Now());
  }
  ASSIGN_OR_RETURN(const v1::GetQuotaResponse quota, api.GetQuota({}));
  v1::ListJobsRequest list;
  list.set_page_size(kJobsMax);
  ASSIGN_OR_RETURN(const v1::ListJobsResponse jobs, api.ListJobs(list));
  return CenterPicture(
      {
          .server = subject.server,
          .nodes = {nodes.nodes().begin(), nodes.nodes().end()},
          .quota = {quota.rows().begin(),  quota.rows().end() },
          .jobs = {jobs.jobs().begin(),   jobs.jobs().end()  },
          .more_jobs = jobs.next_before_job_id() != 0,
          .owners = subject.owners
  },
      size, absl::Now());
}

bool EndsIt(int key) {
  return key < 0 || key == 'q' || key == 'Q' || key == kEndOfInput;
}

// Until a key or a signal ends it. A scheduler that goes away leaves the last picture.
absl::StatusOr<int> Watch(Screen& screen, ApiClient& api, const Subject& subject,
                          absl::Duration interval) {
  std::string picture;
  while (true) {
    // The last row says how to leave.
    const PictureSize size{.columns = screen.columns(), .rows = std::max(screen.rows() - 1, 1)};
    const auto drawn = Draw(api, subject, size);
    std::string last = "q leaves";
    if (drawn.ok()) {
      picture = *drawn;
    } else if (IsUnreachable(drawn.status()) && !picture.empty()) {
      last = absl::StrCat("not now: ", CleanText(drawn.status().message()));
    } else {
      return drawn.status();
    }
    screen.Draw(absl::StrCat(picture, CutToWidth(last, size.columns), "\n"));
    if (EndsIt(screen.AwaitKey(interval))) {
      return screen.signal() == 0 ? kExitDone : kExitSignalBase + screen.signal();
    }
  }
}

absl::StatusOr<absl::Duration> ReadInterval(const Arguments& arguments) {
  const OptionValue* const value = arguments.Find("interval");
  if (value == nullptr) {
    return kIntervalDefault;
  }
  ASSIGN_OR_RETURN(const absl::Duration interval, DurationOf(*value));
  if (interval < kIntervalLeast) {
    return ValueError(*value, "is too short", "give 500ms or more");
  }
  return interval;
}

absl::StatusOr<int> RunTop(Context& context) {
  const Arguments& arguments = context.arguments;
  RETURN_IF_ERROR(CheckWordCount(arguments, 0, 1, ""));
  if (!context.output.for_people()) {
    return ErrorAt({}, "a picture is for people only",
                   "use berth nodes, quota, ps or show with -o");
  }
  ASSIGN_OR_RETURN(const absl::Duration interval, ReadInterval(arguments));
  const bool live =
      !arguments.Has("once") && context.console.out_is_terminal() && isatty(context.input) == 1;
  std::optional<Screen> screen;
  if (live) {
    screen.emplace(context.input, STDOUT_FILENO);
  }
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  Subject subject{.server = context.settings.server};
  if (!arguments.words.empty()) {
    ASSIGN_OR_RETURN(subject.job, FindJobId(*api, arguments.words[0]));
  }
  ASSIGN_OR_RETURN(const v1::WhoAmIResponse who, api->WhoAmI({}));
  subject.owners = who.user().role() != v1::ROLE_MEMBER;
  if (screen.has_value()) {
    api->set_patience({.attempt = kPatience, .total = kPatience});
    return Watch(*screen, *api, subject, interval);
  }
  ASSIGN_OR_RETURN(const std::string picture,
                   Draw(*api, subject, {.columns = context.console.columns()}));
  context.console.Out(picture);
  return kExitDone;
}

}  // namespace

const Command kTopCommand = {
    .name = "top",
    .plural = nullptr,
    .group = CommandGroup::kWatch,
    .summary = "the center, or one job, as a picture that stays new",
    .usage = "[JOB] [OPTIONS]",
    .examples =
        "berth top\n"
        "berth top 4812 --interval 5s\n"
        "berth top --once\n",
    .options = kTopOptions,
    .takes_job_options = false,
    .run = RunTop,
};

}  // namespace berth
