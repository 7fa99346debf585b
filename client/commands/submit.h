#ifndef BERTH_CLIENT_COMMANDS_SUBMIT_H_
#define BERTH_CLIENT_COMMANDS_SUBMIT_H_

// What `submit`, `run` and `shell` share.

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "client/command.h"
#include "client/follow.h"
#include "client/submission.h"

namespace berth {

// A lost reply or a restarting scheduler neither loses nor doubles a job: the key stays the same.
inline constexpr Patience kSubmitPatience = {.attempt = absl::Seconds(3),
                                             .total = absl::Seconds(10)};

// The submission that the command line asks for, made in the caller's folder and environment.
absl::StatusOr<Submission> MakeSubmissionHere(Context& context);
// Puts the jobs of --after into the request: `last` and `@name` ask the scheduler.
absl::Status FindDependencies(ApiClient& api, Submission& submission);

// Uploads the submission's folder, if it has one, says how much of it was sent, and puts it into
// the request. `only_look`: says what stands in the way of that, and uploads nothing.
absl::Status UploadWorkdir(Context& context, ApiClient& api, Submission& submission,
                           bool only_look);

// Waits until the job starts or ends; says why it waits, once for every reason after `said`, which
// becomes the last of them.
absl::StatusOr<WaitResult> AwaitStart(Context& context, ApiClient& api, uint64_t job_id,
                                      const FollowLimits& limits, std::string& said);
// How the job ended, unless it succeeded.
void TellEnd(Context& context, const v1::Job& job);

}  // namespace berth

#endif  // BERTH_CLIENT_COMMANDS_SUBMIT_H_
