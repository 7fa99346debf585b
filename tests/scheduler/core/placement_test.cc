// Placement against a naive reference on random small clusters, and its order of preference.

#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "scheduler/core/invariants.h"
#include "tests/testing/test_cluster.h"

namespace berth {
namespace {

// What a naive reader of the nouns says is free, leaving some allocations out.
class NaiveCluster {
 public:
  NaiveCluster(const Cluster& cluster, const std::set<AllocationId>& given) : cluster_(cluster) {
    for (const auto& [id, allocation] : cluster.allocations()) {
      if (allocation.state == AllocationState::kReleased || given.contains(id)) {
        continue;
      }
      host_[allocation.node] += allocation.host;
      for (const DeviceShare& share : allocation.devices) {
        taken_.insert({allocation.node, share.index});
      }
    }
    for (const auto& [claim, start] : cluster.nominations()) {
      for (const Placement& member : start.members) {
        host_[member.node] += start.host;
        for (const DeviceShare& share : member.devices) {
          taken_.insert({member.node, share.index});
        }
      }
    }
  }

  std::set<int> FreeDevices(const Node& node, ClassId device_class) const {
    std::set<int> free;
    for (const Device& device : node.facts.devices) {
      if (device.device_class == device_class && device.health != DeviceHealth::kQuarantined &&
          !taken_.contains({node.id, device.index})) {
        free.insert(device.index);
      }
    }
    return free;
  }

  bool Suits(const PlaceRequest& request, const Node& node) const {
    HostResources need = request.gang.per_node;
    if (const auto used = host_.find(node.id); used != host_.end()) {
      need += used->second;
    }
    for (const auto& [id, booking] : cluster_.bookings()) {
      if (std::count(booking.nodes.begin(), booking.nodes.end(), node.id) > 0 &&
          booking.Excludes(request.tenant, request.start, request.end)) {
        return false;
      }
    }
    for (const auto& [key, value] : request.gang.node_labels) {
      if (!node.facts.labels.contains(key) || node.facts.labels.at(key) != value) {
        return false;
      }
    }
    const auto lists = [](const auto& list, const auto& entry) {
      return std::count(list.begin(), list.end(), entry) > 0;
    };
    return node.state == NodeState::kReady && need.Fits(node.facts.capacity) &&
           !lists(request.gang.excluded_nodes, node.name) && !lists(request.suspects(), node.id) &&
           (!request.device_class ||
            (static_cast<int>(FreeDevices(node, request.device_class).size()) >=
                 request.gang.devices_per_node &&
             RingSuits(request, node)));
  }

  // A member that fits a ring by its size stays inside one; a larger one may span them, unless a
  // ring is required.
  bool RingSuits(const PlaceRequest& request, const Node& node) const {
    const std::set<int> free = FreeDevices(node, request.device_class);
    std::map<std::string, int> usable;
    std::map<std::string, int> open;
    for (const Device& device : node.facts.devices) {
      if (device.device_class == request.device_class &&
          device.health != DeviceHealth::kQuarantined) {
        ++usable[device.ring];
        open[device.ring] += free.contains(device.index) ? 1 : 0;
      }
    }
    const auto holds = [&request](const auto& rings) {
      return std::any_of(rings.begin(), rings.end(), [&request](const auto& ring) {
        return ring.second >= request.gang.devices_per_node;
      });
    };
    const bool must =
        request.gang.topology == TopologyLevel::kRing && request.gang.topology_required;
    return holds(open) || (!holds(usable) && !must) || request.gang.devices_per_node <= 1;
  }

  int SuitableNodes(const PlaceRequest& request) const {
    int nodes = 0;
    for (const auto& [id, node] : cluster_.nodes()) {
      nodes += Suits(request, node) ? 1 : 0;
    }
    return nodes;
  }

  // The most suitable nodes that a gang may take: all, or those of one domain.
  int SuitableTogether(const PlaceRequest& request) const {
    const TopologyLevel level = request.gang.topology;
    if (!request.gang.topology_required || level < TopologyLevel::kRack) {
      return SuitableNodes(request);
    }
    std::map<std::string, int> domains;
    int most = 0;
    for (const auto& [id, node] : cluster_.nodes()) {
      const TopologyPath& path = node.facts.topology;
      const std::string& own = level == TopologyLevel::kRack    ? path.rack
                               : level == TopologyLevel::kBlock ? path.block
                                                                : path.pod;
      std::string name = path.pod;
      name += level <= TopologyLevel::kBlock ? "/" + path.block : "";
      name += level == TopologyLevel::kRack ? "/" + path.rack : "";
      if (Suits(request, node)) {
        most = std::max(most, ++domains[own.empty() ? "alone " + node.name : name]);
      }
    }
    return most;
  }

 private:
  const Cluster& cluster_;
  std::map<NodeId, HostResources> host_;
  std::set<std::pair<NodeId, int>> taken_;
};

class RandomCluster {
 public:
  explicit RandomCluster(uint64_t seed) : random_(seed) {
    const int nodes = 1 + Pick(7);
    for (int i = 0; i < nodes; ++i) {
      AddNode(i);
    }
    for (int i = Pick(12); i > 0; --i) {
      const GroupKey key = RandomKey();
      const ClassId device_class = RandomClass(key);
      const JobId job = world_.Start(key, device_class);
      if (job && Pick(3) == 0) {
        world_.End(job);
      }
    }
    if (Pick(3) == 0) {
      Book();
    }
    if (Pick(3) == 0) {
      Nominate();
    }
  }

  void CheckRequest() {
    const GroupKey key = RandomKey();
    PlaceRequest request = world_.Request(key, RandomClass(key));
    request.fixed = Pick(2) == 0;
    std::set<AllocationId> given;
    FreeView view(world_.cluster());
    for (const auto& [id, allocation] : world_.cluster().allocations()) {
      if (allocation.state != AllocationState::kReleased && Pick(4) == 0) {
        given.insert(id);
        view.Give(allocation);
      }
    }
    const NaiveCluster naive(world_.cluster(), given);
    const int suitable = naive.SuitableTogether(request);
    Blocker why;
    const auto members = view.Place(request, why);
    ASSERT_EQ(members.has_value(), suitable >= request.least_nodes());
    ASSERT_EQ(view.CanPlace(request), members.has_value());
    ASSERT_EQ(view.Explain(request).code == ReasonCode::kNone, members.has_value());
    CheckPartition(view, request, naive.SuitableNodes(request));
    if (!members.has_value()) {
      ASSERT_NE(why.code, ReasonCode::kNone);
      return;
    }
    ASSERT_EQ(static_cast<int>(members->size()), std::min(suitable, request.nodes));
    CheckMembers(naive, request, *members);
    CheckTaken(view, request, *members);
  }

  const Cluster& cluster() const { return world_.cluster(); }

 private:
  int Pick(int bound) { return static_cast<int>(random_() % static_cast<uint64_t>(bound)); }

  void AddNode(int number) {
    NodeFacts facts;
    facts.capacity = {1000 * (1 + Pick(16)), 1024 * (1 + Pick(64))};
    facts.devices = world_.Devices("sim", Pick(7), Pick(4));
    for (Device& device : facts.devices) {
      if (Pick(4) == 0) {
        device.device_class = world_.Class("other");
      }
      if (Pick(8) == 0) {
        device.health = DeviceHealth::kQuarantined;
      }
      device.index += Pick(2) == 0 ? 0 : 3;
    }
    std::map<int, Device> by_index;
    for (const Device& device : facts.devices) {
      by_index[device.index] = device;
    }
    facts.devices.clear();
    for (const auto& [index, device] : by_index) {
      facts.devices.push_back(device);
    }
    facts.topology = {Pick(4) == 0 ? "q" : "p", Pick(4) == 0 ? "" : absl::StrCat("b", Pick(2)),
                      Pick(4) == 0 ? "" : absl::StrCat("r", Pick(2))};
    facts.labels["zone"] = Pick(2) == 0 ? "a" : "b";
    world_.AddNode(absl::StrCat("n", number), std::move(facts),
                   Pick(8) == 0 ? NodeState::kSuspect : NodeState::kReady);
  }

  GroupKey RandomKey() {
    GangShape gang;
    gang.nodes = 1 + Pick(4);
    gang.min_nodes = Pick(3) == 0 ? 1 : 0;
    gang.devices_per_node = Pick(5);
    gang.topology = Pick(2) == 0 ? TopologyLevel::kNone : static_cast<TopologyLevel>(Pick(5));
    gang.topology_required = Pick(2) == 0;
    if (Pick(2) == 0) {
      gang.per_node = {1000 * Pick(8), 1024 * Pick(16)};
    }
    if (Pick(4) == 0) {
      gang.node_labels["zone"] = "a";
    }
    if (Pick(4) == 0) {
      gang.excluded_nodes.push_back("n1");
    }
    GroupKey key = world_.Key(gang, static_cast<size_t>(Pick(2)));
    if (Pick(5) == 0) {
      key.suspect_nodes.push_back(NodeId(1));
    }
    return key;
  }
  ClassId RandomClass(const GroupKey& key) {
    return key.gang.devices_per_node == 0 ? ClassId() : world_.Class(Pick(3) ? "sim" : "other");
  }

  void Book() {
    const std::map<BookingId, Booking> before = world_.cluster().bookings();
    for (const auto& [id, earlier] : before) {
      world_.cluster().EndBooking(id, world_.now());
    }
    Booking booking;
    booking.kind = BookingKind::kReservation;
    booking.tenant = Pick(2) == 0 ? world_.tenant(0) : TenantId();
    for (const NodeId node : {NodeId(1), NodeId(2)}) {
      if (world_.cluster().FindNode(node) != nullptr) {
        booking.nodes.push_back(node);
      }
    }
    booking.from = world_.now() + absl::Minutes(30 * Pick(4));
    booking.to = booking.from + absl::Hours(1);
    world_.cluster().AddBooking(booking, world_.now());
  }
  void Nominate() {
    const GroupKey key = RandomKey();
    const ClassId device_class = RandomClass(key);
    Blocker why;
    auto members = FreeView(world_.cluster()).Place(world_.Request(key, device_class), why);
    if (members.has_value()) {
      Start claim{world_.Submit(key), device_class, Funding::kOwned, *std::move(members)};
      claim.host = key.gang.per_node;
      world_.cluster().Nominate(claim, {});
    }
  }

  void CheckMembers(const NaiveCluster& naive, const PlaceRequest& request,
                    const std::vector<Placement>& members) {
    std::set<NodeId> nodes;
    for (const Placement& member : members) {
      const Node& node = world_.cluster().GetNode(member.node);
      nodes.insert(member.node);
      ASSERT_TRUE(naive.Suits(request, node));
      const std::set<int> free = naive.FreeDevices(node, request.device_class);
      std::set<int> given;
      for (const DeviceShare& share : member.devices) {
        given.insert(share.index);
        ASSERT_TRUE(free.contains(share.index));
        ASSERT_EQ(share.milli, kWholeDeviceMilli);
      }
      ASSERT_EQ(static_cast<int>(given.size()),
                request.device_class ? request.gang.devices_per_node : 0);
    }
    ASSERT_EQ(nodes.size(), members.size());
  }

  // A fork sees what it takes, its origin does not.
  void CheckTaken(const FreeView& view, const PlaceRequest& request,
                  const std::vector<Placement>& members) {
    const int64_t before = view.FreeCount(request.device_class);
    FreeView fork = view;
    fork.Take(request, members);
    int64_t devices = 0;
    for (const Placement& member : members) {
      devices += static_cast<int64_t>(member.devices.size());
    }
    ASSERT_EQ(fork.FreeCount(request.device_class), before - devices);
    ASSERT_EQ(view.FreeCount(request.device_class), before);
    ASSERT_TRUE(view.AreUnallocated(members));
    ASSERT_EQ(fork.AreUnallocated(members), devices == 0);
  }

  void CheckPartition(const FreeView& view, const PlaceRequest& request, int suitable) {
    size_t nodes = 0;
    const auto parts = view.Partition(request);
    for (const auto& [verdict, members] : parts) {
      nodes += members.size();
    }
    ASSERT_EQ(nodes, world_.cluster().nodes().size());
    const auto free = parts.find(NodeVerdict::kFree);
    const size_t listed = free == parts.end() ? 0 : free->second.size();
    ASSERT_EQ(listed, static_cast<size_t>(suitable));
  }

  std::mt19937_64 random_;
  TestCluster world_;
};

TEST(Placement, IsFoundWheneverTheNaiveSearchFindsOne) {
  const char* chosen = std::getenv("BERTH_TEST_SEED");
  const uint64_t first = chosen == nullptr ? 1 : std::strtoull(chosen, nullptr, 10);
  for (uint64_t seed = first; seed < first + (chosen == nullptr ? 3000 : 1); ++seed) {
    SCOPED_TRACE(absl::StrCat("BERTH_TEST_SEED=", seed));
    RandomCluster random(seed);
    const absl::Status status = CheckInvariants(random.cluster());
    ASSERT_TRUE(status.ok()) << status;
    for (int i = 0; i < 5; ++i) {
      ASSERT_NO_FATAL_FAILURE(random.CheckRequest());
    }
  }
}

TEST(Placement, FillsBrokenNodesBeforeWholeOnes) {
  TestCluster world;
  const ClassId sim = world.Class("sim");
  for (const char* name : {"a", "b", "c"}) {
    world.AddNode(name);
  }
  const GroupKey two = world.Key(Gang(1, 2));
  const NodeId first =
      world.cluster().GetAllocation(AllocationId(world.Start(two, sim) ? 1 : 0)).node;

  Blocker why;
  const auto next = FreeView(world.cluster()).Place(world.Request(two, sim), why);

  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->front().node, first);
}

TEST(Placement, KeepsTheDevicesOfAMemberInOneRing) {
  TestCluster world;
  const ClassId sim = world.Class("sim");
  NodeFacts facts;
  facts.devices = world.Devices("sim", 8, 4);
  world.AddNode("a", facts);
  world.Start(world.Key(Gang(1, 1)), sim);

  Blocker why;
  const auto four = FreeView(world.cluster()).Place(world.Request(world.Key(Gang(1, 4)), sim), why);

  ASSERT_TRUE(four.has_value());
  EXPECT_EQ(four->front().devices.front().index, 4);
  EXPECT_EQ(four->front().devices.back().index, 7);
}

TEST(Placement, LeavesOutNominatedDevicesUntilTheyAreGivenBack) {
  TestCluster world;
  const ClassId sim = world.Class("sim");
  world.AddNode("a", 2);
  const GroupKey one = world.Key(Gang(1, 2));
  Blocker why;
  const auto members = FreeView(world.cluster()).Place(world.Request(one, sim), why);
  const Start claim{world.Submit(one), sim, Funding::kOwned, *members};
  world.cluster().Nominate(claim, {});

  FreeView view(world.cluster());
  EXPECT_FALSE(view.CanPlace(world.Request(one, sim)));
  EXPECT_TRUE(view.AreUnallocated(*members));
  view.Give(claim);
  EXPECT_TRUE(view.CanPlace(world.Request(one, sim)));
  view.Keep(claim);
  EXPECT_FALSE(view.CanPlace(world.Request(one, sim)));
}

// Rule: what comes back with the devices is the claim's first.
TEST(Placement, LeavesOutWhatAClaimWillTakeOfAHostBeyondWhatComesBackWithItsDevices) {
  TestCluster world;
  const ClassId sim = world.Class("sim");
  const NodeId node = world.AddNode("a", 4);  // 64 cores
  GangShape shape = Gang(1, 2);
  shape.per_node = {20000, 0};
  const JobId lent = world.Start(world.Key(shape), sim);
  const auto& held = world.cluster().GetAllocation(world.cluster().GetJob(lent).allocations[0]);
  const Start claim{
      .job = world.Submit(world.Key(Gang(1, 2))),
      .device_class = sim,
      .funding = Funding::kOwned,
      .members = {{node, held.devices}},
      .host = { 50000,                   0}
  };
  world.cluster().Nominate(claim, {});

  FreeView view(world.cluster());
  EXPECT_TRUE(view.HostFits({14000, 0}, node));
  EXPECT_FALSE(view.HostFits({14001, 0}, node));
  EXPECT_TRUE(view.HostFits({0, 1000}, node));
  view.Give(held);
  EXPECT_TRUE(view.HostFits({14000, 0}, node));
  EXPECT_FALSE(view.HostFits({14001, 0}, node));
  view.GiveHosts(claim);
  EXPECT_TRUE(view.HostFits({64000, 0}, node));
  world.cluster().SetNodeState(node, NodeState::kDraining, "");
  EXPECT_FALSE(FreeView(world.cluster()).HostFits({14001, 0}, node));
  world.cluster().DropNomination(claim.job, world.now());
  EXPECT_TRUE(FreeView(world.cluster()).HostFits({44000, 0}, node));
}

struct ReasonCase {
  const char* name;
  ReasonCode code;
  int64_t have;
  int64_t bound;
  GangShape gang;
};

TEST(Placement, GivesTheFirstReasonWithItsNumbers) {
  TestCluster world;
  const ClassId sim = world.Class("sim");
  for (const char* name : {"a", "b", "c"}) {
    world.AddNode(name, 4);
  }
  world.Start(world.Key(Gang(1, 1)), sim);
  GangShape labelled = Gang(1, 1);
  labelled.node_labels["zone"] = "a";
  GangShape hungry = Gang(2, 4);
  hungry.per_node.cpu_milli = 100000;
  const ReasonCase cases[] = {
      {"too many nodes", ReasonCode::kNoNodes, 3,                 0,                   Gang(4,                                     1)},
      {"too many devices",                ReasonCode::kNoNodes,                   0, 0, Gang(1,                                          5)},
      {"labels",              ReasonCode::kNoNodes,                                  0,                                            0,                              labelled},
      {"no whole places",        ReasonCode::kDevicesBusy,                            11,                             12,Gang(3,     4)},
      {"host resources",          ReasonCode::kHostResources,                            0,                                             0,                                                              hungry                                                                },
  };
  for (const ReasonCase& test : cases) {
    const GroupKey key = world.Key(test.gang);
    Blocker why;
    EXPECT_FALSE(FreeView(world.cluster()).Place(world.Request(key, sim), why)) << test.name;
    EXPECT_EQ(why.code, test.code) << test.name;
    EXPECT_EQ(why.have, test.have) << test.name;
    EXPECT_EQ(why.bound, test.bound) << test.name;
  }
  world.Start(world.Key(Gang(2, 2)), sim);
  Blocker why;
  EXPECT_FALSE(FreeView(world.cluster()).Place(world.Request(world.Key(Gang(2, 3)), sim), why));
  EXPECT_EQ(why.code, ReasonCode::kFragmentation);
}

}  // namespace
}  // namespace berth
