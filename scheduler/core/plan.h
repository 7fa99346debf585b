#ifndef BERTH_SCHEDULER_CORE_PLAN_H_
#define BERTH_SCHEDULER_CORE_PLAN_H_

// The result of one planning round: who starts where, and why the others do not.

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "scheduler/core/allocation.h"
#include "scheduler/core/ids.h"
#include "scheduler/core/job.h"
#include "scheduler/core/pending_reason.h"
#include "scheduler/core/reclaim_record.h"

namespace berth {

struct Placement {
  NodeId node;
  std::vector<DeviceShare> devices;
};

// Of all the members; a share counts as a device.
inline int64_t DevicesOf(const std::vector<Placement>& members) {
  int64_t devices = 0;
  for (const Placement& member : members) {
    devices += static_cast<int64_t>(member.devices.size());
  }
  return devices;
}

struct Start {
  JobId job;
  ClassId device_class;  // none: a job without devices
  Funding funding = Funding::kNone;
  std::vector<Placement> members;  // by rank
  // Owned gangs of its tenant that are borrowed from now on, to give it their room.
  std::vector<JobId> relabelled = {};
  // Of a claim: kept for it on each of its nodes, beside the devices.
  HostResources host = {};
};

// Devices are to be given back for a claim, and kept for it meanwhile (quota.md, A6).
struct Recall {
  Start claim;  // as it will start once all its devices are free
  Reclaim certificate;
};

// A job that nothing may delay: nobody gets its places beyond `shadow` (quota.md, "Order").
struct Anchor {
  JobId job;
  ClassId device_class;
  absl::Time shadow = absl::InfinitePast();  // it can start then at the latest, by the time limits
  std::vector<Placement> members;
  bool recalls_borrowed = false;  // an owned claim: it may have what is lent by then
};

struct Plan {
  std::vector<Start> starts;    // in the order decided
  std::vector<Recall> recalls;  // after the starts
  std::vector<Anchor> anchors;
  std::vector<JobId> lapsed;  // claims whose nomination is over without a start
  // Of the groups that could not (all) start, where it differs from what they have.
  std::vector<std::pair<GroupId, Blocker>> blockers;
  // When time alone could change the plan, for the classes that were looked at.
  absl::Time next_look = absl::InfiniteFuture();
  bool whole = true;  // those are all that somebody waits for
  // The next round may decide more as soon as this one is applied.
  bool again = false;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_PLAN_H_
