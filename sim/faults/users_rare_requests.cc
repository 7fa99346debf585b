// The part of Users that asks for what is asked less often: single tasks of arrays are cancelled,
// few of an array may fail, a tenant is suspended for a while.

#include <utility>
#include <vector>

#include "sim/faults/users.h"

namespace berth::sim {

void Users::MakeArray(JobSpec& spec) {
  spec.array.first = static_cast<int>(timeline_.Between(0, 3));
  spec.array.step = static_cast<int>(timeline_.Between(1, 2));
  spec.array.count = static_cast<int>(timeline_.Between(2, 6));
  spec.array.concurrent_max = static_cast<int>(timeline_.Between(0, 2));
  spec.array.fails_max = static_cast<int>(timeline_.Between(0, 2));
}

void Users::CancelTasksOf(size_t tenant, JobId array) {
  const Job* job = scheduler_.is_up() ? scheduler_.cluster().FindJob(array) : nullptr;
  if (job == nullptr || !job->is_array()) {
    return;
  }
  CancelJob cancel{array, "", timeline_.Once(3)};
  const ArrayRange& range = job->spec.array;
  for (int position = 0; position < range.count; ++position) {
    if (timeline_.Once(3)) {
      cancel.tasks.push_back({.first = range.IndexAt(position), .count = 1});
    }
  }
  if (cancel.tasks.empty()) {
    return;
  }
  UserRequest request;
  request.actor = users_[tenant];
  request.event = cancel;
  Call(request, [this, cancel](const absl::StatusOr<Outcome>& outcome) {
    if (outcome.ok()) {
      timeline_.Note("the cancel of tasks of job %d is acknowledged", cancel.job.value());
      observer_.OnTasksCancelled(cancel.job, cancel.tasks);
    }
  });
}

void Users::SuspendSomeTenant() {
  if (timeline_.now_us() >= until_us_) {
    return;
  }
  const auto tenant = static_cast<size_t>(timeline_.Between(0, 1));
  const int64_t for_us = timeline_.Between(kSecond, 30 * kSecond);
  UserRequest request;
  request.actor = operator_;
  request.event = SuspendTenant{tenants_[tenant], true};
  is_suspending_ = true;
  // One after the other, so that no repeated call of one undoes the next.
  Call(request, [this, tenant, for_us](const absl::StatusOr<Outcome>& outcome) {
    if (outcome.ok()) {
      timeline_.Note("tenant %d is suspended", users_[tenant].tenant.value());
      observer_.OnSuspended(users_[tenant].tenant);
    }
    timeline_.After(for_us, [this, tenant] { Resume(tenant); });
  });
}

void Users::Resume(size_t tenant) {
  observer_.OnResumes(users_[tenant].tenant);
  UserRequest request;
  request.actor = operator_;
  request.event = SuspendTenant{tenants_[tenant], false};
  Call(request, [this](const absl::StatusOr<Outcome>&) {
    is_suspending_ = false;
    timeline_.After(timeline_.Between(10 * kSecond, 60 * kSecond), [this] { SuspendSomeTenant(); });
  });
}

void Users::ResumeAll() {
  for (size_t tenant = 0; tenant < tenants_.size() && !is_suspending_; ++tenant) {
    if (scheduler_.cluster().quota().FindTenant(users_[tenant].tenant)->suspended) {
      Resume(tenant);
    }
  }
}

}  // namespace berth::sim
