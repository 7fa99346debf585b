#ifndef BERTH_SCHEDULER_RPC_LOCAL_ADMIN_H_
#define BERTH_SCHEDULER_RPC_LOCAL_ADMIN_H_

// The way in for whoever is root, or the scheduler's own user, on the scheduler's machine. Served
// on a unix socket of its own, in a folder that nobody else can enter: the folder is the
// credential.

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "proto/client_api.grpc.pb.h"
#include "scheduler/control_loop.h"

namespace berth {

// Owned by the Server. Requires: the loop outlives it.
class LocalAdmin final : public v1::LocalAdmin::CallbackService {
 public:
  struct Facts {
    std::string cluster_name;
    int64_t schema_version = 0;
  };
  LocalAdmin(ControlLoop& loop, Facts facts) : loop_(loop), facts_(std::move(facts)) {}

  grpc::ServerUnaryReactor* Bootstrap(grpc::CallbackServerContext* context,
                                      const v1::BootstrapRequest* request,
                                      v1::BootstrapResponse* response) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest* request,
                                      v1::GetStatusResponse* response) override;
  grpc::ServerUnaryReactor* MakeBackup(grpc::CallbackServerContext* context,
                                       const v1::MakeBackupRequest* request,
                                       v1::MakeBackupResponse* response) override;
  grpc::ServerUnaryReactor* VerifyAudit(grpc::CallbackServerContext* context,
                                        const v1::VerifyAuditRequest* request,
                                        v1::VerifyAuditResponse* response) override;
  grpc::ServerUnaryReactor* Resume(grpc::CallbackServerContext* context,
                                   const v1::ResumeRequest* request,
                                   v1::ResumeResponse* response) override;

 private:
  ControlLoop& loop_;
  const Facts facts_;
};

// OK if the folder of `socket_path` belongs to this process's user and is closed to all others.
absl::Status CheckSocketFolder(absl::string_view socket_path);

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_LOCAL_ADMIN_H_
