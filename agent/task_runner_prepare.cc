// The runner's part between an assignment and a task's shim: devices, image, folder.

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "agent/task_runner.h"
#include "common/credentials.h"

namespace berth {
namespace {

// A driver may need a moment to clear what a dead process had on a device.
constexpr absl::Duration kCleanAgain = absl::Milliseconds(100);
constexpr absl::Duration kCleanPatience = absl::Seconds(10);

}  // namespace

void TaskRunner::Act(const PrepareTask& action) {
  PrepareWhenClean(action, absl::Now() + kCleanPatience);
}

void TaskRunner::PrepareWhenClean(const PrepareTask& action, absl::Time give_up) {
  const uint64_t id = action.assignment.allocation_id();
  if (const std::string why = launcher_.WhyNotHere(action.assignment); !why.empty()) {
    Tell(TaskRefused{id, v1::REFUSAL_DEVICE, why});
    return;
  }
  for (const v1::DeviceAssignment& device : action.assignment.devices()) {
    // Beside a share the other shares' processes belong on the device.
    const std::string why = IsShare(device) ? "" : gate_(device.index());
    if (why.empty()) {
      continue;
    }
    if (absl::Now() > give_up) {
      node_fault_(0, absl::StrCat(why, ", which is no task's"));
      Tell(TaskRefused{id, v1::REFUSAL_LOCK_HELD, why});
      return;
    }
    waiting_[id] = action.lease_deadline;
    loop_.RunAfter(kCleanAgain, [this, id, again = action, give_up]() mutable {
      again.lease_deadline = waiting_.at(id);
      if (EndWait(id)) {
        PrepareWhenClean(again, give_up);
      }
    });
    return;
  }
  Prepare(action);
}

void TaskRunner::Prepare(const PrepareTask& action) {
  const uint64_t id = action.assignment.allocation_id();
  LaunchedTask task;
  task.assignment = action.assignment;
  task.job_token = action.job_token;
  if (Sha256(action.assignment.job_spec()) != action.assignment.job_spec_sha256() ||
      !task.spec.ParseFromString(action.assignment.job_spec())) {
    Tell(TaskRefused{id, v1::REFUSAL_BAD_SPEC, "the job's specification did not arrive whole"});
    return;
  }
  if (task.spec.image().empty()) {
    FetchWorkdir(std::move(task), action.lease_deadline);
    return;
  }
  if (!launcher_.isolation().has_private_mounts()) {
    Tell(TaskRefused{id, v1::REFUSAL_IMAGE, "this node cannot give a task a root of its own"});
    return;
  }
  waiting_[id] = action.lease_deadline;
  const std::string name = task.spec.image();
  images_.Find(name, [this, id, found = std::make_shared<LaunchedTask>(std::move(task))](
                         const absl::StatusOr<Image>& image) {
    const absl::Duration lease_deadline = waiting_.at(id);
    if (!EndWait(id)) {
      return;
    }
    if (!image.ok()) {
      Tell(TaskRefused{id, v1::REFUSAL_IMAGE, std::string(image.status().message())});
      return;
    }
    found->image = *image;
    FetchWorkdir(std::move(*found), lease_deadline);
  });
}

bool TaskRunner::EndWait(uint64_t id) {
  waiting_.erase(id);
  if (stopped_early_.erase(id) == 0) {
    return true;
  }
  Tell(TaskRefused{id, v1::REFUSAL_FENCED, "a kill came before it was prepared"});
  return false;
}

void TaskRunner::Launch(LaunchedTask task, absl::Duration lease_deadline) {
  const uint64_t id = task.assignment.allocation_id();
  // It may have waited for its image or its folder.
  if (const std::string why = launcher_.WhyNotHere(task.assignment); !why.empty()) {
    Tell(TaskRefused{id, v1::REFUSAL_DEVICE, why});
    return;
  }
  const absl::Status status = launcher_.Prepare(task, lease_deadline);
  if (!status.ok()) {
    launcher_.isolation().Release(id);
    const v1::Refusal refusal =
        absl::IsResourceExhausted(status) ? v1::REFUSAL_DISK : v1::REFUSAL_LAUNCH;
    Tell(TaskRefused{id, refusal, std::string(status.message())});
    return;
  }
  const auto inserted = tasks_.insert_or_assign(id, std::move(task)).first;
  WatchShim(inserted->second);
}

}  // namespace berth
