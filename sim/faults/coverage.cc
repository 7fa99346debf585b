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

constexpr char kNoQuarantine[] = "nothing quarantines a whole node yet";
constexpr char kNoRemoval[] = "nodes cannot be removed yet";
constexpr char kOneStep[] = "joined, reconciling and what follows are one step of a hello";

// What the tables hold for something that does not exist yet, or is never seen alone.
std::string WhyNever(const std::string& machine, const std::string& from, const std::string& to) {
  if (machine == "node") {
    if (from == "quarantined" || to == "quarantined") {
      return kNoQuarantine;
    }
    if (to == "removed") {
      return kNoRemoval;
    }
    const bool is_step = (from == "joined" && to != "reconciling") ||
                         (from == "reconciling" && (to == "suspect" || to == "joined"));
    return is_step ? kOneStep : "";
  }
  if (machine == "job" && from == "stopping" && to == "held") {
    return "a job is queued first, then held";
  }
  if (machine == "attempt" && to == "stopping" && (from == "created" || from == "prepared")) {
    return "an attempt is in this state inside one step only";
  }
  if (machine == "allocation" && from == "reserved" && to != "sent") {
    return "a node that may be used has a session, so that an allocation is sent at once";
  }
  if (machine == "member" && (from == "locked" || to == "locked")) {
    return "a shim takes its locks and is prepared in one step";
  }
  return "";
}

template <typename State, typename Counts>
void List(const char* machine, int states, const Counts& counts, std::vector<Transition>& list) {
  for (int from = 0; from < states; ++from) {
    for (int to = 0; to < states; ++to) {
      const auto a = static_cast<State>(from);
      const auto b = static_cast<State>(to);
      if (CanMove(a, b)) {
        Transition transition{machine, std::string(Name(a)), std::string(Name(b)), counts.Of(a, b),
                              ""};
        transition.why_never = WhyNever(machine, transition.from, transition.to);
        list.push_back(std::move(transition));
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
        Transition transition{"member", NameOf(a), NameOf(b), agent_.Of(a, b), ""};
        transition.why_never = WhyNever("member", transition.from, transition.to);
        list.push_back(std::move(transition));
      }
    }
  }
  return list;
}

}  // namespace berth::sim
