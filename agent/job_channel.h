#ifndef BERTH_AGENT_JOB_CHANNEL_H_
#define BERTH_AGENT_JOB_CHANNEL_H_

// Ways into running tasks: for each a stream to the scheduler and a thread of its own that carries
// bytes between that and the command, so that neither the agent's loop nor another channel waits
// for a slow one.

#include <atomic>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"

#include "agent/executor/entry_process.h"
#include "proto/agent_api.grpc.pb.h"

namespace berth {

class JobChannel;

// Owned by who owns the stub, which outlives it; one thread.
class JobChannels {
 public:
  static constexpr int kChannelsMax = 256;
  // Of one tenant's: no tenant takes the others' ways away.
  static constexpr int kChannelsPerTenantMax = 64;

  JobChannels() = default;
  JobChannels(const JobChannels&) = delete;
  JobChannels& operator=(const JobChannels&) = delete;
  ~JobChannels() { Close(); }

  // Dials back, at once. An error as `target` is what the client is told.
  void Open(v1::Agent::Stub& stub, const std::string& token, const v1::OpenChannel& request,
            absl::StatusOr<EntryTarget> target);
  // Ends all of them and waits for that.
  void Close();

 private:
  struct Running {
    std::string tenant;  // empty: of a task that cannot be entered
    std::shared_ptr<JobChannel> channel;
    std::atomic<bool> done = false;
    std::thread thread;
  };
  void DropEnded();

  std::list<Running> running_;
};

}  // namespace berth

#endif  // BERTH_AGENT_JOB_CHANNEL_H_
