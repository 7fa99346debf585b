#include "scheduler/core/quota_view.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace berth {
namespace {

// What must be kept free for an owner.
int64_t KeptOf(const QuotaLimits& limits, const QuotaUse& use) {
  return std::max<int64_t>(limits.non_lendable - use.used(), 0);
}
int64_t KeptOf(const QuotaView::Position& position) {
  return KeptOf(position.limits, position.use);
}

// How many nodes of `per_node` devices fit into `room` devices.
int64_t NodesIn(int64_t room, int64_t per_node, int nodes) {
  return room < 0 ? 0 : std::min<int64_t>(room / std::max<int64_t>(per_node, 1), nodes);
}

}  // namespace

QuotaView::ClassBook& QuotaView::Book(ClassId device_class) const {
  const auto [found, added] = books_.try_emplace(device_class);
  ClassBook& book = found->second;
  if (!added) {
    return book;
  }
  const auto& tenants = cluster_.quota().tenants();
  const size_t ids = tenants.empty() ? 1 : tenants.rbegin()->first.value() + 1;
  book.tenants.resize(ids);
  book.known.resize(ids);
  for (TenantId keeper : cluster_.quota().Keepers(device_class)) {
    const QuotaKey key{keeper, ProjectId(), device_class};
    book.kept += KeptOf(cluster_.quota().Limits(key), cluster_.quota().Use(key));
  }
  ShareOut(device_class, book);
  return book;
}

QuotaView::Position& QuotaView::PositionIn(ClassBook& book, TenantId tenant,
                                           ClassId device_class) const {
  Position& position = book.tenants.at(tenant.value());
  if (!book.known[tenant.value()]) {
    book.known[tenant.value()] = true;
    const QuotaKey key{tenant, ProjectId(), device_class};
    position.limits = cluster_.quota().Limits(key);
    position.use = cluster_.quota().Use(key);
    position.share = position.limits.entitlement;
  }
  return position;
}

// quota.md, "Edge cases": capacity below the sum of demanded E.
void QuotaView::ShareOut(ClassId device_class, ClassBook& book) const {
  const int64_t capacity = cluster_.UsableDevices(device_class);
  if (cluster_.quota().EntitlementSum(device_class) <= capacity) {
    return;
  }
  std::map<TenantId, int64_t> demands;
  int64_t sum = 0;
  for (const auto& [id, tenant] : cluster_.quota().tenants()) {
    const Position& position = PositionIn(book, id, device_class);
    const int64_t wanted =
        position.use.used() + cluster_.PendingDevices(id, ProjectId(), device_class);
    demands[id] = std::min(position.limits.entitlement, wanted);
    sum += demands[id];
  }
  if (sum <= capacity) {
    return;
  }
  std::vector<std::pair<int64_t, TenantId>> remainders;  // the largest first
  int64_t left = capacity;
  for (const auto& [id, demand] : demands) {
    const __int128 scaled = static_cast<__int128>(demand) * capacity;
    book.tenants[id.value()].share = static_cast<int64_t>(scaled / sum);
    left -= book.tenants[id.value()].share;
    remainders.emplace_back(-static_cast<int64_t>(scaled % sum), id);
  }
  std::sort(remainders.begin(), remainders.end());
  for (int64_t i = 0; i < left; ++i) {
    ++book.tenants[remainders[static_cast<size_t>(i)].second.value()].share;
  }
}

QuotaView::Position& QuotaView::MutablePosition(TenantId tenant, ClassId device_class) const {
  if (last_position_ == nullptr || last_key_ != std::pair(tenant, device_class)) {
    last_position_ = &PositionIn(Book(device_class), tenant, device_class);
    last_key_ = {tenant, device_class};
  }
  return *last_position_;
}

int64_t QuotaView::OwnedRoom(TenantId tenant, ClassId device_class) const {
  const Position& position = Of(tenant, device_class);
  const int64_t bound = std::min(position.limits.entitlement, position.share);
  return std::min(bound, position.limits.limit.value_or(bound)) - position.use.used();
}

const QuotaView::Position& QuotaView::Of(TenantId tenant, ClassId device_class) const {
  return MutablePosition(tenant, device_class);
}

QuotaUse QuotaView::ProjectUse(const QuotaKey& key) const {
  QuotaUse use = cluster_.quota().Use(key);
  if (const auto charge = project_charges_.find(key); charge != project_charges_.end()) {
    use.Add(charge->second, 1);
  }
  return use;
}

QuotaView::Bounds QuotaView::BoundsOf(const GroupKey& key, ClassId device_class,
                                      Phase phase) const {
  const Position& position = Of(key.tenant, device_class);
  const int64_t used = position.use.used();
  const int64_t entitlement = position.limits.entitlement;
  Bounds bounds;
  if (const std::optional<int64_t>& limit = position.limits.limit; limit.has_value()) {
    bounds.Add({ReasonCode::kTenantLimit, *limit - used, used, *limit});
  }
  const QuotaKey project_key{key.tenant, key.project, device_class};
  const auto limit = cluster_.quota().has_project_limits()
                         ? cluster_.quota().Limits(project_key).limit
                         : std::nullopt;
  if (limit.has_value()) {
    const int64_t project_used = ProjectUse(project_key).used();
    bounds.Add({ReasonCode::kProjectLimit, *limit - project_used, project_used, *limit});
  }
  if (!key.preemptible) {
    const int64_t taken = FirmlyOwned(key, device_class);
    bounds.Add({ReasonCode::kNonPreemptible, entitlement - taken, taken, entitlement});
  }
  if (phase == Phase::kOwned) {
    bounds.Add({ReasonCode::kBorrowing, entitlement - used, used, entitlement});
  } else if (key.preemptible && !key.may_borrow) {
    const int64_t taken = FirmlyOwned(key, device_class);
    bounds.Add({ReasonCode::kBorrowing, entitlement - taken, taken, entitlement});
  }
  if (phase == Phase::kOwned) {
    bounds.Add({ReasonCode::kShortfall, position.share - used, used,
                cluster_.quota().EntitlementSum(device_class)});
  }
  return bounds;
}

Blocker QuotaView::BlockerOf(const Bound& bound, const GroupKey& key, ClassId device_class) const {
  Blocker blocker{.code = bound.code,
                  .device_class = device_class,
                  .asked = key.gang.least_devices(),
                  .have = bound.have,
                  .bound = bound.bound};
  if (bound.code == ReasonCode::kShortfall) {
    blocker.asked = Of(key.tenant, device_class).share;
    blocker.other = cluster_.UsableDevices(device_class);
  }
  return blocker;
}

std::optional<Blocker> QuotaView::Admit(const GroupKey& key, ClassId device_class, Phase phase,
                                        Grant& grant) const {
  const GangShape& gang = key.gang;
  const int64_t per_node = gang.devices_per_node;
  int64_t nodes = gang.nodes;
  for (const Bound& bound : BoundsOf(key, device_class, phase)) {
    nodes = std::min(nodes, NodesIn(bound.room, per_node, gang.nodes));
    if (nodes < gang.least_nodes()) {
      return BlockerOf(bound, key, device_class);
    }
  }
  grant.nodes = static_cast<int>(nodes);
  Label(key, device_class, nodes * per_node, grant);
  return std::nullopt;
}

void QuotaView::Label(const GroupKey& key, ClassId device_class, int64_t devices,
                      Grant& grant) const {
  const Position& position = Of(key.tenant, device_class);
  const int64_t entitlement = position.limits.entitlement;
  const bool owned = key.must_own() || position.use.owned + devices <= entitlement;
  grant.owned_claim = position.use.used() + devices <= entitlement;
  grant.funding = owned ? Funding::kOwned : Funding::kBorrowed;
}

const std::vector<QuotaView::Yielding>& QuotaView::YieldingTo(const GroupKey& key,
                                                              ClassId device_class) const {
  const auto [found, added] = yielding_.try_emplace({key.tenant, device_class, key.priority});
  if (added) {
    for (JobId id : cluster_.YieldingLabels(key.tenant, device_class, key.priority)) {
      if (!relabelled_.contains(id)) {
        found->second.push_back({id, cluster_.HeldDevices(cluster_.GetJob(id))});
      }
    }
  }
  return found->second;
}

int64_t QuotaView::FirmlyOwned(const GroupKey& key, ClassId device_class) const {
  const Position& position = Of(key.tenant, device_class);
  int64_t owned = position.use.owned;
  if (owned + key.gang.devices() > position.limits.entitlement) {
    for (const Yielding& yielding : YieldingTo(key, device_class)) {
      owned -= yielding.devices;
    }
  }
  return std::max(owned, position.use.non_preemptible);
}

std::vector<Blocker> QuotaView::Objections(const GroupKey& key, ClassId device_class,
                                           Phase phase) const {
  std::vector<Blocker> objections;
  for (const Bound& bound : BoundsOf(key, device_class, phase)) {
    const int64_t nodes = NodesIn(bound.room, key.gang.devices_per_node, key.gang.nodes);
    if (nodes < key.gang.least_nodes()) {
      objections.push_back(BlockerOf(bound, key, device_class));
    }
  }
  return objections;
}

int QuotaView::NodesBesides(const GroupKey& key, ClassId device_class, Phase phase) const {
  int64_t nodes = key.gang.nodes;
  for (const Bound& bound : BoundsOf(key, device_class, phase)) {
    const int64_t left = NodesIn(bound.room, key.gang.devices_per_node, key.gang.nodes);
    nodes = left < key.gang.least_nodes() ? nodes : std::min(nodes, left);
  }
  return static_cast<int>(nodes);
}

std::optional<Blocker> QuotaView::CheckLendable(TenantId tenant, ClassId device_class,
                                                int64_t devices, int64_t free) const {
  const ClassBook& book = Book(device_class);
  const int64_t kept = book.kept - KeptOf(Of(tenant, device_class));
  if (kept == 0 || free - kept >= devices) {
    return std::nullopt;
  }
  return Blocker{.code = ReasonCode::kNonLendable,
                 .device_class = device_class,
                 .asked = devices,
                 .have = free,
                 .bound = kept};
}

bool QuotaView::LendsThen(const Returns& returns, TenantId tenant, ClassId device_class,
                          int64_t devices, int64_t free) const {
  ClassBook& book = Book(device_class);
  int64_t kept = book.kept;
  const auto after = [this, &book, &kept, device_class](TenantId who, int64_t returned) {
    Position position = PositionIn(book, who, device_class);
    kept -= KeptOf(position);
    position.use.borrowed -= returned;
    kept += KeptOf(position);
    return position;
  };
  for (const auto& [other, returned] : returns) {
    if (other != tenant) {
      after(other, returned);
    }
  }
  const auto own = returns.find(tenant);
  const Position position = after(tenant, own == returns.end() ? 0 : own->second);
  kept -= KeptOf(position);
  return kept == 0 || free - kept >= devices ||
         position.use.used() + devices <= position.limits.entitlement;
}

void QuotaView::Add(const QuotaKey& key, const QuotaUse& use, int64_t sign) {
  ClassBook& book = Book(key.device_class);
  Position& position = PositionIn(book, key.tenant, key.device_class);
  book.kept -= KeptOf(position);
  position.use.Add(use, sign);
  project_charges_[key].Add(use, sign);
  book.kept += KeptOf(position);
}

std::vector<JobId> QuotaView::TakeLabels(const GroupKey& key, ClassId device_class,
                                         int64_t devices) {
  const Position& position = Of(key.tenant, device_class);
  const auto is_over = [&] { return position.use.owned + devices > position.limits.entitlement; };
  std::vector<JobId> relabelled;
  if (!key.must_own() || !is_over()) {
    return relabelled;
  }
  for (const auto& [id, held] : YieldingTo(key, device_class)) {
    if (!is_over()) {
      break;
    }
    Add({key.tenant, cluster_.GetJob(id).spec.project, device_class},
        {.owned = held, .borrowed = -held}, -1);
    relabelled.push_back(id);
  }
  relabelled_.insert(relabelled.begin(), relabelled.end());
  yielding_.clear();
  return relabelled;
}

void QuotaView::Charge(const GroupKey& key, ClassId device_class, int64_t devices,
                       Funding funding) {
  Add({key.tenant, key.project, device_class}, QuotaUse::Of(devices, funding, key.preemptible), 1);
}

void QuotaView::ChargeWaiting() {
  for (const auto& [key, use] : cluster_.waiting_claims().uses()) {
    Add(key, use, 1);
  }
}

void QuotaView::Uncharge(const Job& job, int64_t devices) {
  Add({job.spec.tenant, job.spec.project, job.attempt.device_class},
      QuotaUse::Of(devices, job.attempt.funding, job.spec.preemptible), -1);
}

}  // namespace berth
