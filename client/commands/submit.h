#ifndef BERTH_CLIENT_COMMANDS_SUBMIT_H_
#define BERTH_CLIENT_COMMANDS_SUBMIT_H_

// What `submit`, `run`, `shell` and `retry` share.

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "client/command.h"
#include "client/follow.h"
#include "client/submission.h"

namespace berth {

// What becomes of a submission; read by Submit.
inline constexpr std::array<Option, 4> kSubmitOptions = {
    Flag("plan", "submit nothing; exit 0: it would start now, 10: it would wait, 6: never"),
    Flag("parsable", "print the job's id and nothing else"),
    Flag("wait", "wait for the end and exit with the job's code"),
    Value("timeout", "TIME", "how long to look for the scheduler (10s)"),
};

// The caller's folder, environment and project.
SubmissionSource SourceHere(const Context& context);
// The submission that the command line asks for, made in the caller's folder and environment.
absl::StatusOr<Submission> MakeSubmissionHere(Context& context);
// Does with it what kSubmitOptions say, and prints the answer. Returns the exit code.
absl::StatusOr<int> Submit(Context& context, Submission submission);
// Waits until the job starts or ends; says why it waits, once for every reason after `said`, which
// becomes the last of them.
absl::StatusOr<WaitResult> AwaitStart(Context& context, ApiClient& api, uint64_t job_id,
                                      const FollowLimits& limits, std::string& said);
// For who follows the job then: finds its dependencies, uploads its folder, and submits it.
// Nothing: a dry run, of which it has said that the job would be accepted.
absl::StatusOr<std::optional<v1::SubmitJobResponse>> SubmitToFollow(Context& context,
                                                                    ApiClient& api,
                                                                    Submission& submission);
// How the job ended, unless it succeeded.
void TellEnd(Context& context, const v1::Job& job);

}  // namespace berth

#endif  // BERTH_CLIENT_COMMANDS_SUBMIT_H_
