#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "client/archive.h"
#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/job_rank.h"
#include "client/job_session.h"
#include "client/text.h"
#include "common/status_macros.h"
#include <sys/stat.h>

namespace berth {
namespace {

// JOB[/RANK]:PATH, or a path of this machine.
struct Side {
  Word job;  // empty: of this machine
  std::string path;
  bool is_remote() const { return !job.text.empty(); }
};

Side ParseSide(const Word& word) {
  const size_t colon = word.text.find(':');
  // A path with a colon of its own is written ./a:b.
  if (colon == std::string::npos || colon == 0 || word.text[0] == '.' || word.text[0] == '/') {
    return {.job = {}, .path = word.text};
  }
  return {
      .job = {.text = word.text.substr(0, colon), .origin = word.origin},
      .path = word.text.substr(colon + 1)
  };
}

struct PathParts {
  std::string folder;
  std::string name;
};

PathParts Split(std::string path) {
  while (path.size() > 1 && absl::EndsWith(path, "/")) {
    path.pop_back();
  }
  const size_t slash = path.rfind('/');
  PathParts parts{.folder = slash == std::string::npos ? "." : path.substr(0, slash + 1),
                  .name = slash == std::string::npos ? path : path.substr(slash + 1)};
  // Of the root, and of what ends in a dot, all that is in it.
  if (parts.name.empty() || parts.name == "." || parts.name == "..") {
    parts = {.folder = path.empty() ? "." : path, .name = "."};
  }
  return parts;
}

bool IsFolder(const std::string& path) {
  struct stat facts {};
  return stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

class Copier {
 public:
  Copier(Context& context, JobRank place) : context_(context), place_(place) {}

  absl::StatusOr<int> Download(const std::string& source, const std::string& target,
                               JobSignals& signals) {
    const PathParts parts = Split(source);
    const bool into = parts.name != "." && IsFolder(target);
    ArchiveReader reader(parts.name, into ? absl::StrCat(target, "/", parts.name) : target);
    absl::Status taken;
    JobStreams streams = Streams([](JobChannel& channel) { EndInput(channel); });
    streams.take_output = [&](const std::string& data) {
      taken = reader.Take(data);
      return taken.ok();
    };
    const auto end =
        RunInJob(context_, Request({"tar", "-c", "-f", "-", "-C", parts.folder, "--", parts.name}),
                 streams, signals);
    RETURN_IF_ERROR(taken);
    RETURN_IF_ERROR(end.status());
    // tar tells what it could not read by its code; what came is there.
    RETURN_IF_ERROR(end->code == 0 ? reader.Finish() : absl::OkStatus());
    return ExitCodeOfTar(end->code);
  }

  absl::StatusOr<int> Upload(const std::string& source, const std::string& target) {
    PathParts to = Split(target);
    ASSIGN_OR_RETURN(const bool into, IsRemoteFolder(target.empty() ? "." : target));
    if (into) {
      to = {.folder = target.empty() ? "." : target, .name = Split(source).name};
    }
    absl::Status sent;
    std::vector<std::string> skipped;
    JobSignals signals;
    const auto end = RunInJob(context_, Request({"tar", "-x", "-o", "-f", "-", "-C", to.folder}),
                              Streams([&](JobChannel& channel) {
                                sent = WriteArchive(
                                    source, to.name,
                                    [&](const std::string& bytes) {
                                      v1::ChannelInput frame;
                                      frame.set_data(bytes);
                                      return channel.Write(frame);
                                    },
                                    skipped);
                                if (sent.ok()) {
                                  EndInput(channel);
                                } else {
                                  channel.Cancel();
                                }
                              }),
                              signals);
    for (const std::string& path : skipped) {
      context_.PrintNotes({absl::StrCat(CleanText(path), " is no file and was left out")});
    }
    // That the job takes no more has its reason in how its tar ended.
    RETURN_IF_ERROR(absl::IsCancelled(sent) ? absl::OkStatus() : sent);
    RETURN_IF_ERROR(end.status());
    return ExitCodeOfTar(end->code);
  }

 private:
  // What tar calls 2 is no wrong usage of `berth`.
  static int ExitCodeOfTar(int code) { return code == 1 || code == 2 ? kExitFailed : code; }

  static void EndInput(JobChannel& channel) {
    v1::ChannelInput end;
    end.set_end_of_data(true);
    channel.Write(end);
  }

  v1::EnterJobRequest Request(const std::vector<std::string>& argv) const {
    v1::EnterJobRequest request;
    request.set_job_id(place_.job);
    request.set_rank(place_.rank);
    request.mutable_command()->mutable_argv()->Assign(argv.begin(), argv.end());
    return request;
  }

  JobStreams Streams(std::function<void(JobChannel&)> feed) {
    return {.feed = std::move(feed),
            .stop_feed = [] {},
            .take_output = [](const std::string&) { return true; },
            .take_error_output =
                [this](const std::string& data) {
                  // It comes in pieces of any length; what ends its lines must stay.
                  context_.console.Err(absl::StrJoin(absl::StrSplit(data, '\n'), "\n",
                                                     [](std::string* out, absl::string_view piece) {
                                                       out->append(CleanText(piece));
                                                     }));
                  return true;
                }};
  }

  absl::StatusOr<bool> IsRemoteFolder(const std::string& path) {
    JobSignals signals;
    ASSIGN_OR_RETURN(const InsideEnd end,
                     RunInJob(context_, Request({"/bin/sh", "-c", "test -d \"$1\"", "sh", path}),
                              Streams([](JobChannel& channel) { EndInput(channel); }), signals));
    return end.code == 0;
  }

  Context& context_;
  const JobRank place_;
};

absl::StatusOr<int> RunCp(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 2, 2,
                                 "what to copy and where to, e.g. `berth cp 4812:out/model.pt .`"));
  const Side source = ParseSide(context.arguments.words[0]);
  const Side target = ParseSide(context.arguments.words[1]);
  if (source.is_remote() == target.is_remote()) {
    return ErrorAt({}, "one of the two is in a job: JOB[/RANK]:PATH",
                   "berth cp 4812:out/model.pt .   or   berth cp fix.py 4812:");
  }
  JobSignals signals;
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const JobRank place,
                   FindJobRank(*api, source.is_remote() ? source.job : target.job));
  Copier copier(context, place);
  return source.is_remote() ? copier.Download(source.path, target.path, signals)
                            : copier.Upload(source.path, target.path);
}

}  // namespace

const Command kCpCommand = {
    .name = "cp",
    .plural = nullptr,
    .group = CommandGroup::kInside,
    .summary = "copy files into a running job or out of it",
    .usage = "SOURCE TARGET     (one of them is JOB[/RANK]:PATH)",
    .examples =
        "berth cp 4812:/run/berth/output/model.pt .\n"
        "berth cp fix.py 4812:\n"
        "berth cp 4812/16:logs ./logs-of-16\n",
    .options = {},
    .takes_job_options = false,
    .run = RunCp,
};

}  // namespace berth
