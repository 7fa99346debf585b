#ifndef BERTH_SCHEDULER_RPC_AUTH_H_
#define BERTH_SCHEDULER_RPC_AUTH_H_

// Bearer token -> Actor, against the directory of users and tokens as of the last durable turn.

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

#include "common/clock.h"
#include "scheduler/control_loop.h"
#include "scheduler/rpc/job_tokens.h"

namespace berth {

// The caller of one request.
struct Principal {
  Actor actor;
  bool tenant_suspended = false;
  JobId job;  // with a job's own token: all that it may touch; none: as the role says
};

// Safe from any thread. Requires: the clock and the jobs' tokens outlive it.
class Authenticator {
 public:
  Authenticator(const Clock& clock, const JobTokens& job_tokens)
      : clock_(clock), job_tokens_(job_tokens) {}

  // From the loop's thread, before a change of users or tokens is acknowledged.
  void SetDirectory(std::shared_ptr<const AccessDirectory> directory) ABSL_LOCKS_EXCLUDED(mu_);

  // `header` is the value of the "authorization" metadata; "": there was none.
  absl::StatusOr<Principal> Authenticate(absl::string_view header) const ABSL_LOCKS_EXCLUDED(mu_);
  // Whether a token that was good is still good; for calls that last.
  absl::Status Recheck(absl::string_view token_id) const ABSL_LOCKS_EXCLUDED(mu_);
  // The name that a node's token is bound to; "": no such node.
  std::string NodeName(NodeId id) const ABSL_LOCKS_EXCLUDED(mu_);
  const JobTokens& job_tokens() const { return job_tokens_; }

 private:
  std::shared_ptr<const AccessDirectory> directory() const ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status CheckLifetime(const Token& token) const;

  const Clock& clock_;
  const JobTokens& job_tokens_;
  mutable absl::Mutex mu_;
  std::shared_ptr<const AccessDirectory> directory_ ABSL_GUARDED_BY(mu_);
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_AUTH_H_
