// The part of Reclaimer that knows what comes back whoever asks.

#include <algorithm>

#include "scheduler/core/reclaim.h"

namespace berth {

absl::Time Reclaimer::ExpectedFrom(absl::Time ends_by, absl::Duration grace) const {
  return ends_by - grace - policy_.kill_timeout;
}

bool Reclaimer::IsExpected(const Job& job) const {
  return job.state == JobState::kRunning && ExpectedFrom(job.ends_by, job.spec.grace) <= now_;
}

void Reclaimer::CountExpected() {
  if (counted_) {
    return;
  }
  counted_ = true;
  const absl::Time soon = now_ + cluster_.LongestGrace(device_class_) + policy_.kill_timeout;
  const EndIndex& ends = cluster_.EndsOf(device_class_);
  // Those that stop come first. What they still hold is being given back.
  for (auto end = ends.upper_bound({absl::InfinitePast(), JobId(UINT64_MAX)}); end != ends.end();
       ++end) {
    const auto& [ends_by, id] = end->first;
    const EndingJob& job = end->second;
    if (ends_by > soon) {
      next_look_ = std::min(next_look_, now_ + (ends_by - soon));
      break;
    }
    if (!job.running) {
      continue;
    }
    if (const absl::Time expected = ExpectedFrom(ends_by, job.grace); expected <= now_) {
      expected_.push_back(id);
      expected_devices_ += job.devices;
      expected_members_ += job.members;
    } else {
      next_look_ = std::min(next_look_, expected);
    }
  }
  const ReturningMembers& returning = cluster_.ReturningOf(device_class_);
  expected_devices_ += returning.devices;
  expected_members_ += static_cast<int64_t>(returning.allocations.size());
}

void Reclaimer::GiveExpected(const Job& job) {
  for (AllocationId id : job.allocations) {
    // Those that are being given back are expected as such.
    if (const Allocation& allocation = cluster_.GetAllocation(id); IsKept(allocation.state)) {
      base_->Give(allocation);
    }
  }
}

FreeView& Reclaimer::Base() {
  if (!base_.has_value()) {
    CountExpected();
    base_ = round_;
    for (JobId id : expected_) {
      GiveExpected(cluster_.GetJob(id));
    }
    for (AllocationId id : cluster_.ReturningOf(device_class_).allocations) {
      base_->Give(cluster_.GetAllocation(id));
    }
  }
  return *base_;
}

void Reclaimer::ExpectEndsBy(absl::Time time) {
  Base();
  failed_.clear();
  ForgetCandidates();
  for (const auto& [end, ending] : cluster_.EndsOf(device_class_)) {
    const auto& [ends_by, id] = end;
    if (ends_by > time) {
      break;
    }
    if (ending.running && ExpectedFrom(ends_by, ending.grace) > now_ && spent_.insert(id).second) {
      expected_members_ += ending.members;
      GiveExpected(cluster_.GetJob(id));
    }
  }
}

}  // namespace berth
