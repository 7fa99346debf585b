#include "scheduler/rpc/call.h"

#include <utility>

#include "absl/strings/escaping.h"

#include "common/credentials.h"
#include "common/error_detail.h"
#include "common/grpc_status.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "scheduler/rpc/permissions.h"

namespace berth {

std::string AuthorizationOf(const grpc::ServerContextBase& context) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("authorization");
  return found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
}

Call::~Call() {
  if (!finished_) {
    Finish(WithDetail(absl::UnavailableError("the scheduler is overloaded or stopping"),
                      {.code = "B8102",
                       .why = {"the call was not answered"},
                       .fix = {"try again in a moment; running jobs are not affected"},
                       .retryable = true}));
  }
}

void Call::Finish(const absl::Status& status) {
  if (!finished_.exchange(true)) {
    reactor_->Finish(ToGrpcStatus(status, context_));
  }
}

absl::StatusOr<Principal> CallRouter::Admit(const grpc::ServerContextBase& context,
                                            absl::string_view rpc) const {
  ASSIGN_OR_RETURN(Principal principal, authenticator_.Authenticate(AuthorizationOf(context)));
  if (const absl::Status status = Authorize(rpc, principal); !status.ok()) {
    LogDebug("call refused", {
                                 {"rpc",   rpc                       },
                                 {"token", principal.actor.token_id  },
                                 {"role",  Name(principal.actor.role)}
    });
    return status;
  }
  return principal;
}

grpc::ServerUnaryReactor* CallRouter::Apply(grpc::CallbackServerContext* context,
                                            const google::protobuf::MessageLite& request,
                                            Change change) {
  auto call = std::make_shared<Call>(context);
  grpc::ServerUnaryReactor* reactor = call->reactor();
  const auto principal = Admit(*context, change.rpc);
  const absl::Status status = principal.ok() ? change.event.status() : principal.status();
  if (!status.ok()) {
    call->Finish(status);
    return reactor;
  }
  auto done = [call, actor = principal->actor, answer = std::move(change.answer),
               &loop = loop_](const absl::StatusOr<ChangeResult>& result) {
    if (!result.ok()) {
      call->Finish(result.status());
      return;
    }
    loop.PostRead([call, actor, answer, outcome = result->outcome](const ReadView& view) {
      call->Finish(answer(actor, outcome, view));
    });
  };
  loop_.Post({.actor = principal->actor,
              .event = *std::move(change.event),
              .audit = AuditOf(*context, change.rpc, std::move(change.object), request),
              .submit = std::nullopt,
              .done = std::move(done)});
  return reactor;
}

grpc::ServerUnaryReactor* CallRouter::Read(grpc::CallbackServerContext* context,
                                           absl::string_view rpc, ReadAnswer answer, JobId job) {
  auto call = std::make_shared<Call>(context);
  grpc::ServerUnaryReactor* reactor = call->reactor();
  auto principal = Admit(*context, rpc);
  const absl::Status status = principal.ok() ? CheckOwnJob(*principal, job) : principal.status();
  if (!status.ok()) {
    call->Finish(status);
    return reactor;
  }
  loop_.PostRead([call, actor = std::move(principal->actor), answer = std::move(answer)](
                     const ReadView& view) { call->Finish(answer(actor, view)); });
  return reactor;
}

AuditContext AuditOf(const grpc::ServerContextBase& context, absl::string_view rpc,
                     std::string object, const google::protobuf::MessageLite& request) {
  return {.action = std::string(rpc),
          .object = std::move(object),
          .peer = context.peer(),
          .digest = absl::BytesToHexString(Sha256(request.SerializeAsString()))};
}

}  // namespace berth
