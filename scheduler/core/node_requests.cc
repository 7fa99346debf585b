#include "scheduler/core/node_requests.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/error_detail.h"
#include "common/planted_bug.h"
#include "scheduler/core/node_loss.h"

namespace berth {
namespace {

absl::Status NoSuchNode(absl::string_view name) {
  return MakeError(absl::StatusCode::kNotFound, {.code = "B2003",
                                                 .message = absl::StrCat("no node \"", name, "\""),
                                                 .why = "",
                                                 .fix = "berth nodes"});
}

absl::Status OperatorsOnly(absl::string_view what) {
  return MakeError(absl::StatusCode::kPermissionDenied,
                   {.code = "B7204",
                    .message = absl::StrCat("only an operator may ", what),
                    .why = "",
                    .fix = ""});
}

absl::Status NodeLives(absl::string_view message, absl::string_view fix) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B4006",
                    .message = message,
                    .why = "what runs on a node that lives would run a second time elsewhere",
                    .fix = fix});
}

// The state of a node follows what is asked of it, as far as it can be talked to.
void ApplyDrain(const Step& step, NodeId id) {
  const Node& node = step.cluster.GetNode(id);
  const bool idle = step.cluster.AllocationsOn(id).empty();
  if (node.drain_requested && node.state == NodeState::kReady) {
    step.cluster.SetNodeState(id, NodeState::kDraining, node.state_detail);
  }
  if (node.drain_requested && node.state == NodeState::kDraining && idle) {
    step.cluster.SetNodeState(id, NodeState::kDrained, node.state_detail);
  }
  if (!node.drain_requested &&
      (node.state == NodeState::kDraining || node.state == NodeState::kDrained)) {
    step.cluster.SetNodeState(id, NodeState::kReady, "");
  }
}

// A node that cannot be talked to is suspect.
void EndQuarantine(const Step& step, const Node& node) {
  if (node.session) {
    step.cluster.SetNodeState(node.id, NodeState::kReady, "");
  } else {
    step.cluster.SetNodeState(node.id, NodeState::kSuspect, "its agent is not connected");
  }
}

std::vector<ReleasedShare> HeldOn(const Step& step, NodeId id) {
  std::vector<ReleasedShare> held;
  for (AllocationId live : step.cluster.AllocationsOn(id)) {
    const Allocation& allocation = step.cluster.GetAllocation(live);
    held.push_back({allocation.id, allocation.job, static_cast<int>(allocation.devices.size())});
  }
  return held;
}

}  // namespace

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& /*actor*/,
                                      const DrainNode& request) {
  const Node* node = step.cluster.FindNodeByName(request.node);
  if (node == nullptr) {
    return NoSuchNode(request.node);
  }
  step.cluster.UpdateNode(node->id, [&request](Node& changed) {
    // A second drain that says nothing has nothing against the reason of the first.
    const bool keeps_reason = changed.drain_requested && request.reason.empty();
    changed.drain_requested = true;
    if (changed.state != NodeState::kQuarantined && !keeps_reason) {
      changed.state_detail = request.reason;
    }
  });
  ApplyDrain(step, node->id);
  std::set<JobId> jobs;
  for (AllocationId id : step.cluster.AllocationsOn(node->id)) {
    jobs.insert(step.cluster.GetAllocation(id).job);
  }
  Outcome outcome;
  outcome.node = node->id;
  outcome.jobs.assign(jobs.begin(), jobs.end());
  return outcome;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& /*actor*/,
                                      const UndrainNode& request) {
  const Node* node = step.cluster.FindNodeByName(request.node);
  if (node == nullptr) {
    return NoSuchNode(request.node);
  }
  step.cluster.UpdateNode(node->id, [](Node& changed) { changed.drain_requested = false; });
  if (node->state == NodeState::kQuarantined) {
    EndQuarantine(step, *node);
  }
  ApplyDrain(step, node->id);
  Outcome outcome;
  outcome.node = node->id;
  return outcome;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const ConfirmNodeDead& request) {
  if (actor.role != Role::kOperator) {
    return OperatorsOnly("say that a node is dead");
  }
  const Node* node = step.cluster.FindNodeByName(request.node);
  if (node == nullptr) {
    return NoSuchNode(request.node);
  }
  if (IsHeardOf(step, *node)) {
    return NodeLives(
        absl::StrFormat("node %s is not dead: its agent was heard of %s ago", node->name,
                        absl::FormatDuration(
                            absl::Trunc(step.now - node->silent_since, absl::Milliseconds(1)))),
        absl::StrCat("switch it off, or `berth node drain ", node->name,
                     "` and `berth requeue` its jobs"));
  }
  if (node->state == NodeState::kPending) {
    return NodeLives(absl::StrFormat("node %s has never joined", node->name), "berth nodes");
  }
  Outcome outcome;
  outcome.node = node->id;
  outcome.released = HeldOn(step, node->id);
  BuryNode(step, node->id, ReleaseEvidence::kConfirmedDead,
           absl::StrCat("confirmed dead by ", actor.user_name, request.reason.empty() ? "" : ": ",
                        request.reason));
  return outcome;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const NoteFence& request) {
  if (actor.role != Role::kOperator) {
    return OperatorsOnly("say that a node is fenced");
  }
  const Node* node = step.cluster.FindNode(request.node);
  const bool has_spoken =
      node != nullptr && (node->silent_since > request.silent_since || IsHeardOf(step, *node));
  if (node == nullptr || (has_spoken && !Planted(PlantedBug::kLateFenceCounts))) {
    return NodeLives("the node was heard of while it was being fenced",
                     "look at what the fence command does");
  }
  Outcome outcome;
  outcome.node = node->id;
  if (!request.failure.empty() && !Planted(PlantedBug::kFailedFenceCounts)) {
    if (node->state == NodeState::kSuspect) {
      step.cluster.SetNodeState(
          node->id, node->state,
          absl::StrCat("its agent is silent, and the fence command failed: ", request.failure));
    }
    return outcome;
  }
  outcome.released = HeldOn(step, node->id);
  BuryNode(step, node->id, ReleaseEvidence::kFenced, "switched off by the fence command");
  return outcome;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const EndLossHold& request) {
  if (actor.role != Role::kOperator) {
    return OperatorsOnly("declare nodes lost");
  }
  std::vector<NodeId> held;
  for (const auto& [id, node] : step.cluster.nodes()) {
    if (node.loss_held && (request.node.empty() || node.name == request.node)) {
      held.push_back(id);
    }
  }
  if (held.empty()) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        {.code = "B4007",
         .message = request.node.empty() ? std::string("no node is held")
                                         : absl::StrFormat("node %s is not held", request.node),
         .why = "nodes are held when many of them fell silent at once",
         .fix = "berth nodes"});
  }
  Outcome outcome;
  for (NodeId id : held) {
    for (const ReleasedShare& share : HeldOn(step, id)) {
      outcome.released.push_back(share);
    }
    outcome.notes.push_back(step.cluster.GetNode(id).name);
    LoseNode(step, id);
  }
  std::erase_if(outcome.released, [&step](const ReleasedShare& share) {
    const Allocation* allocation = step.cluster.FindAllocation(share.allocation);
    return allocation != nullptr && allocation->state != AllocationState::kReleased;
  });
  return outcome;
}

}  // namespace berth
