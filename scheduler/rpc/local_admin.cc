#include "scheduler/rpc/local_admin.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/credentials.h"
#include "common/error_detail.h"
#include "common/log.h"
#include "scheduler/convert.h"
#include "scheduler/core/names.h"
#include "scheduler/rpc/call.h"
#include "scheduler/rpc/protocol_version.h"
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace berth {
namespace {

absl::Status BadFolder(absl::string_view message, absl::string_view why, absl::string_view fix) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B8110", .message = message, .why = why, .fix = fix});
}

// 0 for never.
int64_t Micros(absl::Time time) {
  return time == absl::InfinitePast() ? 0 : absl::ToUnixMicros(time);
}

Actor LocalActor() {
  Actor actor;
  actor.role = Role::kOperator;
  actor.user_name = "local-admin";
  return actor;
}

}  // namespace

grpc::ServerUnaryReactor* LocalAdmin::Bootstrap(grpc::CallbackServerContext* context,
                                                const v1::BootstrapRequest* request,
                                                v1::BootstrapResponse* response) {
  auto call = std::make_shared<Call>(context);
  grpc::ServerUnaryReactor* reactor = call->reactor();
  const std::string user = request->user().empty() ? "operator" : request->user();
  if (const absl::Status status = CheckName("user", user); !status.ok()) {
    call->Finish(status);
    return reactor;
  }
  const BearerToken token = NewBearerToken();
  LogWarning("operator token made over the local socket", {
                                                              {"user",  user    },
                                                              {"token", token.id}
  });
  auto done = [call, response, token, &loop = loop_](const absl::StatusOr<ChangeResult>& result) {
    if (!result.ok()) {
      call->Finish(result.status());
      return;
    }
    loop.PostRead([call, response, token](const ReadView& view) {
      if (const Token* added = view.cluster().FindToken(token.id)) {
        *response->mutable_token() = ToProto(*added, view.cluster());
      }
      response->set_secret(FormatBearerToken(token));
      call->Finish(absl::OkStatus());
    });
  };
  loop_.Post({
      .actor = LocalActor(),
      .event =
          BootstrapOperator{
                            .user = user, .token_id = token.id, .secret_hash = Sha256(token.secret.Reveal())},
      .audit = AuditOf(*context, "LocalAdmin.Bootstrap", absl::StrCat("user/", user), *request),
      .submit = std::nullopt,
      .done = std::move(done)
  });
  return reactor;
}

grpc::ServerUnaryReactor* LocalAdmin::GetStatus(grpc::CallbackServerContext* context,
                                                const v1::GetStatusRequest* /*request*/,
                                                v1::GetStatusResponse* response) {
  auto call = std::make_shared<Call>(context);
  grpc::ServerUnaryReactor* reactor = call->reactor();
  response->set_cluster_id(loop_.cluster_id());
  response->set_cluster_name(facts_.cluster_name);
  response->set_server_version(kServerVersion);
  response->set_sched_epoch(loop_.sched_epoch());
  response->set_schema_version(facts_.schema_version);
  loop_.PostStatus([call, response](const LoopStatus& status) {
    response->set_serving_since_us(Micros(status.serving_since));
    response->set_recovery(status.recovery);
    response->set_resume_at_us(status.recovery ? Micros(status.resume_at) : 0);
    response->set_last_backup_at_us(Micros(status.last_backup_at));
    response->set_disk_full(status.disk_full);
    response->set_queued_jobs(status.queued_jobs);
    response->set_held_jobs(status.held_jobs);
    response->set_active_jobs(status.active_jobs);
    response->set_nodes(status.nodes);
    response->mutable_silent_nodes()->Assign(status.silent_nodes.begin(),
                                             status.silent_nodes.end());
    call->Finish(absl::OkStatus());
  });
  return reactor;
}

grpc::ServerUnaryReactor* LocalAdmin::MakeBackup(grpc::CallbackServerContext* context,
                                                 const v1::MakeBackupRequest* request,
                                                 v1::MakeBackupResponse* response) {
  auto call = std::make_shared<Call>(context);
  grpc::ServerUnaryReactor* reactor = call->reactor();
  AuditContext audit = AuditOf(*context, "LocalAdmin.MakeBackup", request->path(), *request);
  loop_.PostBackup({LocalActor(), std::move(audit)}, request->path(),
                   [call, response](const absl::StatusOr<BackupFacts>& facts) {
                     if (facts.ok()) {
                       response->set_size_bytes(facts->size_bytes);
                       response->set_live_jobs(facts->live_jobs);
                       response->set_ended_jobs(facts->ended_jobs);
                       response->set_audit_rows(facts->audit_rows);
                     }
                     call->Finish(facts.status());
                   });
  return reactor;
}

grpc::ServerUnaryReactor* LocalAdmin::VerifyAudit(grpc::CallbackServerContext* context,
                                                  const v1::VerifyAuditRequest* /*request*/,
                                                  v1::VerifyAuditResponse* /*response*/) {
  auto call = std::make_shared<Call>(context);
  grpc::ServerUnaryReactor* reactor = call->reactor();
  loop_.PostVerifyAudit([call](const absl::Status& status) { call->Finish(status); });
  return reactor;
}

grpc::ServerUnaryReactor* LocalAdmin::Resume(grpc::CallbackServerContext* context,
                                             const v1::ResumeRequest* request,
                                             v1::ResumeResponse* /*response*/) {
  auto call = std::make_shared<Call>(context);
  grpc::ServerUnaryReactor* reactor = call->reactor();
  AuditContext audit = AuditOf(*context, "LocalAdmin.Resume", "recovery", *request);
  loop_.PostResume({LocalActor(), std::move(audit)}, request->now(),
                   [call](const absl::Status& status) { call->Finish(status); });
  return reactor;
}

absl::Status CheckSocketFolder(absl::string_view socket_path) {
  const size_t slash = socket_path.find_last_of('/');
  const std::string folder(slash == absl::string_view::npos ? "."
                           : slash == 0                     ? "/"
                                                            : socket_path.substr(0, slash));
  if (socket_path.size() >= sizeof(sockaddr_un::sun_path)) {
    return BadFolder(
        absl::StrCat("the admin socket's path is too long: ", socket_path),
        absl::StrCat("a socket's path may have ", sizeof(sockaddr_un::sun_path) - 1, " bytes"),
        "set admin_socket to a shorter path");
  }
  struct stat facts {};
  if (lstat(folder.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)) {
    return BadFolder(absl::StrCat("the admin socket's folder ", folder, " is not a folder"), "",
                     absl::StrCat("mkdir -m 700 ", folder));
  }
  if (facts.st_uid != geteuid() || (facts.st_mode & 077) != 0) {
    return BadFolder(
        absl::StrFormat("the admin socket's folder %s has mode %04o and owner %d", folder,
                        facts.st_mode & 07777, facts.st_uid),
        "whoever can reach the socket can become an operator: the folder must belong to the "
        "scheduler's user and be closed to all others",
        absl::StrCat("chmod 700 ", folder));
  }
  return absl::OkStatus();
}

}  // namespace berth
