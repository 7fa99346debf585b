#ifndef BERTH_SCHEDULER_CORE_QUOTA_TREE_H_
#define BERTH_SCHEDULER_CORE_QUOTA_TREE_H_

// Tenants and their projects: what they own, may use, and use now. The tree is center -> tenant ->
// project; a project's use counts for its tenant too. A value, owned by the Cluster; one thread.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

#include "scheduler/core/id_map.h"
#include "scheduler/core/ids.h"
#include "scheduler/core/job.h"

namespace berth {

// How a tenant's own jobs pass each other (quota.md, "Order").
enum class QueuePreset {
  kEasy,      // behind an anchored head only what does not delay it
  kFifo,      // nothing passes the head
  kTraverse,  // whatever fits starts
  kStepped,   // nothing passes the head until it has waited for `stepped_timeout`, then easy
};

absl::string_view Name(QueuePreset preset);
std::optional<QueuePreset> FindQueuePreset(absl::string_view name);

struct Tenant {
  TenantId id;
  std::string name;
  std::string display_name;
  bool suspended = false;
  absl::Time created_at = absl::InfinitePast();
  absl::Duration default_time_limit = absl::Hours(24);
  int64_t queue_max = 100000;  // pending jobs
  QueuePreset queue_preset = QueuePreset::kEasy;
  absl::Duration stepped_timeout = absl::Hours(1);
};

// Whether a job of the tenant may start before one that it ranks above.
inline bool MayBePassed(const Tenant& tenant) {
  return tenant.queue_preset == QueuePreset::kEasy || tenant.queue_preset == QueuePreset::kTraverse;
}

inline bool MayAnchor(const Tenant& tenant) {
  return tenant.queue_preset != QueuePreset::kTraverse;
}

struct Project {
  ProjectId id;
  TenantId tenant;
  std::string name;
  absl::Time created_at = absl::InfinitePast();
};

// Devices of one class (quota.md, "Objects").
struct QuotaLimits {
  int64_t entitlement = 0;
  std::optional<int64_t> limit;
  int64_t non_lendable = 0;
  std::optional<int64_t> weight;
  // Part of the entitlement that is owed in whole blocks (quota.md, "Shape"): `block_count` blocks
  // of the level, the block being a whole node for kNone. 0: none.
  TopologyLevel block_level = TopologyLevel::kNone;
  int block_count = 0;

  friend bool operator==(const QuotaLimits&, const QuotaLimits&) = default;
};

// Whose quota: a tenant's, or one project's in it.
struct QuotaKey {
  TenantId tenant;
  ProjectId project;  // none: the whole tenant
  ClassId device_class;

  friend auto operator<=>(const QuotaKey&, const QuotaKey&) = default;

  template <typename Hash>
  friend Hash AbslHashValue(Hash hash, const QuotaKey& key) {
    return Hash::combine(std::move(hash), key.tenant, key.project, key.device_class);
  }
};

struct QuotaRecord {
  QuotaKey key;
  QuotaLimits limits;
};

// A quota edit that takes effect later.
struct QuotaEdit {
  QuotaKey key;
  QuotaLimits limits;
  absl::Time effective_at = absl::InfinitePast();
  UserId by;
  bool allow_oversell = false;
};

struct QuotaUse {
  int64_t owned = 0;
  int64_t borrowed = 0;
  int64_t non_preemptible = 0;  // G: part of owned that no recall may stop

  // What a gang of so many devices counts as.
  static QuotaUse Of(int64_t devices, Funding funding, bool preemptible) {
    const bool is_owned = funding == Funding::kOwned;
    return {.owned = is_owned ? devices : 0,
            .borrowed = is_owned ? 0 : devices,
            .non_preemptible = preemptible ? 0 : devices};
  }
  void Add(const QuotaUse& other, int64_t sign) {
    owned += sign * other.owned;
    borrowed += sign * other.borrowed;
    non_preemptible += sign * other.non_preemptible;
  }
  int64_t used() const { return owned + borrowed; }
  friend bool operator==(const QuotaUse&, const QuotaUse&) = default;
};

class QuotaTree {
 public:
  void PutTenant(Tenant tenant);
  void PutProject(Project project);
  void PutLimits(const QuotaKey& key, const QuotaLimits& limits);

  const Tenant* FindTenant(TenantId id) const { return tenants_.Find(id); }
  const Tenant* FindTenantByName(absl::string_view name) const;
  const Project* FindProject(ProjectId id) const;
  const Project* FindProjectByName(TenantId tenant, absl::string_view name) const;
  const std::map<TenantId, Tenant>& tenants() const { return tenants_.values(); }
  const std::map<ProjectId, Project>& projects() const { return projects_; }
  const std::map<QuotaKey, QuotaLimits>& limits() const { return limits_; }
  // Whether any project was ever given limits of its own.
  bool has_project_limits() const { return has_project_limits_; }

  // Zero entitlement and no limit where nothing was set.
  QuotaLimits Limits(const QuotaKey& key) const;
  QuotaUse Use(const QuotaKey& key) const;
  // The tenants of which a part of the class may not be lent.
  const std::set<TenantId>& Keepers(ClassId device_class) const;
  // Sum of the tenants' entitlements in a class.
  int64_t EntitlementSum(ClassId device_class) const;
  // Sum over the projects of one tenant.
  int64_t ProjectEntitlementSum(TenantId tenant, ClassId device_class) const;
  // Every class with a limit or a use of the tenant.
  std::vector<ClassId> ClassesOf(TenantId tenant) const;

  // What a gang's devices count as. Requires for Remove and Relabel: the same was added before.
  struct Gang {
    TenantId tenant;
    ProjectId project;
    ClassId device_class;
    int64_t devices = 0;
    Funding funding = Funding::kNone;
    bool preemptible = true;
  };
  void Add(const Gang& gang);
  void Remove(const Gang& gang);

 private:
  void AddTo(const QuotaKey& key, const Gang& gang, int64_t sign);

  IdMap<TenantId, Tenant> tenants_;
  std::map<std::string, TenantId> tenant_names_;
  std::map<ProjectId, Project> projects_;
  std::map<std::pair<TenantId, std::string>, ProjectId> project_names_;
  std::map<QuotaKey, QuotaLimits> limits_;
  bool has_project_limits_ = false;
  std::map<ClassId, std::set<TenantId>> keepers_;
  std::map<ClassId, int64_t> entitlement_sums_;  // of the tenants in limits_
  absl::flat_hash_map<QuotaKey, QuotaUse> use_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_QUOTA_TREE_H_
