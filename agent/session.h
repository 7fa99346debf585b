#ifndef BERTH_AGENT_SESSION_H_
#define BERTH_AGENT_SESSION_H_

// One life of the stream to the scheduler. Keeps itself alive until gRPC is done with it; its
// callbacks come on gRPC's threads.

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "agent/executor/entry_process.h"
#include "agent/executor/workdir_cache.h"
#include "agent/log_reader.h"
#include "agent/workdir_fetch.h"
#include "proto/agent_api.pb.h"

namespace berth {

class Session {
 public:
  struct Listener {
    std::function<void(v1::SchedulerMessage)> on_message;
    std::function<void(const absl::Status&)> on_closed;  // once, the last call
  };
  virtual ~Session() = default;
  // Queues a message. Bounded: a session whose queue is full is closed.
  virtual void Send(v1::AgentMessage message) = 0;
  virtual void Close() = 0;
};

struct SchedulerAddress {
  std::string server;  // HOST:PORT
  std::string token;
  std::string ca;  // PEM of the certificate authority; empty: plaintext
};

// The connection under sessions and log uploads; reused by all of them.
class SchedulerChannel {
 public:
  explicit SchedulerChannel(const SchedulerAddress& address);
  ~SchedulerChannel();
  std::shared_ptr<Session> OpenSession(Session::Listener listener);
  // Sends a task's log, or why it cannot be read, on a stream of its own. `data_dir` is the
  // agent's.
  void UploadLog(const v1::OpenLog& request, absl::StatusOr<LogReader> reader);
  // Dials back for a way into a task, or to say why there is none.
  void EnterTask(const v1::OpenChannel& request, absl::StatusOr<EntryTarget> target);
  // Of a folder that a task starts in; to be run by the caller, and by nobody after it.
  std::shared_ptr<WorkdirFetch> FetchWorkdir(WorkdirOrder order,
                                             std::shared_ptr<WorkdirCache> cache);
  // Ends all ways into tasks; tasks go on.
  void CloseChannels();

 private:
  class Stubs;
  std::shared_ptr<Stubs> stubs_;
};

}  // namespace berth

#endif  // BERTH_AGENT_SESSION_H_
