#include "scheduler/core/cluster.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace berth {
namespace {

template <typename Map, typename Key>
auto* FindValue(Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

template <typename Id, typename Map>
Id NextId(const Map& map) {
  return map.empty() ? Id(1) : Id(map.rbegin()->first.value() + 1);
}

}  // namespace

const User* Cluster::FindUser(UserId id) const {
  return FindValue(users_, id);
}
const Token* Cluster::FindToken(absl::string_view id) const {
  return FindValue(tokens_, std::string(id));
}

const Node* Cluster::FindNodeByName(absl::string_view name) const {
  const auto* id = FindValue(node_names_, std::string(name));
  return id == nullptr ? nullptr : FindNode(*id);
}

std::optional<ClassId> Cluster::FindClass(absl::string_view name) const {
  const auto* id = FindValue(class_ids_, std::string(name));
  return id == nullptr ? std::nullopt : std::optional<ClassId>(*id);
}

const std::string& Cluster::ClassName(ClassId id) const {
  static const std::string kNone;
  const auto* name = FindValue(classes_, id);
  return name == nullptr ? kNone : *name;
}

const User* Cluster::FindUserByName(TenantId tenant, absl::string_view name) const {
  for (const auto& [id, user] : users_) {
    if (user.tenant == tenant && user.name == name) {
      return &user;
    }
  }
  return nullptr;
}

const std::set<AllocationId>& Cluster::AllocationsOn(NodeId node) const {
  return allocations_on_.at(node);
}

int64_t Cluster::PendingCount(TenantId tenant) const {
  const auto* count = FindValue(pending_count_, tenant);
  return count == nullptr ? 0 : *count;
}

int64_t Cluster::PendingDevices(TenantId tenant, ProjectId project, ClassId device_class) const {
  int64_t devices = 0;
  for (const auto& [id, group] : groups_) {
    const GroupKey& key = group.key;
    const bool asks =
        key.gang.classes.empty() ||
        std::count(key.gang.classes.begin(), key.gang.classes.end(), device_class) > 0;
    if (key.tenant == tenant && (!project || key.project == project) && asks) {
      devices += key.gang.devices() * group.tasks;
    }
  }
  return devices;
}

int64_t Cluster::KnownDevices(ClassId device_class) const {
  return free_index_.OfClass(device_class).known.devices();
}

int64_t Cluster::UsableDevices(ClassId device_class) const {
  return free_index_.OfClass(device_class).usable.devices();
}

int Cluster::NodesWith(ClassId device_class, int devices) const {
  return free_index_.OfClass(device_class).known.NodesWith(devices);
}

ClassId Cluster::InternClass(absl::string_view name) {
  if (const auto known = FindClass(name); known.has_value()) {
    return *known;
  }
  const ClassId id = NextId<ClassId>(classes_);
  classes_[id] = std::string(name);
  class_ids_[std::string(name)] = id;
  new_nouns_.classes.push_back({id, std::string(name)});
  return id;
}

TenantId Cluster::AddTenant(Tenant tenant) {
  tenant.id = NextId<TenantId>(quota_.tenants());
  new_nouns_.tenants.push_back(tenant);
  quota_.PutTenant(tenant);
  return tenant.id;
}

void Cluster::PutTenant(Tenant tenant) {
  new_nouns_.tenants.push_back(tenant);
  for (const auto& [claim, start] : nominations()) {
    nominations_.Stir(claim);
  }
  quota_.PutTenant(std::move(tenant));
  StirAll();
}

ProjectId Cluster::AddProject(Project project) {
  project.id = NextId<ProjectId>(quota_.projects());
  new_nouns_.projects.push_back(project);
  quota_.PutProject(project);
  return project.id;
}

UserId Cluster::AddUser(User user) {
  user.id = NextId<UserId>(users_);
  new_nouns_.users.push_back(user);
  users_[user.id] = user;
  return user.id;
}

void Cluster::PutToken(Token token) {
  new_nouns_.tokens.push_back(token);
  tokens_[token.id] = std::move(token);
}

void Cluster::PutLimits(const QuotaKey& key, const QuotaLimits& limits) {
  quota_.PutLimits(key, limits);
  new_nouns_.quotas.push_back({key, limits});
  StirAll();
}

NodeId Cluster::EnsureNode(absl::string_view name) {
  if (const Node* known = FindNodeByName(name); known != nullptr) {
    return known->id;
  }
  Node node;
  node.id = NextId<NodeId>(nodes_.values());
  node.name = std::string(name);
  node_names_[node.name] = node.id;
  allocations_on_[node.id];
  free_index_.PutNode(node);
  changed_nodes_.insert(node.id);
  const NodeId id = node.id;
  nodes_.Put(id, std::move(node));
  return id;
}

void Cluster::PutFacts(NodeId id, NodeFacts facts) {
  nodes_.at(id).facts = std::move(facts);
  changed_nodes_.insert(id);
  RefreshNode(id);
}

void Cluster::SetNodeState(NodeId id, NodeState state, absl::string_view detail) {
  Node& node = nodes_.at(id);
  if (node.state != state) {
    Advance(node.state, state);
  }
  node.loss_held = node.loss_held && state == NodeState::kSuspect;
  node.state_detail = std::string(detail);
  changed_nodes_.insert(id);
  RefreshNode(id);
}

ShareOwner Cluster::OwnerOf(const Job& job) {
  return {job.spec.tenant, job.spec.project, job.attempt.funding, job.spec.preemptible};
}

void Cluster::RefreshNode(NodeId id) {
  free_index_.PutNode(nodes_.at(id));
  for (AllocationId held : allocations_on_.at(id)) {
    const Allocation& allocation = allocations_.at(held);
    free_index_.Take(allocation, OwnerOf(jobs_.at(allocation.job)));
  }
  for (JobId claim : nominations_.KeepAgain(id, free_index_)) {
    CheckNomination(nominations().at(claim));
  }
  StirAll();
}

void Cluster::Restore(StoredState state) {
  BERTH_CHECK(jobs_.empty() && nodes_.empty());
  last_job_ = state.last_job;
  last_allocation_ = state.last_allocation;
  restored_allocation_ = state.restored_allocation;
  last_reclaim_ = state.last_reclaim;
  last_booking_ = state.last_booking;
  for (Booking& booking : state.nouns.bookings) {
    next_booking_change_ = absl::InfinitePast();
    bookings_[booking.id] = std::move(booking);
  }
  for (const QuotaEdit& edit : state.nouns.quota_edits) {
    quota_edits_[edit.key] = edit;
  }
  for (DeviceClass& device_class : state.nouns.classes) {
    class_ids_[device_class.name] = device_class.id;
    classes_[device_class.id] = std::move(device_class.name);
  }
  for (Tenant& tenant : state.nouns.tenants) {
    quota_.PutTenant(std::move(tenant));
  }
  for (Project& project : state.nouns.projects) {
    quota_.PutProject(std::move(project));
  }
  for (const QuotaRecord& record : state.nouns.quotas) {
    quota_.PutLimits(record.key, record.limits);
  }
  for (User& user : state.nouns.users) {
    users_[user.id] = std::move(user);
  }
  for (Token& token : state.nouns.tokens) {
    tokens_[token.id] = std::move(token);
  }
  for (Node& node : state.nouns.nodes) {
    const NodeId id = node.id;
    node_names_[node.name] = id;
    allocations_on_[id];
    free_index_.PutNode(node);
    if (node.booked_out) {
      booked_out_.insert(id);
    }
    nodes_.Put(id, std::move(node));
  }
  jobs_.reserve(state.nouns.jobs.size());
  for (Job& job : state.nouns.jobs) {
    job.allocations.clear();
    job.attempt.stop_grace = job.spec.grace;
    const JobId id = job.id;
    jobs_.Put(id, std::move(job));
  }
  std::sort(state.nouns.allocations.begin(), state.nouns.allocations.end(),
            [](const Allocation& a, const Allocation& b) { return a.rank < b.rank; });
  for (Allocation& allocation : state.nouns.allocations) {
    jobs_.at(allocation.job).allocations.push_back(allocation.id);
    AdoptAllocation(std::move(allocation));
  }
  GiveUpReclaims(std::move(state.nouns.reclaims));
  IndexJobs();
}

void Cluster::IndexJobs() {
  for (const auto& [id, job] : jobs_.values()) {
    shape_mix_.Add(job.spec.gang);
    LinkJob(job);
  }
  for (auto& [id, job] : jobs_) {
    job.tasks.live = static_cast<int>(TasksOf(id).size());
    job.spec.array.cancelled_ahead = job.spec.array.CancelledFrom(job.tasks.next);
    if (IsPending(job)) {
      IndexPending(job);
    } else if (!job.is_array()) {
      active_jobs_.insert(id);
      active_times_.Note(job);
      IndexHolder(job, true);
    }
  }
}

bool Cluster::HasChanges() const {
  return !new_nouns_.empty() || !changed_jobs_.empty() || !changed_allocations_.empty() ||
         !changed_nodes_.empty() || !changed_bookings_.empty();
}

Changes Cluster::TakeChanges() {
  Changes changes = std::exchange(new_nouns_, {});
  for (NodeId id : std::exchange(changed_nodes_, {})) {
    changes.nodes.push_back(nodes_.at(id));
  }
  for (JobId id : std::exchange(changed_jobs_, {})) {
    changes.jobs.push_back(jobs_.at(id));
  }
  for (AllocationId id : std::exchange(changed_allocations_, {})) {
    changes.allocations.push_back(allocations_.at(id));
  }
  TakeBookings(changes);
  DropEnded(changes);
  return changes;
}

void Cluster::DropEnded(Changes& changes) {
  for (const Job& job : changes.jobs) {
    if (IsTerminal(job.state)) {
      jobs_.erase(job.id);
    }
  }
  for (const Allocation& allocation : changes.allocations) {
    const Job* job = FindJob(allocation.job);
    // A released member of a running gang stays until its job lets go of the attempt.
    const bool current = job != nullptr && std::count(job->allocations.begin(),
                                                      job->allocations.end(), allocation.id) > 0;
    if (allocation.state == AllocationState::kReleased && !current) {
      allocations_.erase(allocation.id);
    }
  }
}

}  // namespace berth
