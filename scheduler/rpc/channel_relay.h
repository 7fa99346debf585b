#ifndef BERTH_SCHEDULER_RPC_CHANNEL_RELAY_H_
#define BERTH_SCHEDULER_RPC_CHANNEL_RELAY_H_

// Ways into running jobs: each pairs a client's EnterJob call with the Channel call of the node's
// agent. The control loop says who may and where to; it never sees a byte of what passes.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

#include "proto/channel.pb.h"
#include "scheduler/core/ids.h"
#include "scheduler/rpc/frame_pipe.h"
#include "scheduler/rpc/open_by_token.h"

namespace berth {

// Safe from any thread.
class Channel {
 public:
  Channel(uint64_t id, std::string token_id) : id_(id), token_id_(std::move(token_id)) {}

  uint64_t id() const { return id_; }
  const std::string& token_id() const { return token_id_; }  // the client's

  FramePipe<v1::ChannelInput>& to_job() { return to_job_; }
  FramePipe<v1::ChannelOutput>& from_job() { return from_job_; }

  // From now on `node` may open it, once; its client is told the node's name.
  void Expect(NodeId node, std::string node_name) ABSL_LOCKS_EXCLUDED(mu_);
  // The agent's end. False: it is not for this node, was opened before, or is over. `cancel` ends
  // the agent's call; it is called under the channel's lock, so it must return at once and not call
  // the channel.
  bool Open(NodeId node, const std::string& agent_token, std::function<void()> cancel)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The agent's call is about to be destroyed: `cancel` is not called any more.
  void Release() ABSL_LOCKS_EXCLUDED(mu_);
  bool is_expected() const ABSL_LOCKS_EXCLUDED(mu_);
  bool is_open() const ABSL_LOCKS_EXCLUDED(mu_);
  std::string agent_token() const ABSL_LOCKS_EXCLUDED(mu_);

  // The last frame has come: both ends finish when they have passed on what is left.
  void EndWell();
  // Ends both calls at once. The first end given stays.
  void End(const absl::Status& end) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  const uint64_t id_;
  const std::string token_id_;
  FramePipe<v1::ChannelInput> to_job_;
  FramePipe<v1::ChannelOutput> from_job_;

  mutable absl::Mutex mu_;
  NodeId node_ ABSL_GUARDED_BY(mu_);
  std::string node_name_ ABSL_GUARDED_BY(mu_);
  std::string agent_token_ ABSL_GUARDED_BY(mu_);
  bool opened_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::function<void()> cancel_ ABSL_GUARDED_BY(mu_);
};

// The channels in use, by id. Safe from any thread.
class ChannelRelay {
 public:
  static constexpr int kChannelsPerTokenMax = 64;

  // ResourceExhausted if the token has too many already.
  absl::StatusOr<std::shared_ptr<Channel>> Add(absl::string_view token_id);
  // Null: there is no such channel.
  std::shared_ptr<Channel> Find(uint64_t id) const { return channels_.Find(id); }
  void Remove(uint64_t id) { channels_.Remove(id); }

  // Ends every channel one of whose tokens `check` refuses, with its answer.
  void CloseRefused(const std::function<absl::Status(absl::string_view token_id)>& check);

 private:
  OpenByToken<Channel> channels_{kChannelsPerTokenMax};
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_CHANNEL_RELAY_H_
