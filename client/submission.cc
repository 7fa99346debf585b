#include "client/submission.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

#include "client/dependency_options.h"
#include "client/job_options.h"
#include "client/spec_file.h"
#include "client/spec_options.h"
#include "client/text.h"
#include "client/workdir_options.h"
#include "common/check.h"
#include "common/credentials.h"
#include "common/error_detail.h"
#include "common/nearest_name.h"
#include "common/quantity.h"
#include "common/status_macros.h"

namespace berth {
namespace {

// The job's name where nobody gave one: the script's or the program's.
std::string NameOf(const std::string& path) {
  const std::string base = path.substr(path.rfind('/') + 1);
  const std::string clean = CleanText(base.substr(0, 128));
  return clean.empty() || clean != base ? "job" : clean;
}

// The options of a script, which only job options may be.
absl::StatusOr<Arguments> ParseDirectives(const JobFile& file) {
  ASSIGN_OR_RETURN(Arguments arguments, ParseArguments(file.directives, {JobOptions()}));
  for (const OptionValue& value : arguments.values) {
    if (value.option->command_line_only) {
      return ErrorAt(value.origin,
                     absl::StrCat("--", value.option->name, " works on the command line only"));
    }
  }
  if (!arguments.words.empty()) {
    return ErrorAt(arguments.words[0].origin,
                   absl::StrCat("\"", CleanText(arguments.words[0].text), "\" is no option"),
                   "options begin with --");
  }
  if (arguments.has_dashes) {
    return ErrorAt(file.directives.back().origin, "\"--\" has no meaning in a #BERTH line");
  }
  return arguments;
}

absl::Status CheckWords(const Arguments& command_line) {
  if (command_line.words.empty() && command_line.after_dashes.empty()) {
    return ErrorAt({}, "there is nothing to run",
                   "write `berth submit FILE`, or `berth submit -- COMMAND ARGUMENTS`");
  }
  if (command_line.words.size() > 1) {
    const std::string second = CleanText(command_line.words[1].text);
    return ErrorAt({}, absl::StrCat("unexpected word \"", second, "\" after the job script"),
                   absl::StrCat("put arguments of the script after \"--\": berth submit ",
                                CleanText(command_line.words[0].text), " -- ", second));
  }
  return absl::OkStatus();
}

// What the file says that the command line names: a script, or a specification.
absl::Status TakeFile(const std::string& path, const std::string& name, Submission& submission) {
  v1::JobSpec& spec = *submission.request.mutable_spec();
  ASSIGN_OR_RETURN(std::string text, ReadJobText(path));
  if (IsSpecFile(text, name)) {
    ASSIGN_OR_RETURN(SpecFile file, ParseSpecFile(text, name));
    submission.arguments = std::move(file.arguments);
    spec.MergeFrom(file.spec);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(JobFile file, ParseJobFile(std::move(text), name));
  ASSIGN_OR_RETURN(submission.arguments, ParseDirectives(file));
  spec.set_script(std::move(file.script));
  submission.notes = std::move(file.notes);
  return absl::OkStatus();
}

// What the arguments and the words after "--" say, into a submission that has all else.
absl::Status Complete(const Arguments& command_line, const SubmissionSource& source,
                      Submission& submission) {
  const Arguments& arguments = submission.arguments;
  v1::JobSpec& spec = *submission.request.mutable_spec();
  RETURN_IF_ERROR(ApplyOptions(arguments, source, submission.request));
  ASSIGN_OR_RETURN(submission.after, ReadDependencies(arguments));
  submission.upload_folder = FindUploadFolder(arguments, source);
  ASSIGN_OR_RETURN(submission.upload_bytes_max, ReadUploadMax(arguments));
  if (command_line.has_dashes) {
    spec.mutable_command()->Assign(command_line.after_dashes.begin(),
                                   command_line.after_dashes.end());
  }
  if (spec.script().empty() && (spec.command().empty() || spec.command(0).empty())) {
    return ErrorAt({}, "the command is empty", "write the command and its arguments after \"--\"");
  }
  if (submission.request.idempotency_key().empty()) {
    submission.request.set_idempotency_key(NewIdempotencyKey(absl::Now()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Submission> MakeSubmission(const Arguments& command_line,
                                          const SubmissionSource& source) {
  RETURN_IF_ERROR(CheckWords(command_line));
  Submission submission;
  v1::JobSpec& spec = *submission.request.mutable_spec();
  spec = DefaultSpec();
  std::string named_after;
  if (command_line.words.empty()) {
    named_after = command_line.after_dashes[0];
  } else {
    const std::string& path = command_line.words[0].text;
    named_after = path == "-" ? "stdin" : path;
    RETURN_IF_ERROR(TakeFile(path, named_after, submission));
  }
  auto& values = submission.arguments.values;
  values.insert(values.end(), command_line.values.begin(), command_line.values.end());
  RETURN_IF_ERROR(Complete(command_line, source, submission));
  if (spec.name().empty()) {
    spec.set_name(NameOf(named_after));
  }
  return submission;
}

absl::StatusOr<Submission> MakeResubmission(v1::SubmitJobRequest known,
                                            const Arguments& command_line,
                                            const SubmissionSource& source) {
  Submission submission;
  submission.request = std::move(known);
  submission.arguments = command_line;
  // Whom the job waited for is decided: a failed one would end it again.
  if (command_line.Has("after")) {
    submission.request.mutable_spec()->clear_dependencies();
  }
  RETURN_IF_ERROR(Complete(command_line, source, submission));
  return submission;
}

std::string NewIdempotencyKey(absl::Time now) {
  // Crockford's base 32, as in a ULID: 10 digits of milliseconds, 16 random ones.
  static constexpr char kDigits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string key(26, '0');
  auto rest = static_cast<uint64_t>(absl::ToUnixMillis(now));
  for (size_t i = 10; i > 0; --i, rest /= 32) {
    key[i - 1] = kDigits[rest % 32];
  }
  const std::string random = RandomHex(16);
  for (size_t i = 10; i < key.size(); ++i) {
    unsigned byte = 0;
    BERTH_CHECK(absl::SimpleHexAtoi(random.substr((i - 10) * 2, 2), &byte));
    key[i] = kDigits[byte % 32];
  }
  return key;
}

}  // namespace berth
