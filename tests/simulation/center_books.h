#ifndef BERTH_TESTS_SIMULATION_CENTER_BOOKS_H_
#define BERTH_TESTS_SIMULATION_CENTER_BOOKS_H_

// What a center holds, counted again from its nodes, jobs and allocations alone: none of the
// cluster's indexes, the quota tree's sums or the planner's views is believed. For small centers.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "scheduler/core/cluster.h"

namespace berth {

class CenterBooks {
 public:
  struct Use {
    int64_t owned = 0;
    int64_t borrowed = 0;
    int64_t non_preemptible = 0;
    int64_t used() const { return owned + borrowed; }
  };
  struct DeviceState {
    ClassId device_class;
    bool usable = false;
    bool nominated = false;
    std::string ring = {};
    int milli = 0;        // given out
    JobId sharer = {};    // of the jobs that share it, one
    TenantId owner = {};  // who holds it with an owned label
    bool held() const { return milli > 0; }
    bool free() const { return usable && milli == 0 && !nominated; }
  };
  using Devices = std::map<int, DeviceState>;  // by index

  explicit CenterBooks(const Cluster& cluster);

  Use UseOf(TenantId tenant, ClassId device_class) const;
  int64_t ProjectUse(ProjectId project, ClassId device_class) const;
  // Of the cluster's nominations.
  int64_t ProjectClaims(ProjectId project, ClassId device_class) const;
  const DeviceState* FindDevice(NodeId node, int index) const;
  int64_t FreeDevices(ClassId device_class) const;
  int64_t UsableDevices(ClassId device_class) const;
  // Of those that these members would hold, how many nobody holds yet: a device of which shares are
  // given out counts once.
  int64_t NewDevices(const std::vector<Placement>& members) const;
  const std::map<NodeId, Devices>& devices() const { return devices_; }
  // Of processors and memory.
  bool HasHost(NodeId node, const HostResources& asked) const;
  // Of one tenant's claims, whose devices are not all there yet.
  int64_t NominatedFor(TenantId tenant, ClassId device_class) const;

  void Start(const Job& job, const berth::Start& start);
  // Its owned devices are borrowed from now on. Returns how many.
  int64_t TakeLabel(const Job& job);
  void Nominate(const Job& job, const berth::Start& claim);
  // The cluster's claims will take processors and memory of their nodes, too.
  void KeepHosts();
  void KeepHosts(const std::map<NodeId, HostResources>& claimed);
  // Nothing is kept for the job any more.
  void Lapse(JobId claim);
  void Give(const Allocation& allocation);
  void Give(const Job& job);
  // Whether at least so many nodes have room for a member: in one ring of the node's, if any of its
  // rings is large enough. In one domain, if the gang must be; not on those nodes.
  bool Fits(const GangShape& gang, ClassId device_class, int nodes,
            const std::set<NodeId>& closed) const;

 private:
  void Hold(const Job& job, Funding funding, const Placement& member);
  static bool HasRoom(const Devices& devices, ClassId device_class, int count);

  const Cluster& cluster_;
  std::map<NodeId, Devices> devices_;
  std::map<NodeId, HostResources> hosts_;  // what is free
  std::map<std::pair<TenantId, ClassId>, Use> uses_;
  std::map<std::pair<ProjectId, ClassId>, int64_t> project_uses_;
  std::map<std::pair<TenantId, ClassId>, int64_t> nominated_;
  std::map<std::pair<ProjectId, ClassId>, int64_t> project_claims_;
};

// In which of the center's parts of this size the node is.
std::string DomainOf(TopologyLevel level, const Node& node);
// Devices that the members of a gang would hold.
int64_t CountDevices(const std::vector<Placement>& members);
// Whether anybody is owed blocks of the class: rule T1 may hold any owned job back.
bool OwesBlocks(const Cluster& cluster, ClassId device_class);
// Whether the node has the labels that the gang asks for, and is not left out by its name.
bool Suits(const GangShape& gang, const Node& node);
// Where the job may not start: suspect and unsuitable nodes, and those booked for others while it
// might run.
std::set<NodeId> ClosedTo(const Cluster& cluster, const Job& job, absl::Time now);
// Seconds of work that a stop now would lose.
int64_t LostSeconds(const Job& job, absl::Time now);

}  // namespace berth

#endif  // BERTH_TESTS_SIMULATION_CENTER_BOOKS_H_
