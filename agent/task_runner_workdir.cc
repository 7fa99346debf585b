// The task runner's part with folders that were uploaded for tasks.

#include <memory>
#include <string>
#include <utility>

#include "agent/task_runner.h"
#include "common/status_macros.h"

namespace berth {

// Who tells of it: no node can have the folder, or this one has no room, or something failed here.
v1::Refusal TaskRunner::WorkdirRefusal(const absl::Status& status) {
  if (absl::IsInvalidArgument(status) || absl::IsNotFound(status)) {
    return v1::REFUSAL_BAD_SPEC;
  }
  return absl::IsResourceExhausted(status) ? v1::REFUSAL_DISK : v1::REFUSAL_LAUNCH;
}

absl::StatusOr<std::shared_ptr<WorkdirFetch>> TaskRunner::BeginFetch(LaunchedTask& task) {
  RETURN_IF_ERROR(launcher_.MakeFolder(task));
  WorkdirOrder order{.allocation_id = task.assignment.allocation_id(),
                     .tenant = task.assignment.tenant(),
                     .sha256 = task.spec.workdir_sha256(),
                     .folder = Descriptor(),
                     .owner = launcher_.OwnerOf(task.assignment)};
  ASSIGN_OR_RETURN(order.folder, task.folder->OpenForUpload());
  return make_fetch_(std::move(order));
}

void TaskRunner::FetchWorkdir(LaunchedTask task, absl::Duration lease_deadline) {
  if (task.spec.workdir_sha256().empty()) {
    Launch(std::move(task), lease_deadline);
    return;
  }
  const uint64_t id = task.assignment.allocation_id();
  const auto fetch = BeginFetch(task);
  if (!fetch.ok()) {
    Tell(TaskRefused{id, WorkdirRefusal(fetch.status()), std::string(fetch.status().message())});
    return;
  }
  waiting_[id] = lease_deadline;
  fetches_[id] = *fetch;
  auto held = std::make_shared<LaunchedTask>(std::move(task));
  fetch_threads_.Start([this, id, fetch = *fetch, held] {
    const absl::Status status = fetch->Run();
    loop_.Post([this, id, status, held] {
      fetches_.erase(id);
      const absl::Duration deadline = waiting_.at(id);
      const bool goes_on = EndWait(id);
      if (goes_on && status.ok()) {
        Launch(std::move(*held), deadline);
        return;
      }
      held->folder->Drop();
      if (goes_on) {
        Tell(TaskRefused{id, WorkdirRefusal(status), std::string(status.message())});
      }
    });
  });
}

}  // namespace berth
