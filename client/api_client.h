#ifndef BERTH_CLIENT_API_CLIENT_H_
#define BERTH_CLIENT_API_CLIENT_H_

// The scheduler as the commands see it. gRPC stays behind the .cc files and api_client_streams.h.

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "client/api_streams.h"
#include "proto/client_api.pb.h"

namespace berth {

struct Connection {
  std::string server;  // HOST:PORT
  std::string token;
  std::string ca;  // PEM file; see Settings
};

// A call that does not reach the scheduler is made again until `total` is over; each try may take
// `attempt`. Safe, because every change is idempotent or refused the second time.
struct Patience {
  absl::Duration attempt = absl::Seconds(5);
  absl::Duration total = absl::Seconds(5);
  static Patience OneTry(absl::Duration attempt) { return {attempt, absl::ZeroDuration()}; }
};

// Every unary call of service Client that the commands use.
#define BERTH_CLIENT_CALLS(CALL) \
  CALL(WhoAmI)                   \
  CALL(SubmitJob)                \
  CALL(GetJob)                   \
  CALL(ListJobs)                 \
  CALL(WaitJob)                  \
  CALL(CancelJob)                \
  CALL(HoldJob)                  \
  CALL(ReleaseJob)               \
  CALL(FindArrayTask)            \
  CALL(UpdateJob)                \
  CALL(RequeueJob)               \
  CALL(ExplainJob)               \
  CALL(ListAllocations)          \
  CALL(ListNodes)                \
  CALL(DrainNode)                \
  CALL(UndrainNode)              \
  CALL(ConfirmNodeDead)          \
  CALL(EndLossHold)              \
  CALL(AddTenant)                \
  CALL(ListTenants)              \
  CALL(SetTenantQueue)           \
  CALL(SuspendTenant)            \
  CALL(AddProject)               \
  CALL(ListProjects)             \
  CALL(AddUser)                  \
  CALL(ListUsers)                \
  CALL(CreateToken)              \
  CALL(ListTokens)               \
  CALL(RevokeToken)              \
  CALL(GetQuota)                 \
  CALL(SetQuota)                 \
  CALL(AddBooking)               \
  CALL(ListBookings)             \
  CALL(EndBooking)

// Calls block the caller; safe from any thread.
class ApiClient {
 public:
  static absl::StatusOr<std::unique_ptr<ApiClient>> Open(const Connection& connection);
  ~ApiClient();

  void set_patience(Patience patience) { patience_ = patience; }
  const Patience& patience() const { return patience_; }

// StatusOr<XResponse> X(request) with the client's patience, or with another one.
#define BERTH_DECLARE_CALL(Name)                                              \
  absl::StatusOr<v1::Name##Response> Name(const v1::Name##Request& request) { \
    return Name(request, patience_);                                          \
  }                                                                           \
  absl::StatusOr<v1::Name##Response> Name(const v1::Name##Request& request,   \
                                          const Patience& patience);
  BERTH_CLIENT_CALLS(BERTH_DECLARE_CALL)
#undef BERTH_DECLARE_CALL

  // Lets the time pass, and a lost connection come back meanwhile: between calls nobody else drives
  // it. Ends early once it is back.
  void Pause(absl::Duration length);

  // Hands every piece of the log to `take` until the log ends or the deadline comes. One try.
  absl::Status StreamLogs(const v1::StreamLogsRequest& request, absl::Time deadline,
                          const std::function<void(const v1::StreamLogsResponse&)>& take);

  // For several logs, one try each. Must not outlive this.
  std::unique_ptr<LogStreams> OpenLogs();

  // Opens a way into a job; whether it may be, and what came of it, is in what is read.
  std::unique_ptr<JobChannel> EnterJob(const v1::EnterJobRequest& request);
  std::unique_ptr<WorkdirChannel> UploadWorkdir();

 private:
  struct Wire;
  explicit ApiClient(std::unique_ptr<Wire> wire);
  std::unique_ptr<Wire> wire_;
  Patience patience_;
};

// Every call of service LocalAdmin.
#define BERTH_LOCAL_CALLS(CALL) \
  CALL(Bootstrap)               \
  CALL(GetStatus)               \
  CALL(MakeBackup)              \
  CALL(VerifyAudit)             \
  CALL(Resume)

// StatusOr<XResponse> CallLocally(socket, XRequest, patience): LocalAdmin.X over the scheduler's
// unix socket, one try.
#define BERTH_DECLARE_LOCAL_CALL(Name)                                             \
  absl::StatusOr<v1::Name##Response> CallLocally(absl::string_view socket,         \
                                                 const v1::Name##Request& request, \
                                                 absl::Duration timeout = Patience().total);
BERTH_LOCAL_CALLS(BERTH_DECLARE_LOCAL_CALL)
#undef BERTH_DECLARE_LOCAL_CALL

}  // namespace berth

#endif  // BERTH_CLIENT_API_CLIENT_H_
