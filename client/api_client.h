#ifndef BERTH_CLIENT_API_CLIENT_H_
#define BERTH_CLIENT_API_CLIENT_H_

// The scheduler as the commands see it. gRPC stays behind api_client.cc.

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

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

// One way into a job, as long as it lasts. One thread reads; any may write.
class JobChannel {
 public:
  virtual ~JobChannel() = default;
  // Waits for the other side to have room. False: it is over.
  virtual bool Write(const v1::ChannelInput& input) = 0;
  // Only if nobody else is writing. False: somebody is, or it is over.
  virtual bool TryWrite(const v1::ChannelInput& input) = 0;
  // Waits for the next frame. False: it is over, Finish says why.
  virtual bool Read(v1::ChannelOutput& output) = 0;
  virtual absl::Status Finish() = 0;
  // Ends it from any thread; what it runs in the job ends, too.
  virtual void Cancel() = 0;
};

// What became of one of several logs: a piece of it came, or its stream has ended with `status`.
struct LogEvent {
  size_t log = 0;
  bool ended = false;
  v1::StreamLogsResponse piece;
  absl::Status status;
};

// Several logs at once, read in step by one thread: of each no more comes than was asked for.
class LogStreams {
 public:
  virtual ~LogStreams() = default;
  // Opens a stream under this number, and asks for its first piece. Requires: the last one under
  // the number has ended.
  virtual void Open(size_t log, const v1::StreamLogsRequest& request) = 0;
  // Asks for one more piece. Requires: it has not ended, and the last piece that was asked for has
  // come.
  virtual void Want(size_t log) = 0;
  // What comes next; nothing if it does not come before `deadline`.
  virtual std::optional<LogEvent> Next(absl::Time deadline) = 0;
};

// One upload of a folder (UploadWorkdir). One thread.
class WorkdirChannel {
 public:
  virtual ~WorkdirChannel() = default;
  // As JobChannel's.
  virtual bool Write(const v1::UploadWorkdirRequest& request) = 0;
  virtual bool Read(v1::UploadWorkdirResponse& response) = 0;
  virtual absl::Status Finish() = 0;
  virtual void Cancel() = 0;
};

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

// True for an error after which the same call may succeed by itself: the scheduler is away.
bool IsUnreachable(const absl::Status& status);

}  // namespace berth

#endif  // BERTH_CLIENT_API_CLIENT_H_
