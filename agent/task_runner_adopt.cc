// The runner's part at the agent's start: tasks of an earlier agent, and what no journal knows.

#include <array>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "agent/task_runner.h"
#include "common/log.h"
#include <unistd.h>

namespace berth {
namespace {

// At the start nothing else waits for the agent yet.
constexpr absl::Duration kAdoptPatience = absl::Seconds(2);

}  // namespace

bool TaskRunner::ReleaseNow(uint64_t id) {
  const absl::Time give_up = absl::Now() + kAdoptPatience;
  while (!launcher_.isolation().Release(id)) {
    if (absl::Now() > give_up) {
      return false;
    }
    usleep(1000);
  }
  return true;
}

std::vector<uint64_t> TaskRunner::FindStrays() {
  std::set<uint64_t> known;
  for (const auto& [id, task] : tasks_) {
    known.insert(id);
  }
  return launcher_.isolation().FindStrays(known);
}

void TaskRunner::EndStray(uint64_t id) {
  LogWarning("control groups of an unknown task are emptied", {
                                                                  {"allocation", id}
  });
  node_fault_(0, absl::StrCat("control groups of allocation ", id,
                              " were here, which the journal does not know"));
  if (ReleaseNow(id)) {
    Tell(TaskLost{id});
  } else {
    Release(id, absl::Now() + kReleasePatience, [this, id] { listener_(TaskLost{id}); });
  }
}

TaskRunner::Adopted TaskRunner::Adopt(const JournaledTask& journaled) {
  const v1::Assignment& assignment = journaled.assignment;
  const uint64_t id = assignment.allocation_id();
  Adopted adopted;
  absl::StatusOr<TaskFolder> folder =
      TaskFolder::Open(launcher_.options().data_dir, assignment.job_id(), assignment.attempt());
  absl::StatusOr<ShimProcess> shim =
      folder.ok() ? ShimProcess::Find(folder->descriptor()) : folder.status();
  const auto told = shim.ok() ? shim->AskStatus() : std::nullopt;
  const int status = told.has_value() ? told->value : -1;
  const auto file = folder.ok() ? ReadFileAt(folder->descriptor(), kTaskFileName) : std::nullopt;
  auto decoded = file.has_value() ? DecodeTaskFile(*file) : std::nullopt;
  if (status < 0 || !decoded.has_value()) {
    const TaskEvent end = EndOf(assignment, decoded.value_or(TaskFile()));
    const bool is_gone = ReleaseNow(id);
    if (is_gone || !std::holds_alternative<TaskLost>(end)) {
      adopted.end = end;
    }
    if (!is_gone) {
      // Its devices are still taken; nobody waited for its last process before.
      Release(
          id, absl::Now() + kReleasePatience,
          adopted.end.has_value() ? std::function<void()>([] {}) : [this, end] { listener_(end); });
    }
    return adopted;
  }
  LaunchedTask& task = tasks_[id];
  task.assignment = assignment;
  task.spec.ParseFromString(assignment.job_spec());
  task.folder = std::make_unique<TaskFolder>(*std::move(folder));
  task.shim = std::make_unique<ShimProcess>(*std::move(shim));
  task.file = *std::move(decoded);
  task.rendezvous_port = journaled.rendezvous_port;
  task.init = InitOf(*told);
  WatchShim(task);
  constexpr std::array<v1::TaskState, 3> kStates = {v1::TASK_STATE_PREPARED, v1::TASK_STATE_RUNNING,
                                                    v1::TASK_STATE_STOPPING};
  adopted.state = kStates.at(static_cast<size_t>(status));
  return adopted;
}

}  // namespace berth
