#ifndef BERTH_SIM_FAULTS_NETWORK_H_
#define BERTH_SIM_FAULTS_NETWORK_H_

// The streams between agents and the scheduler. Inside a stream each direction keeps its order and
// loses nothing, as TCP does, until the stream ends; then what was still on its way may be lost.
// Directions of a node's network can be cut, and the two ends of a stream may learn of its end at
// very different times. Owned by the World; one thread.

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "proto/agent_api.pb.h"
#include "sim/faults/timeline.h"

namespace berth::sim {

using StreamId = uint64_t;

class Network {
 public:
  // Who is told. The scheduler's functions are called for streams of its earlier lives, too.
  struct Ends {
    std::function<bool()> scheduler_listens;
    std::function<void(StreamId, int node, const v1::AgentMessage&)> to_scheduler;
    std::function<void(StreamId)> scheduler_side_ended;
    std::function<void(int node, StreamId, const v1::SchedulerMessage&)> to_agent;
    std::function<void(int node, StreamId)> agent_side_ended;
  };

  Network(Timeline& timeline, int nodes);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  void Connect(Ends ends) { ends_ = std::move(ends); }

  // By the agent of a node.
  StreamId Open(int node);
  void SendUp(StreamId stream, v1::AgentMessage message);
  void SendDown(StreamId stream, v1::SchedulerMessage message);
  // The scheduler's side ends it after what it has sent.
  void CloseFromScheduler(StreamId stream);
  void CloseFromAgent(StreamId stream);

  // ---- Faults ----
  enum Way { kUp, kDown };
  // Nothing passes this way until then.
  void Cut(int node, Way way, int64_t until_us);
  // The longest time that a message takes.
  void SetDelay(int node, int64_t most_us) { links_[static_cast<size_t>(node)].delay_us = most_us; }
  // Every stream of the node ends; of what is on its way a part arrives.
  void Reset(int node);
  // The scheduler's process is gone.
  void ResetAll();
  void Heal();

 private:
  template <typename Message>
  struct Direction {
    struct Item {
      int64_t ready_us;
      std::optional<Message> message;  // none: the end of the stream
    };
    std::deque<Item> items;
    bool is_moving = false;  // an event will look at the first item
    bool has_ended = false;  // the end was put in
  };
  struct Stream {
    int node = 0;
    Direction<v1::AgentMessage> up;
    Direction<v1::SchedulerMessage> down;
  };
  struct Link {
    std::array<int64_t, 2> cut_until_us{};
    int64_t delay_us = 20 * kMillisecond;
  };

  template <typename Message>
  Direction<Message>& DirectionOf(Stream& stream);
  template <typename Message>
  void Put(StreamId id, std::optional<Message> message, int64_t delay_us);
  template <typename Message>
  void Move(StreamId id);
  template <typename Message>
  void Truncate(Direction<Message>& direction);
  void Arrive(StreamId id, int node, const std::optional<v1::AgentMessage>& message);
  void Arrive(StreamId id, int node, const std::optional<v1::SchedulerMessage>& message);
  void Break(StreamId id, int64_t agent_learns_us, int64_t scheduler_learns_us);
  std::vector<StreamId> StreamsOf(int node) const;
  void KeepAlive(int node);

  Timeline& timeline_;
  Ends ends_;
  std::vector<Link> links_;
  std::map<StreamId, Stream> streams_;
  StreamId last_ = 0;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_NETWORK_H_
