#ifndef BERTH_SIM_VIRTUAL_CENTER_H_
#define BERTH_SIM_VIRTUAL_CENTER_H_

// The real core with a center's nodes and tenants in it, and who may ask it for something. Its
// agents are whoever holds it: it only says in their name what happened. One thread.

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "scheduler/core/engine.h"
#include "sim/center.h"

namespace berth::sim {

class VirtualCenter {
 public:
  // `queue_max`: jobs that a tenant may have pending. Dies when the center is not possible (two
  // nodes of one name, entitlements beyond the devices).
  VirtualCenter(const SimCenter& center, int64_t queue_max, absl::Time now);

  Engine& engine() { return engine_; }
  const Engine& engine() const { return engine_; }
  int64_t capacity() const { return capacity_; }  // devices
  // Where the tenant stands in SimCenter::tenants.
  int NumberOf(TenantId tenant) const { return tenant_numbers_.at(tenant); }
  const std::map<TenantId, int>& tenant_numbers() const { return tenant_numbers_; }

  // An error of the core when it does not take the job.
  absl::StatusOr<JobId> Submit(const SimJob& job, absl::Time now);
  // The agent of that node says what became of a task.
  void Report(NodeId node, const TaskReport& report, absl::Time now);

 private:
  Outcome Must(const UserEvent& event, absl::Time now);
  void AddNode(const SimNode& node, absl::Time now);
  void AddTenant(const SimTenant& tenant, int64_t queue_max, absl::Time now);

  Engine engine_;
  Actor operator_;
  std::vector<Actor> users_;  // by tenant
  std::map<TenantId, int> tenant_numbers_;
  std::vector<SessionId> sessions_ = {SessionId()};  // by NodeId
  int64_t capacity_ = 0;
  int64_t submitted_ = 0;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_VIRTUAL_CENTER_H_
