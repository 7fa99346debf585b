#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/screen.h"
#include "client/text.h"
#include "client/top_subject.h"
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

// What is looked at, and by whom.
struct View {
  TopSubject subject;
  bool owners = false;
  std::string server;
};

absl::StatusOr<v1::ListJobsResponse> ListLive(ApiClient& api, const std::string& tenant,
                                              bool with_samples) {
  v1::ListJobsRequest list;
  list.set_page_size(kJobsMax);
  list.set_tenant(tenant);
  list.set_with_samples(with_samples);
  return api.ListJobs(list);
}

absl::StatusOr<std::string> DrawCenter(ApiClient& api, const View& view, const PictureSize& size) {
  ASSIGN_OR_RETURN(const v1::ListNodesResponse nodes, api.ListNodes({}));
  ASSIGN_OR_RETURN(const v1::GetQuotaResponse quota, api.GetQuota({}));
  ASSIGN_OR_RETURN(const v1::ListJobsResponse jobs, ListLive(api, "", false));
  return CenterPicture(
      {
          .server = view.server,
          .nodes = {nodes.nodes().begin(), nodes.nodes().end()},
          .quota = {quota.rows().begin(),  quota.rows().end() },
          .jobs = {jobs.jobs().begin(),   jobs.jobs().end()  },
          .more_jobs = jobs.next_before_job_id() != 0,
          .owners = view.owners
  },
      size, absl::Now());
}

absl::StatusOr<std::string> DrawJob(ApiClient& api, uint64_t job, const PictureSize& size) {
  ASSIGN_OR_RETURN(const v1::ListNodesResponse nodes, api.ListNodes({}));
  v1::GetJobRequest get;
  get.set_job_id(job);
  get.set_with_samples(true);
  ASSIGN_OR_RETURN(const v1::GetJobResponse response, api.GetJob(get));
  return JobPicture(response.job(), {nodes.nodes().begin(), nodes.nodes().end()}, size,
                    absl::Now());
}

absl::StatusOr<std::string> DrawNode(ApiClient& api, const std::string& name,
                                     const PictureSize& size) {
  v1::ListNodesRequest request;
  request.set_name(name);
  request.set_with_uses(true);
  ASSIGN_OR_RETURN(const v1::ListNodesResponse response, api.ListNodes(request));
  if (response.nodes().empty()) {
    return NoSuchSubject("node", name);
  }
  return NodePicture(response.nodes(0), size, absl::Now());
}

absl::StatusOr<std::string> DrawTenant(ApiClient& api, const std::string& name,
                                       const PictureSize& size) {
  v1::GetQuotaRequest get;
  get.set_tenant(name);
  ASSIGN_OR_RETURN(const v1::GetQuotaResponse quota, api.GetQuota(get));
  ASSIGN_OR_RETURN(const v1::ListJobsResponse jobs, ListLive(api, name, true));
  return TenantPicture(
      {
          .name = name,
          .quota = {quota.rows().begin(), quota.rows().end()},
          .jobs = {jobs.jobs().begin(),  jobs.jobs().end() },
          .more_jobs = jobs.next_before_job_id() != 0
  },
      size, absl::Now());
}

absl::StatusOr<std::string> Draw(ApiClient& api, const View& view, const PictureSize& size) {
  switch (view.subject.kind) {
    case TopSubject::Kind::kCenter:
      return DrawCenter(api, view, size);
    case TopSubject::Kind::kJob:
      return DrawJob(api, view.subject.job, size);
    case TopSubject::Kind::kNode:
      return DrawNode(api, view.subject.name, size);
    case TopSubject::Kind::kTenant:
      return DrawTenant(api, view.subject.name, size);
  }
  return std::string();
}

bool EndsIt(int key) {
  return key < 0 || key == 'q' || key == 'Q' || key == kEndOfInput;
}

// Until a key or a signal ends it. A scheduler that goes away leaves the last picture.
absl::StatusOr<int> Watch(Screen& screen, ApiClient& api, const View& view,
                          absl::Duration interval) {
  std::string picture;
  while (true) {
    // The last row says how to leave.
    const PictureSize size{.columns = screen.columns(), .rows = std::max(screen.rows() - 1, 1)};
    const auto drawn = Draw(api, view, size);
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
  View view{.server = context.settings.server};
  if (!arguments.words.empty()) {
    ASSIGN_OR_RETURN(view.subject, FindTopSubject(*api, arguments.words[0]));
  }
  ASSIGN_OR_RETURN(const v1::WhoAmIResponse who, api->WhoAmI({}));
  view.owners = who.user().role() != v1::ROLE_MEMBER;
  if (screen.has_value()) {
    api->set_patience({.attempt = kPatience, .total = kPatience});
    return Watch(*screen, *api, view, interval);
  }
  ASSIGN_OR_RETURN(const std::string picture,
                   Draw(*api, view, {.columns = context.console.columns()}));
  context.console.Out(picture);
  return kExitDone;
}

}  // namespace

const Command kTopCommand = {
    .name = "top",
    .plural = nullptr,
    .group = CommandGroup::kWatch,
    .summary = "the center, or a job, node or tenant, as a picture that stays new",
    .usage = "[JOB|NODE|TENANT] [OPTIONS]",
    .examples =
        "berth top --once\n"
        "berth top 4812 --interval 5s\n"
        "berth top node-17\n",
    .options = kTopOptions,
    .takes_job_options = false,
    .run = RunTop,
};

}  // namespace berth
