#include "agent/core/task_action.h"

#include <iterator>
#include <utility>

namespace berth::agent {
namespace {

template <typename Value>
void Move(std::vector<Value>& from, std::vector<Value>& to) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

void Append(Effects& earlier, Effects later) {
  Move(later.records, earlier.records);
  Move(later.actions, earlier.actions);
  Move(later.messages, earlier.messages);
  earlier.sync = earlier.sync || later.sync;
  if (earlier.end_session.empty()) {
    earlier.end_session = std::move(later.end_session);
  }
}

}  // namespace berth::agent
