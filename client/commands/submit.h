#ifndef BERTH_CLIENT_COMMANDS_SUBMIT_H_
#define BERTH_CLIENT_COMMANDS_SUBMIT_H_

// What `submit`, `run`, `shell` and `retry` share.

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "client/command.h"
#include "client/follow.h"
#include "client/submission.h"

namespace berth {

// The submission that the command line asks for, made in the caller's folder and environment.
absl::StatusOr<Submission> MakeSubmissionHere(Context& context);
// Waits until the job starts or ends; says why it waits, once for every reason after `said`, which
// becomes the last of them.
absl::StatusOr<WaitResult> AwaitStart(Context& context, ApiClient& api, uint64_t job_id,
                                      const FollowLimits& limits, std::string& said);
// For who follows the job then: finds its dependencies, uploads its folder, and submits it.
// Nothing: a dry run, of which it has said that the job would be accepted.
absl::StatusOr<std::optional<v1::SubmitJobResponse>> SubmitToFollow(Context& context,
                                                                    ApiClient& api,
                                                                    Submission& submission);
// The answer to a submission, in the form that the command line asks for.
absl::Status PrintSubmitted(Context& context, const Submission& submission,
                            const v1::SubmitJobResponse& response);
// How the job ended, unless it succeeded.
void TellEnd(Context& context, const v1::Job& job);

}  // namespace berth

#endif  // BERTH_CLIENT_COMMANDS_SUBMIT_H_
