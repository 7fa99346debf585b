#ifndef BERTH_SCHEDULER_CORE_QUOTA_VIEW_H_
#define BERTH_SCHEDULER_CORE_QUOTA_VIEW_H_

// What tenants own and use after the decisions of this round, and what a gang may take of it
// (quota.md, "Admission" A1 to A4). Lives as long as the round; the cluster must not change
// meanwhile.

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "scheduler/core/cluster.h"
#include "scheduler/core/pending_reason.h"

namespace berth {

// Owned claims go before borrow requests.
enum class Phase { kOwned, kBorrow };

// What a gang may take of one class.
struct Grant {
  int nodes = 0;  // at most
  Funding funding = Funding::kOwned;
  bool owned_claim = false;  // within the entitlement as a whole: may reclaim
};

// What tenants will have given back of a class by some later time.
using Returns = std::map<TenantId, int64_t>;

class QuotaView {
 public:
  explicit QuotaView(const Cluster& cluster) : cluster_(cluster) {}

  struct Position {
    QuotaLimits limits;
    QuotaUse use;
    // Of the entitlement, what can be claimed now: less only where the class has fewer usable
    // devices than its owners demand (largest remainder).
    int64_t share = 0;
  };
  const Position& Of(TenantId tenant, ClassId device_class) const;

  // How many more devices the tenant may claim as owned, whatever its projects may.
  int64_t OwnedRoom(TenantId tenant, ClassId device_class) const;

  QuotaUse ProjectUse(const QuotaKey& key) const;

  // A1 to A3: how many nodes of the gang may start in this phase, an elastic gang fewer than it
  // asks for; or why none.
  std::optional<Blocker> Admit(const GroupKey& key, ClassId device_class, Phase phase,
                               Grant& grant) const;
  // All that stand against it, each on its own, in the order of ReasonCode.
  std::vector<Blocker> Objections(const GroupKey& key, ClassId device_class, Phase phase) const;
  // How many nodes of the gang are left by the bounds that do not object.
  int NodesBesides(const GroupKey& key, ClassId device_class, Phase phase) const;
  // How so many devices of the gang would count, where Admit lets it have them.
  void Label(const GroupKey& key, ClassId device_class, int64_t devices, Grant& grant) const;
  // For gangs that must be owned: what of the entitlement others of the tenant hold for good.
  int64_t FirmlyOwned(const GroupKey& key, ClassId device_class) const;
  // A4: after the start the other tenants' unused non-lendable parts must still be free.
  std::optional<Blocker> CheckLendable(TenantId tenant, ClassId device_class, int64_t devices,
                                       int64_t free) const;
  // Whether anybody has a non-lendable part.
  bool KeepsAny(ClassId device_class) const {
    return !cluster_.quota().Keepers(device_class).empty();
  }
  // A4 at a later time, when so many devices are free and tenants use less than now.
  bool LendsThen(const Returns& returns, TenantId tenant, ClassId device_class, int64_t devices,
                 int64_t free) const;

  void Charge(const GroupKey& key, ClassId device_class, int64_t devices, Funding funding);
  // What Cluster::waiting_claims() will take.
  void ChargeWaiting();
  // Makes gangs borrowed ones until a gang that must be owned has room for so many devices. Returns
  // them.
  std::vector<JobId> TakeLabels(const GroupKey& key, ClassId device_class, int64_t devices);
  // A running gang is about to give devices back.
  void Uncharge(const Job& job, int64_t devices);

 private:
  struct ClassBook {
    // By tenant: ids are small. Never resized, so that references stay valid.
    std::vector<Position> tenants;
    std::vector<bool> known;  // those asked for
    int64_t kept = 0;         // sum of the unused non-lendable parts
  };

  // How many devices one rule leaves, with the numbers of its blocker.
  struct Bound {
    ReasonCode code = ReasonCode::kNone;
    int64_t room = 0;
    int64_t have = 0;
    int64_t bound = 0;
  };
  // On the stack: every try of every round makes one.
  class Bounds {
   public:
    void Add(const Bound& bound) { bounds_.at(size_++) = bound; }
    const Bound* begin() const { return bounds_.data(); }
    const Bound* end() const { return bounds_.data() + size_; }

   private:
    std::array<Bound, 5> bounds_;
    size_t size_ = 0;
  };

  Bounds BoundsOf(const GroupKey& key, ClassId device_class, Phase phase) const;
  Blocker BlockerOf(const Bound& bound, const GroupKey& key, ClassId device_class) const;
  ClassBook& Book(ClassId device_class) const;
  Position& PositionIn(ClassBook& book, TenantId tenant, ClassId device_class) const;
  void ShareOut(ClassId device_class, ClassBook& book) const;
  Position& MutablePosition(TenantId tenant, ClassId device_class) const;
  struct Yielding {
    JobId job;
    int64_t devices = 0;
  };
  // Owned gangs that the group may make borrowed ones, without those that became it this round.
  const std::vector<Yielding>& YieldingTo(const GroupKey& key, ClassId device_class) const;
  void Add(const QuotaKey& key, const QuotaUse& use, int64_t sign);

  const Cluster& cluster_;
  mutable std::map<ClassId, ClassBook> books_;  // filled when asked for
  // The last one asked for: most questions are about the same one again.
  mutable std::pair<TenantId, ClassId> last_key_;
  mutable Position* last_position_ = nullptr;
  std::map<QuotaKey, QuotaUse> project_charges_;
  std::set<JobId> relabelled_;
  // By the priority they yield to; filled when asked for.
  mutable absl::flat_hash_map<std::tuple<TenantId, ClassId, int>, std::vector<Yielding>> yielding_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_QUOTA_VIEW_H_
