#include "sim/faults/coverage.h"

#include <algorithm>
#include <cctype>

#include "absl/strings/str_cat.h"

namespace berth::sim {
namespace {

std::string NameOf(v1::TaskState state) {
  std::string name = v1::TaskState_Name(state).substr(std::string("TASK_STATE_").size());
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return c == '_' ? '-' : static_cast<char>(std::tolower(c));
  });
  return name;
}

// A node that may be used has a session, so that an allocation is sent in the step that makes it.
bool IsOfForecasts(const std::string& machine, const std::string& from, const std::string& to) {
  return machine == "allocation" && from == "reserved" && to != "sent";
}

template <typename State, typename Counts>
void List(const char* machine, int states, const Counts& counts, std::vector<Transition>& list) {
  for (int from = 0; from < states; ++from) {
    for (int to = 0; to < states; ++to) {
      const auto a = static_cast<State>(from);
      const auto b = static_cast<State>(to);
      const bool is_allowed = CanMove(a, b);
      if (is_allowed && !IsOfForecasts(machine, std::string(Name(a)), std::string(Name(b)))) {
        list.push_back({machine, std::string(Name(a)), std::string(Name(b)), counts.Of(a, b)});
      }
    }
  }
}

}  // namespace

void Coverage::Add(const TransitionCounts& counts) {
  scheduler_.Add(counts);
}
void Coverage::Add(const TaskTransitionCounts& counts) {
  agent_.Add(counts);
}
void Coverage::Add(const Coverage& other) {
  scheduler_.Add(other.scheduler_);
  agent_.Add(other.agent_);
}

std::vector<Transition> Coverage::Transitions() const {
  std::vector<Transition> list;
  List<JobState>("job", static_cast<int>(JobState::kDependencyFailed) + 1, scheduler_.jobs, list);
  List<AttemptState>("attempt", static_cast<int>(AttemptState::kEnded) + 1, scheduler_.attempts,
                     list);
  List<AllocationState>("allocation", static_cast<int>(AllocationState::kReleased) + 1,
                        scheduler_.allocations, list);
  List<NodeState>("node", static_cast<int>(NodeState::kRemoved) + 1, scheduler_.nodes, list);
  for (int from = v1::TASK_STATE_JOURNALED; from < v1::TaskState_ARRAYSIZE; ++from) {
    for (int to = v1::TASK_STATE_JOURNALED; to < v1::TaskState_ARRAYSIZE; ++to) {
      const auto a = static_cast<v1::TaskState>(from);
      const auto b = static_cast<v1::TaskState>(to);
      if (CanMove(a, b)) {
        list.push_back({"member", NameOf(a), NameOf(b), agent_.Of(a, b)});
      }
    }
  }
  return list;
}

}  // namespace berth::sim
