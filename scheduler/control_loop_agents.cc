// The control loop's part with agents: sessions, what they say, what they are told.

#include <utility>

#include "common/log.h"
#include "scheduler/control_loop.h"
#include "scheduler/control_loop_turn.h"
#include "scheduler/core/node_protocol.h"

namespace berth {

void ControlLoop::OpenSession(HelloRequest& request, Turn& turn) {
  if (IsOutdated(engine_.cluster(), request.hello)) {
    request.link->Send({
        request.hello.node, request.hello.session,
        RefuseHello{HelloRefusal::kDuplicateNode,
                    "a later start of this node's agent has said hello already"}
    });
    request.link->Close();
    return;
  }
  Session& session = sessions_[request.hello.node];
  if (session.link != nullptr) {
    session.link->Close();
  }
  session = {request.hello.session, std::move(request.link)};
  LogInfo("agent connected", {
                                 {"node",    engine_.cluster().GetNode(request.hello.node).name},
                                 {"session", session.id.value()                                },
                                 {"tasks",   request.hello.tasks.size()                        }
  });
  const NodeId node = request.hello.node;
  engine_.Apply(AgentEvent(std::move(request.hello)), turn.now);
  // What it confirmed after a restore is not doubtful any more, which is no durable change.
  std::vector<Allocation> held;
  for (AllocationId id : engine_.cluster().AllocationsOn(node)) {
    held.push_back(engine_.cluster().GetAllocation(id));
  }
  on_allocations_(held, engine_.cluster());
}

void ControlLoop::ApplyAgent(const AgentEvent& event, absl::Time now) {
  engine_.Apply(event, now);
  if (const auto* heartbeat = std::get_if<AgentHeartbeat>(&event)) {
    CloseIfLost(*heartbeat, now);
    return;
  }
  const auto* gone = std::get_if<AgentGone>(&event);
  if (gone == nullptr) {
    return;
  }
  const auto session = sessions_.find(gone->node);
  if (session != sessions_.end() && session->second.id == gone->session) {
    LogWarning("agent disconnected", {
                                         {"node", engine_.cluster().GetNode(gone->node).name}
    });
    sessions_.erase(session);
  }
}

// A connection that only stood still goes on where it stopped. What the node holds has been given
// away meanwhile: only a hello, which tells all, brings it back.
void ControlLoop::CloseIfLost(const AgentHeartbeat& heartbeat, absl::Time now) {
  const auto session = sessions_.find(heartbeat.node);
  if (session == sessions_.end() || session->second.id != heartbeat.session ||
      engine_.cluster().GetNode(heartbeat.node).state != NodeState::kLost) {
    return;
  }
  LogWarning("a lost node speaks again, it must say hello",
             {
                 {"node", engine_.cluster().GetNode(heartbeat.node).name}
  });
  session->second.link->Close();
  sessions_.erase(session);
  engine_.Apply(AgentEvent(AgentGone{heartbeat.node, heartbeat.session}), now);
}

void ControlLoop::SendCommands(std::vector<NodeCommand> commands) {
  for (NodeCommand& command : commands) {
    const auto session = sessions_.find(command.node);
    if (session == sessions_.end() || session->second.id != command.session) {
      continue;
    }
    if (auto* assign = std::get_if<AssignTask>(&command.kind)) {
      CompleteAssignment(*assign);
    }
    session->second.link->Send(command);
  }
}

// A task has the payload of its array.
void ControlLoop::CompleteAssignment(AssignTask& assign) {
  const JobId id = assign.allocation.job;
  if (const Job* live = engine_.cluster().FindJob(id); live != nullptr) {
    assign.array = live->array;
    assign.array_index = live->array_index;
  } else if (const auto ended = store_->FindEndedJob(id); ended.ok() && ended->has_value()) {
    // It ended in the very turn in which it was assigned.
    assign.array = (*ended)->array;
    assign.array_index = (*ended)->array_index;
  }
  absl::StatusOr<std::string> payload = store_->GetJobPayload(assign.array ? assign.array : id);
  if (!payload.ok()) {
    StopProcess(payload.status());
  }
  assign.payload = *std::move(payload);
}

}  // namespace berth
