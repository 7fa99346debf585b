#include "agent/core/output_queue.h"

#include <iterator>
#include <utility>
#include <vector>

namespace berth {
namespace {

template <typename Part>
void MoveBehind(std::vector<Part>& parts, std::vector<Part>& more) {
  parts.insert(parts.end(), std::make_move_iterator(more.begin()),
               std::make_move_iterator(more.end()));
}

}  // namespace

void OutputQueue::Add(AgentOutput output) {
  if (!waiting_.has_value()) {
    waiting_ = std::move(output);
    return;
  }
  MoveBehind(waiting_->journal, output.journal);
  waiting_->must_sync = waiting_->must_sync || output.must_sync;
  MoveBehind(waiting_->actions, output.actions);
  MoveBehind(waiting_->messages, output.messages);
}

void OutputQueue::Add(v1::AgentMessage message) {
  AgentOutput output;
  output.messages.push_back(std::move(message));
  Add(std::move(output));
}

AgentOutput* OutputQueue::Begin(const AgentCore& core) {
  if (busy() || !waiting_.has_value()) {
    return nullptr;
  }
  // Without a stream reports are not sent, so that a state would be ahead of what was told.
  next_told_ = core.connected() ? std::optional(core.MakeState()) : std::nullopt;
  under_way_ = std::exchange(waiting_, std::nullopt);
  return &*under_way_;
}

void OutputQueue::Finish(bool is_written) {
  told_ = is_written ? std::exchange(next_told_, std::nullopt) : std::nullopt;
  under_way_.reset();
}

void OutputQueue::DropMessages() {
  told_.reset();
  next_told_.reset();
  for (std::optional<AgentOutput>* output : {&waiting_, &under_way_}) {
    if (output->has_value()) {
      (*output)->messages.clear();
    }
  }
}

}  // namespace berth
