#include "client/command.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/exit_codes.h"
#include "client/text.h"
#include "common/error_detail.h"
#include "common/quantity.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr absl::Duration kReconnectFor = absl::Seconds(60);

constexpr Option kCommonOptions[] = {
    Value("output", "FORMAT", "table, wide, json, jsonl, csv, name or fields=a,b", 'o'),
    Flag("no-headers", "tables without their first line"),
    Value("server", "HOST:PORT", "the scheduler"),
    Value("ca", "FILE", "the CA certificate of the scheduler"),
    Flag("help", "this text", 'h'),
};

}  // namespace

absl::StatusOr<ApiClient*> Context::Api() {
  if (api_ == nullptr) {
    ASSIGN_OR_RETURN(const Connection connection, MakeConnection(settings));
    ASSIGN_OR_RETURN(api_, ApiClient::Open(connection));
  }
  return api_.get();
}

absl::Status Context::Print(const Listing& listing) {
  ASSIGN_OR_RETURN(const std::string text, Render(listing, output, console.columns(), absl::Now()));
  console.Out(text);
  return absl::OkStatus();
}

void Context::PrintError(const absl::Status& status) {
  const bool json = output.kind == OutputKind::kJson || output.kind == OutputKind::kJsonl;
  console.Err(json ? RenderErrorJson(status, ExitCodeOfStatus(status)) : RenderError(status));
}

void Context::PrintNotes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) {
    console.Err(absl::StrCat("note: ", CleanText(note), "\n"));
  }
}

absl::StatusOr<absl::Duration> Context::ReconnectFor() const {
  const std::string text = Variable(environment, "BERTH_RECONNECT");
  if (text.empty()) {
    return kReconnectFor;
  }
  return ParseDuration(text);
}

std::span<const Option> CommonOptions() {
  return kCommonOptions;
}

absl::Status CheckWordCount(const Arguments& arguments, size_t least, size_t most,
                            absl::string_view what) {
  RETURN_IF_ERROR(CheckWordsBeforeDashes(arguments, least, most, what));
  return arguments.has_dashes ? ErrorAt({}, "\"--\" has no meaning here") : absl::OkStatus();
}

absl::Status CheckWordsBeforeDashes(const Arguments& arguments, size_t least, size_t most,
                                    absl::string_view what) {
  const size_t count = arguments.words.size();
  if (count < least) {
    return ErrorAt({}, absl::StrCat("name ", what));
  }
  if (count > most) {
    return ErrorAt(arguments.words[most].origin,
                   absl::StrCat("unexpected word \"", CleanText(arguments.words[most].text), "\""));
  }
  return absl::OkStatus();
}

absl::Status CheckWordAndCommand(const Arguments& arguments, absl::string_view usage) {
  if (arguments.words.size() != 1 || arguments.after_dashes.empty()) {
    return ErrorAt({},
                   arguments.after_dashes.empty() ? "name the command to run"
                                                  : "give one place and, after \"--\", a command",
                   usage);
  }
  return absl::OkStatus();
}

}  // namespace berth
