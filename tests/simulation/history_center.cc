// The part of SchedulingHistory that makes a center.

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/check.h"
#include "scheduler/core/admission.h"
#include "scheduler/core/center_requests.h"
#include "scheduler/core/job_progress.h"
#include "scheduler/core/job_requests.h"
#include "scheduler/core/quota_requests.h"
#include "tests/simulation/scheduling_history.h"

namespace berth {

void SchedulingHistory::BuildNodes() {
  const int kinds = kinds_.blocks ? 1 : 1 + Pick(3) / (1 + Pick(2));
  for (int i = 0; i < kinds; ++i) {
    classes_.push_back(cluster_.InternClass(absl::StrCat("class-", i)));
  }
  // Blocks of one level have the same size: what the rule is exact for.
  const int per_rack = 1 + Pick(2);
  const int per_block = per_rack * (1 + Pick(2));
  const int count = kinds_.blocks ? per_block * (1 + Pick(6 / per_block)) : 1 + Pick(6);
  // Nodes of one device are the centers where only quantity counts.
  devices_max_ = Chance(25) ? 1 : 1 + Pick(8);
  for (int i = 0; i < count; ++i) {
    const NodeId id = cluster_.EnsureNode(absl::StrCat("n", i));
    NodeFacts facts;
    facts.address = "127.0.0.1";
    facts.capacity = {64000, 256000};
    const ClassId device_class = classes_[static_cast<size_t>(i) % classes_.size()];
    const bool full = kinds_.blocks || Chance(80);
    const int devices = full ? devices_max_ : 1 + Pick(devices_max_);
    facts.topology = {"p", absl::StrCat("b", i / per_block), absl::StrCat("r", i / per_rack)};
    for (int index = 0; index < devices; ++index) {
      Device device;
      device.index = index;
      device.device_class = device_class;
      device.uuid = absl::StrCat("SIM-", i, "-", index);
      device.ring = index < devices / 2 ? "a" : "b";
      facts.devices.push_back(device);
    }
    cluster_.PutFacts(id, std::move(facts));
    for (const NodeState state : {NodeState::kJoined, NodeState::kReconciling, NodeState::kReady}) {
      cluster_.SetNodeState(id, state, "");
    }
    cluster_.TouchNode(id, [this](Node& node) {
      node.session = SessionId(1);
      node.silent_since = now_;
    });
    nodes_.push_back(id);
  }
}

void SchedulingHistory::BuildTenants() {
  static constexpr std::array<QueuePreset, 10> kPresets = {
      QueuePreset::kEasy,     QueuePreset::kEasy,   QueuePreset::kEasy, QueuePreset::kEasy,
      QueuePreset::kEasy,     QueuePreset::kEasy,   QueuePreset::kEasy, QueuePreset::kFifo,
      QueuePreset::kTraverse, QueuePreset::kStepped};
  const int count = 2 + Pick(4);
  for (int i = 0; i < count; ++i) {
    Tenant tenant;
    tenant.name = absl::StrCat("tenant-", i);
    tenant.queue_preset = kPresets.at(static_cast<size_t>(Pick(10)));
    const TenantId id = cluster_.AddTenant(tenant);
    tenants_.push_back(id);
    for (const char* name : {"default", "other"}) {
      Project project;
      project.tenant = id;
      project.name = name;
      projects_[id].push_back(cluster_.AddProject(project));
    }
    User user;
    user.name = absl::StrCat("user-", i);
    user.tenant = id;
    users_[id] = cluster_.AddUser(user);
  }
  for (ClassId device_class : classes_) {
    SetRandomQuotas(device_class);
  }
}

// Entitlements that the class can keep.
void SchedulingHistory::SetRandomQuotas(ClassId device_class) {
  int64_t left = cluster_.KnownDevices(device_class);
  for (TenantId tenant : tenants_) {
    QuotaLimits limits;
    limits.entitlement = Chance(75) ? Pick(static_cast<int>(left) + 1) : 0;
    left -= limits.entitlement;
    if (Chance(40)) {
      limits.limit = limits.entitlement + Pick(8);
    }
    if (Chance(30)) {
      limits.non_lendable = Pick(static_cast<int>(limits.entitlement) + 1);
    }
    if (Chance(30)) {
      limits.weight = 1 + Pick(5);
    }
    if (kinds_.blocks && Chance(60)) {
      OweBlocks(limits);
    }
    PutQuota(tenant, device_class, limits);
    if (Chance(20)) {
      cluster_.PutLimits({tenant, projects_[tenant].back(), device_class}, {.limit = Pick(6)});
    }
  }
}

// A part of the entitlement in whole racks, blocks or nodes.
void SchedulingHistory::OweBlocks(QuotaLimits& limits) {
  static constexpr std::array<TopologyLevel, 3> kLevels = {
      TopologyLevel::kNone, TopologyLevel::kRack, TopologyLevel::kBlock};
  limits.block_level = kLevels.at(static_cast<size_t>(Pick(2) + (block_levels_ % 2)));
  const Topology& topology = cluster_.free_index().topology();
  const int64_t nodes =
      limits.block_level == TopologyLevel::kNone
          ? 1
          : topology.Domains(limits.block_level)
                .at(static_cast<size_t>(topology.DomainOf(limits.block_level, nodes_.front())))
                .size();
  limits.block_count =
      std::min(1 + Pick(2), static_cast<int>(limits.entitlement / (nodes * devices_max_)));
}

void SchedulingHistory::PutQuota(TenantId tenant, ClassId device_class, const QuotaLimits& limits) {
  SetQuota request;
  request.tenant = cluster_.quota().FindTenant(tenant)->name;
  request.device_class = cluster_.ClassName(device_class);
  request.limits = limits;
  HandleRequest(MakeStep(), operator_, request).IgnoreError();
  Disturb();
}

}  // namespace berth
