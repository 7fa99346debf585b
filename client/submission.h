#ifndef BERTH_CLIENT_SUBMISSION_H_
#define BERTH_CLIENT_SUBMISSION_H_

// From a job file and options to the request that submits the job.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "client/job_file.h"
#include "client/option.h"
#include "client/settings.h"
#include "proto/client_api.pb.h"

namespace berth {

// Where a submission comes from.
struct SubmissionSource {
  std::string folder;   // the caller's working folder
  std::string project;  // unless an option names one
  const Environment* environment = nullptr;
  absl::Time now = absl::Now();
};

// A dependency whose jobs are still words: "last", "@tokenize", "4800-4804".
struct NamedDependency {
  v1::DependencyKind kind = v1::DEPENDENCY_KIND_OK;
  Word jobs;
};

struct Submission {
  v1::SubmitJobRequest request;
  Arguments arguments;             // of the file and of the command line together
  std::vector<std::string> notes;  // about the file
  // A folder of the caller's, absolute, that is to be uploaded, and its bound; empty: none.
  std::string upload_folder;
  int64_t upload_bytes_max = 0;
  // Not in the request yet: the scheduler must be asked who they are.
  std::vector<NamedDependency> after;
};

// `FILE [options] [-- ARGUMENTS]` or `[options] -- COMMAND`. Reads the file. The command line
// replaces single values of the file and adds to repeated ones.
absl::StatusOr<Submission> MakeSubmission(const Arguments& command_line,
                                          const SubmissionSource& source);

// A job that is known already, with what the command line changes of it: options, and the command
// behind "--" (of a script: its arguments).
absl::StatusOr<Submission> MakeResubmission(v1::SubmitJobRequest known,
                                            const Arguments& command_line,
                                            const SubmissionSource& source);

// 26 characters: the time, then random: sorts by time and never repeats.
std::string NewIdempotencyKey(absl::Time now);

}  // namespace berth

#endif  // BERTH_CLIENT_SUBMISSION_H_
