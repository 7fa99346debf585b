#ifndef BERTH_TESTS_TESTING_TEST_CLUSTER_H_
#define BERTH_TESTS_TESTING_TEST_CLUSTER_H_

// A cluster without an engine: nodes and running jobs put in place by hand, for tests of placement.

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "common/check.h"
#include "scheduler/core/cluster.h"
#include "scheduler/core/placement.h"

namespace berth {

class TestCluster {
 public:
  TestCluster() {
    for (const char* name : {"acme", "beta"}) {
      Tenant tenant;
      tenant.name = name;
      tenants_.push_back(cluster_.AddTenant(tenant));
      Project project;
      project.name = "default";
      project.tenant = tenants_.back();
      projects_.push_back(cluster_.AddProject(project));
    }
  }

  Cluster& cluster() { return cluster_; }
  const Cluster& cluster() const { return cluster_; }
  TenantId tenant(size_t which = 0) const { return tenants_.at(which); }
  absl::Time now() const { return absl::FromUnixSeconds(1000000); }
  ClassId Class(const std::string& name) { return cluster_.InternClass(name); }

  // `count` devices of a class, in rings of `ring` (0: one ring).
  std::vector<Device> Devices(const std::string& name, int count, int ring = 0) {
    std::vector<Device> devices;
    for (int index = 0; index < count; ++index) {
      Device device;
      device.index = index;
      device.device_class = Class(name);
      device.uuid = absl::StrCat("SIM-", index);
      device.ring = ring == 0 ? "" : absl::StrCat("ring-", index / ring);
      devices.push_back(device);
    }
    return devices;
  }
  NodeId AddNode(const std::string& name, NodeFacts facts, NodeState state = NodeState::kReady) {
    const NodeId id = cluster_.EnsureNode(name);
    cluster_.PutFacts(id, std::move(facts));
    cluster_.SetNodeState(id, NodeState::kJoined, "");
    cluster_.SetNodeState(id, NodeState::kReconciling, "");
    cluster_.SetNodeState(id, NodeState::kReady, "");
    if (state != NodeState::kReady) {
      cluster_.SetNodeState(id, state, "");
    }
    return id;
  }
  NodeId AddNode(const std::string& name, int devices = 8, TopologyPath topology = {}) {
    NodeFacts facts;
    facts.capacity = {64000, 256000};
    facts.devices = Devices("sim", devices);
    facts.topology = std::move(topology);
    return AddNode(name, std::move(facts));
  }

  GroupKey Key(GangShape gang, size_t tenant = 0) const {
    GroupKey key;
    key.tenant = tenants_.at(tenant);
    key.project = projects_.at(tenant);
    key.time_limit_ms = 3600 * 1000;
    key.gang = std::move(gang);
    return key;
  }
  PlaceRequest Request(const GroupKey& key, ClassId device_class,
                       Funding funding = Funding::kBorrowed) const {
    PlaceRequest request(key.gang, device_class);
    request.tenant = key.tenant;
    request.project = key.project;
    request.funding = funding;
    request.preemptible = key.preemptible;
    request.start = now();
    request.end = now() + absl::Milliseconds(key.time_limit_ms);
    request.suspect_nodes = &key.suspect_nodes;
    return request;
  }
  // A queued job like those of the group.
  JobId Submit(const GroupKey& key) {
    JobSpec spec;
    spec.tenant = key.tenant;
    spec.project = key.project;
    spec.gang = key.gang;
    spec.preemptible = key.preemptible;
    spec.time_limit = absl::Milliseconds(key.time_limit_ms);
    return cluster_.AddJob(spec, now());
  }
  // Starts a job where the placement finds room; none if it does not.
  JobId Start(const GroupKey& key, ClassId device_class, Funding funding = Funding::kBorrowed) {
    Blocker why;
    auto members = FreeView(cluster_).Place(Request(key, device_class, funding), why);
    return members.has_value() ? StartAt(key, device_class, *std::move(members), funding) : JobId();
  }
  JobId StartAt(const GroupKey& key, ClassId device_class, std::vector<Placement> members,
                Funding funding = Funding::kBorrowed) {
    const JobId job = Submit(key);
    cluster_.StartJob({job, device_class, funding, std::move(members)}, now());
    return job;
  }
  // All its devices come back and it is gone.
  void End(JobId job) {
    for (AllocationId id : std::vector<AllocationId>(cluster_.GetJob(job).allocations)) {
      cluster_.MoveAllocation(id, AllocationState::kSent);
      cluster_.ReleaseAllocation(id, ReleaseEvidence::kReported, now());
    }
    cluster_.MoveAttempt(job, AttemptState::kPreparing);
    cluster_.MoveJob(job, JobState::kStopping);
    cluster_.MoveAttempt(job, AttemptState::kStopping);
    cluster_.FinishJob(job, JobState::kSucceeded, now());
    cluster_.TakeChanges();
  }

 private:
  Cluster cluster_;
  std::vector<TenantId> tenants_;
  std::vector<ProjectId> projects_;
};

inline GangShape Gang(int nodes, int devices_per_node) {
  GangShape gang;
  gang.nodes = nodes;
  gang.devices_per_node = devices_per_node;
  return gang;
}

}  // namespace berth

#endif  // BERTH_TESTS_TESTING_TEST_CLUSTER_H_
