#include "sim/faults/fence_command.h"

#include <utility>

namespace berth::sim {
namespace {

constexpr int64_t kWorksMost = 5 * kSecond;
constexpr int64_t kSpeaksMost = 15 * kSecond;
constexpr int64_t kStaysOffMost = 40 * kSecond;

}  // namespace

void FenceCommand::Run(int node, Ended ended) {
  const bool fails = timeline_.Once(4);
  const int64_t speaks_after = timeline_.Between(0, timeline_.Once(2) ? kSecond : kSpeaksMost);
  const int64_t stays_off = timeline_.Between(0, kStaysOffMost);
  timeline_.After(timeline_.Between(1, kWorksMost), [=, this, ended = std::move(ended)] {
    Machine& machine = *machines_[static_cast<size_t>(node)];
    if (!fails && !machine.is_off()) {
      timeline_.Note("node %d is fenced", node);
      machine.SwitchOff();
      timeline_.After(stays_off, [&machine] { machine.SwitchOn(); });
    }
    timeline_.After(speaks_after, [fails, ended] { ended(fails ? "no answer" : ""); });
  });
}

}  // namespace berth::sim
