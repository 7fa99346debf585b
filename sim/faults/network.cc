#include "sim/faults/network.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace berth::sim {
namespace {

// An agent that hears nothing ends its stream after this (gRPC's keepalive).
constexpr int64_t kKeepAlive = 30 * kSecond;
constexpr int64_t kLearnsLate = 20 * kSecond;

}  // namespace

Network::Network(Timeline& timeline, int nodes)
    : timeline_(timeline), links_(static_cast<size_t>(nodes)) {}

template <typename Message>
Network::Direction<Message>& Network::DirectionOf(Stream& stream) {
  if constexpr (std::is_same_v<Message, v1::AgentMessage>) {
    return stream.up;
  } else {
    return stream.down;
  }
}

StreamId Network::Open(int node) {
  const StreamId id = ++last_;
  streams_[id].node = node;
  if (!ends_.scheduler_listens()) {
    Put<v1::SchedulerMessage>(id, std::nullopt, timeline_.Between(1, 100) * kMillisecond);
  }
  return id;
}

void Network::SendUp(StreamId stream, v1::AgentMessage message) {
  Put<v1::AgentMessage>(stream, std::move(message), 0);
}

void Network::SendDown(StreamId stream, v1::SchedulerMessage message) {
  Put<v1::SchedulerMessage>(stream, std::move(message), 0);
}

void Network::CloseFromScheduler(StreamId stream) {
  Put<v1::SchedulerMessage>(stream, std::nullopt, 0);
  Put<v1::AgentMessage>(stream, std::nullopt, 0);
}

void Network::CloseFromAgent(StreamId stream) {
  Put<v1::AgentMessage>(stream, std::nullopt, 0);
  Put<v1::SchedulerMessage>(stream, std::nullopt, 0);
}

template <typename Message>
void Network::Put(StreamId id, std::optional<Message> message, int64_t delay_us) {
  const auto stream = streams_.find(id);
  if (stream == streams_.end() || DirectionOf<Message>(stream->second).has_ended) {
    return;
  }
  Direction<Message>& direction = DirectionOf<Message>(stream->second);
  const Link& link = links_[static_cast<size_t>(stream->second.node)];
  int64_t ready_us = timeline_.now_us() + delay_us + timeline_.Between(100, link.delay_us);
  if (!direction.items.empty()) {
    ready_us = std::max(ready_us, direction.items.back().ready_us);
  }
  direction.has_ended = !message.has_value();
  direction.items.push_back({ready_us, std::move(message)});
  if (!direction.is_moving) {
    direction.is_moving = true;
    timeline_.At(ready_us, [this, id] { Move<Message>(id); });
  }
}

template <typename Message>
void Network::Move(StreamId id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) {
    return;
  }
  Stream& stream = found->second;
  Direction<Message>& direction = DirectionOf<Message>(stream);
  const int node = stream.node;
  const Way way = std::is_same_v<Message, v1::AgentMessage> ? kUp : kDown;
  const int64_t cut_until_us = links_[static_cast<size_t>(node)].cut_until_us[way];
  if (cut_until_us > timeline_.now_us()) {
    timeline_.At(cut_until_us + timeline_.Between(0, kSecond), [this, id] { Move<Message>(id); });
    return;
  }
  direction.is_moving = false;
  if (direction.items.empty()) {
    return;
  }
  const auto item = std::move(direction.items.front());
  direction.items.pop_front();
  if (!direction.items.empty()) {
    direction.is_moving = true;
    timeline_.At(direction.items.front().ready_us, [this, id] { Move<Message>(id); });
  }
  const bool is_over = stream.up.has_ended && stream.down.has_ended && stream.up.items.empty() &&
                       stream.down.items.empty();
  if (is_over) {
    streams_.erase(found);
  }
  Arrive(id, node, item.message);
}

void Network::Arrive(StreamId id, int node, const std::optional<v1::AgentMessage>& message) {
  if (message.has_value()) {
    ends_.to_scheduler(id, node, *message);
  } else {
    ends_.scheduler_side_ended(id);
  }
}

void Network::Arrive(StreamId id, int node, const std::optional<v1::SchedulerMessage>& message) {
  if (message.has_value()) {
    ends_.to_agent(node, id, *message);
  } else {
    ends_.agent_side_ended(node, id);
  }
}

template <typename Message>
void Network::Truncate(Direction<Message>& direction) {
  if (!direction.items.empty() && !direction.has_ended) {
    const auto kept = timeline_.Between(0, static_cast<int64_t>(direction.items.size()));
    direction.items.resize(static_cast<size_t>(kept));
  }
}

void Network::Break(StreamId id, int64_t agent_learns_us, int64_t scheduler_learns_us) {
  Stream& stream = streams_.at(id);
  Truncate(stream.up);
  Truncate(stream.down);
  Put<v1::AgentMessage>(id, std::nullopt, scheduler_learns_us);
  Put<v1::SchedulerMessage>(id, std::nullopt, agent_learns_us);
}

std::vector<StreamId> Network::StreamsOf(int node) const {
  std::vector<StreamId> ids;
  for (const auto& [id, stream] : streams_) {
    if (stream.node == node) {
      ids.push_back(id);
    }
  }
  return ids;
}

void Network::Reset(int node) {
  // Often one end learns of it much later than the other, which has a new stream by then.
  const int64_t agent_us = timeline_.Once(4) ? timeline_.Between(0, kLearnsLate) : 0;
  const int64_t scheduler_us = timeline_.Once(4) ? timeline_.Between(0, kLearnsLate) : 0;
  for (const StreamId id : StreamsOf(node)) {
    Break(id, agent_us, scheduler_us);
  }
}

void Network::ResetAll() {
  for (size_t node = 0; node < links_.size(); ++node) {
    const int64_t agent_us = timeline_.Once(4) ? timeline_.Between(0, kLearnsLate) : 0;
    for (const StreamId id : StreamsOf(static_cast<int>(node))) {
      Break(id, agent_us, 0);
    }
  }
}

void Network::Cut(int node, Way way, int64_t until_us) {
  int64_t& cut_until_us = links_[static_cast<size_t>(node)].cut_until_us[way];
  cut_until_us = std::max(cut_until_us, until_us);
  if (until_us - timeline_.now_us() > kKeepAlive) {
    timeline_.After(kKeepAlive, [this, node] { KeepAlive(node); });
  }
}

// The agent gives the stream up; whatever it has sent on it may arrive after the next one's hello.
void Network::KeepAlive(int node) {
  const Link& link = links_[static_cast<size_t>(node)];
  if (std::max(link.cut_until_us[kUp], link.cut_until_us[kDown]) <= timeline_.now_us()) {
    return;
  }
  for (const StreamId id : StreamsOf(node)) {
    CloseFromAgent(id);
    ends_.agent_side_ended(node, id);
  }
}

void Network::Heal() {
  for (Link& link : links_) {
    link.cut_until_us = {};
    link.delay_us = 20 * kMillisecond;
  }
}

}  // namespace berth::sim
