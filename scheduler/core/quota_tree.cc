#include "scheduler/core/quota_tree.h"

#include <array>
#include <utility>

#include "common/check.h"
#include "scheduler/core/enum_names.h"

namespace berth {
namespace {

constexpr std::array<const char*, 4> kPresetNames = {"easy", "fifo", "traverse", "stepped"};

}  // namespace

absl::string_view Name(QueuePreset preset) {
  return NameIn(kPresetNames, preset);
}
std::optional<QueuePreset> FindQueuePreset(absl::string_view name) {
  return FindIn<QueuePreset>(kPresetNames, name);
}

void QuotaTree::PutTenant(Tenant tenant) {
  tenant_names_[tenant.name] = tenant.id;
  const TenantId id = tenant.id;
  tenants_.Put(id, std::move(tenant));
}

void QuotaTree::PutProject(Project project) {
  project_names_[{project.tenant, project.name}] = project.id;
  projects_[project.id] = std::move(project);
}

void QuotaTree::PutLimits(const QuotaKey& key, const QuotaLimits& limits) {
  has_project_limits_ |= static_cast<bool>(key.project);
  QuotaLimits& known = limits_[key];
  if (!key.project) {
    entitlement_sums_[key.device_class] += limits.entitlement - known.entitlement;
    if (limits.non_lendable > 0) {
      keepers_[key.device_class].insert(key.tenant);
    } else {
      keepers_[key.device_class].erase(key.tenant);
    }
  }
  known = limits;
}

const Tenant* QuotaTree::FindTenantByName(absl::string_view name) const {
  const auto found = tenant_names_.find(std::string(name));
  return found == tenant_names_.end() ? nullptr : FindTenant(found->second);
}

const Project* QuotaTree::FindProject(ProjectId id) const {
  const auto found = projects_.find(id);
  return found == projects_.end() ? nullptr : &found->second;
}

const Project* QuotaTree::FindProjectByName(TenantId tenant, absl::string_view name) const {
  const auto found = project_names_.find({tenant, std::string(name)});
  return found == project_names_.end() ? nullptr : FindProject(found->second);
}

QuotaLimits QuotaTree::Limits(const QuotaKey& key) const {
  const auto found = limits_.find(key);
  return found == limits_.end() ? QuotaLimits{} : found->second;
}

QuotaUse QuotaTree::Use(const QuotaKey& key) const {
  const auto found = use_.find(key);
  return found == use_.end() ? QuotaUse{} : found->second;
}

const std::set<TenantId>& QuotaTree::Keepers(ClassId device_class) const {
  static const std::set<TenantId> kNobody;
  const auto found = keepers_.find(device_class);
  return found == keepers_.end() ? kNobody : found->second;
}

int64_t QuotaTree::EntitlementSum(ClassId device_class) const {
  const auto found = entitlement_sums_.find(device_class);
  return found == entitlement_sums_.end() ? 0 : found->second;
}

int64_t QuotaTree::ProjectEntitlementSum(TenantId tenant, ClassId device_class) const {
  int64_t sum = 0;
  for (const auto& [key, limits] : limits_) {
    if (key.tenant == tenant && key.device_class == device_class && key.project) {
      sum += limits.entitlement;
    }
  }
  return sum;
}

std::vector<ClassId> QuotaTree::ClassesOf(TenantId tenant) const {
  std::map<ClassId, bool> classes;
  for (const auto& [key, limits] : limits_) {
    if (key.tenant == tenant) {
      classes[key.device_class] = true;
    }
  }
  for (const auto& [key, use] : use_) {
    if (key.tenant == tenant) {
      classes[key.device_class] = true;
    }
  }
  std::vector<ClassId> result;
  result.reserve(classes.size());
  for (const auto& [device_class, present] : classes) {
    result.push_back(device_class);
  }
  return result;
}

void QuotaTree::Add(const Gang& gang) {
  AddTo({gang.tenant, ProjectId(), gang.device_class}, gang, 1);
  AddTo({gang.tenant, gang.project, gang.device_class}, gang, 1);
}

void QuotaTree::Remove(const Gang& gang) {
  AddTo({gang.tenant, ProjectId(), gang.device_class}, gang, -1);
  AddTo({gang.tenant, gang.project, gang.device_class}, gang, -1);
}

void QuotaTree::AddTo(const QuotaKey& key, const Gang& gang, int64_t sign) {
  if (gang.devices == 0) {
    return;
  }
  QuotaUse& use = use_[key];
  use.Add(QuotaUse::Of(gang.devices, gang.funding, gang.preemptible), sign);
  BERTH_CHECK(use.owned >= 0 && use.borrowed >= 0 && use.non_preemptible >= 0);
}

}  // namespace berth
