#ifndef BERTH_SCHEDULER_RPC_CALL_H_
#define BERTH_SCHEDULER_RPC_CALL_H_

// The frame of every unary call: authenticate, authorize, post to the loop, answer.

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include <google/protobuf/message_lite.h>
#include <grpcpp/grpcpp.h>

#include "scheduler/control_loop.h"
#include "scheduler/rpc/auth.h"

namespace berth {

// The "authorization" metadata of a call; "" if there is none.
std::string AuthorizationOf(const grpc::ServerContextBase& context);

// A unary call that has not been answered. Shared by the closures that may answer it; if all of
// them are dropped, as by a loop that is full or stops, the call ends as Unavailable.
class Call {
 public:
  explicit Call(grpc::CallbackServerContext* context)
      : context_(context), reactor_(context->DefaultReactor()) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call();

  grpc::ServerUnaryReactor* reactor() const { return reactor_; }
  // Only the first one counts. Request and response must not be touched after it.
  void Finish(const absl::Status& status);

 private:
  grpc::CallbackServerContext* const context_;
  grpc::ServerUnaryReactor* const reactor_;
  std::atomic<bool> finished_ = false;
};

// Takes calls to the control loop and their answers back. Safe from any thread.
class CallRouter {
 public:
  CallRouter(ControlLoop& loop, const Authenticator& authenticator)
      : loop_(loop), authenticator_(authenticator) {}

  // Who calls, if they may.
  absl::StatusOr<Principal> Admit(const grpc::ServerContextBase& context,
                                  absl::string_view rpc) const;

  struct Change {
    absl::string_view rpc;  // as in the table of permissions
    std::string object;     // for the audit
    absl::StatusOr<UserEvent> event;
    // Fills the response, on the loop's thread, after the change is durable.
    std::function<absl::Status(const Actor&, const Outcome&, const ReadView&)> answer;
  };
  grpc::ServerUnaryReactor* Apply(grpc::CallbackServerContext* context,
                                  const google::protobuf::MessageLite& request, Change change);

  using ReadAnswer = std::function<absl::Status(const Actor&, const ReadView&)>;
  // `job`: the only one that it tells of, none if it may tell of more.
  grpc::ServerUnaryReactor* Read(grpc::CallbackServerContext* context, absl::string_view rpc,
                                 ReadAnswer answer, JobId job = JobId());

  ControlLoop& loop() const { return loop_; }
  const Authenticator& authenticator() const { return authenticator_; }

 private:
  ControlLoop& loop_;
  const Authenticator& authenticator_;
};

// The audit's names for a change. `request` must hold no secret.
AuditContext AuditOf(const grpc::ServerContextBase& context, absl::string_view rpc,
                     std::string object, const google::protobuf::MessageLite& request);

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_CALL_H_
