#include "scheduler/rpc/channel_search.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int kWordsMax = 4096;
constexpr size_t kCommandBytesMax = 512 << 10;
constexpr size_t kWordBytesMax = 128 << 10;  // as the kernel bounds it
constexpr size_t kTerminalTypeBytesMax = 64;
constexpr uint32_t kPortMax = 65535;
constexpr uint32_t kTerminalCellsMax = 10000;
constexpr size_t kDataBytesMax = 256 << 10;
constexpr std::array kSignals = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

absl::Status WrongForm(absl::string_view message, absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.code = "B1208", .message = message, .why = why, .fix = ""});
}

bool HasZero(absl::string_view text) {
  return text.find('\0') != absl::string_view::npos;
}

bool IsSize(const v1::TerminalSize& size) {
  return size.rows() <= kTerminalCellsMax && size.columns() <= kTerminalCellsMax;
}

absl::Status CheckCommand(const v1::EnterJobRequest::Command& command) {
  if (command.argv().empty() || command.argv(0).empty() || command.argv_size() > kWordsMax ||
      command.ByteSizeLong() > kCommandBytesMax) {
    return WrongForm("there is no command, or it is too long",
                     absl::StrCat("it has 1 to ", kWordsMax, " words, at most ",
                                  kCommandBytesMax >> 10, " KiB together"));
  }
  const bool words_fit = std::all_of(
      command.argv().begin(), command.argv().end(),
      [](const std::string& word) { return word.size() < kWordBytesMax && !HasZero(word); });
  const std::string& terminal = command.terminal_type();
  if (!words_fit || !IsSize(command.size()) || terminal.size() > kTerminalTypeBytesMax ||
      HasZero(terminal)) {
    return WrongForm("a word of the command or the terminal is not as they can be",
                     "a word is at most 128 KiB without a zero byte");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckEnterRequest(const v1::EnterJobRequest& request) {
  if (request.rank() < -1) {
    return WrongForm("the rank is negative", "-1 stands for rank 0, less for nothing");
  }
  switch (request.kind_case()) {
    case v1::EnterJobRequest::kCommand:
      return CheckCommand(request.command());
    case v1::EnterJobRequest::kPort:
      return request.port() > 0 && request.port() <= kPortMax
                 ? absl::OkStatus()
                 : WrongForm(absl::StrCat("there is no port ", request.port()),
                             absl::StrCat("ports are 1 to ", kPortMax));
    case v1::EnterJobRequest::kInput:
      return request.rank() <= 0
                 ? absl::OkStatus()
                 : WrongForm(absl::StrCat("rank ", request.rank(), " reads no standard input"),
                             "rank 0 alone does");
    case v1::EnterJobRequest::KIND_NOT_SET:
      return WrongForm("the request names no command, no port and no input", "");
  }
  return absl::OkStatus();
}

absl::Status CheckInput(const v1::ChannelInput& input) {
  switch (input.kind_case()) {
    case v1::ChannelInput::kData:
      return input.data().size() <= kDataBytesMax
                 ? absl::OkStatus()
                 : WrongForm("a frame of data is too large",
                             absl::StrCat("it is at most ", kDataBytesMax >> 10, " KiB"));
    case v1::ChannelInput::kEndOfData:
      return absl::OkStatus();
    case v1::ChannelInput::kSize:
      return IsSize(input.size()) ? absl::OkStatus() : WrongForm("no terminal is so large", "");
    case v1::ChannelInput::kSignal:
      return std::find(kSignals.begin(), kSignals.end(), input.signal()) != kSignals.end()
                 ? absl::OkStatus()
                 : WrongForm(absl::StrCat("the signal ", input.signal(), " is not passed on"),
                             "HUP, INT, QUIT, TERM, USR1 and USR2 are");
    case v1::ChannelInput::kEnter:
    case v1::ChannelInput::KIND_NOT_SET:
      return WrongForm("only the first frame opens a channel, and every other says something", "");
  }
  return absl::OkStatus();
}

absl::StatusOr<LogPlace> FindChannelPlace(const ReadView& view, const Actor& actor,
                                          const v1::EnterJobRequest& request) {
  ASSIGN_OR_RETURN(const JobRecord record, view.FindJob(actor, JobId(request.job_id())));
  const Job& job = record.job;
  if (!actor.user || actor.user != job.spec.user) {
    return MakeError(absl::StatusCode::kPermissionDenied,
                     {.code = "B7209",
                      .message = absl::StrCat("job ", job.id.value(), " is not yours to enter"),
                      .why = "who enters a job acts as its user: nobody else may",
                      .fix = "ask the job's user"});
  }
  RETURN_IF_ERROR(CheckNoArray(job, "B4303"));
  if (job.state != JobState::kRunning && job.state != JobState::kStopping) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        {.code = "B4303",
         .message = absl::StrCat("job ", job.id.value(), " does not run (", Name(job.state), ")"),
         .why = "a job can be entered while it runs",
         .fix = absl::StrCat("berth show ", job.id.value())});
  }
  v1::StreamLogsRequest rank;
  rank.set_job_id(request.job_id());
  rank.set_attempt(-1);
  rank.set_rank(std::max(request.rank(), 0));
  return FindLog(view, actor, rank);
}

}  // namespace berth
