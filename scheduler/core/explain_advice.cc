// Counterfactuals: the job otherwise, and what the planner itself makes of that. Nothing is offered
// that was not seen to come true on a fork.

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "scheduler/core/admission.h"
#include "scheduler/core/explain_parts.h"
#include "scheduler/core/planner.h"

namespace berth {
namespace {

constexpr int kClassesMax = 4;
// A start that takes more to foresee is not promised.
constexpr int kRoundsMax = 20;

class Advisor {
 public:
  Advisor(Fork fork, const Policy& policy, JobId job, absl::Time now, const ForecastLimits& limits)
      : fork_(std::move(fork)),
        policy_(policy),
        job_(job),
        now_(now),
        limits_(limits),
        spec_(fork_.cluster.GetJob(job).spec) {}

  std::vector<Advice> Find(const Explanation& so_far) {
    TryFewerNodes(so_far);
    TryOtherShapes();
    TryOtherClasses();
    TryShorterLimits(so_far);
    TryNoBorrowing(so_far);
    return std::move(advice_);
  }

 private:
  // The start that the next round gives the job as it would be; nothing if it does not, or if it
  // would be refused.
  std::optional<Start> StartOf(const JobSpec& spec) {
    if (!CheckAdmission(fork_.cluster, spec).ok()) {
      return std::nullopt;
    }
    fork_.cluster.SetSpec(job_, spec);
    Plan plan = MakePlan(fork_.cluster, policy_, now_);
    for (Start& start : plan.starts) {
      if (start.job == job_) {
        return std::move(start);
      }
    }
    return std::nullopt;
  }

  bool OfferIfNow(AdviceKind kind, std::string option, JobSpec spec) {
    const std::optional<Start> start = StartOf(spec);
    if (!start.has_value()) {
      return false;
    }
    const Promise promise{Verdict::kStartsNow, now_, start->funding};
    advice_.push_back({kind, std::move(option), promise, std::move(spec)});
    return true;
  }

  // As many as are free and allowed; else half of that, else one.
  void TryFewerNodes(const Explanation& so_far) {
    const GangShape& gang = spec_.gang;
    if (gang.is_elastic() || gang.nodes < 2) {
      return;
    }
    int most = gang.nodes - 1;
    for (const NodePart& part : so_far.parts) {
      if (part.standing == NodeStanding::kFree && part.nodes > 0) {
        most = std::min<int>(most, static_cast<int>(part.nodes));
      }
    }
    if (so_far.device_class) {
      GroupKey key = fork_.cluster.GetGroup(fork_.cluster.GetJob(job_).group).key;
      key.gang.min_nodes = 1;
      Grant grant;
      if (QuotaView(fork_.cluster).Admit(key, so_far.device_class, Phase::kBorrow, grant)) {
        return;
      }
      most = std::min(most, grant.nodes);
    }
    for (int nodes : std::set<int, std::greater<>>{most, most / 2, 1}) {
      JobSpec spec = spec_;
      spec.gang.nodes = nodes;
      if (nodes > 0 && OfferIfNow(AdviceKind::kFewerNodes, absl::StrCat("--nodes ", nodes), spec)) {
        return;
      }
    }
  }

  // The same devices in smaller slices.
  void TryOtherShapes() {
    const GangShape& gang = spec_.gang;
    if (gang.is_elastic() || gang.device_share_milli > 0) {
      return;
    }
    for (int slices : {2, 4, 8}) {
      if (gang.devices_per_node % slices != 0 || gang.devices_per_node < slices ||
          gang.nodes * slices > policy_.nodes_per_job_max) {
        continue;
      }
      JobSpec spec = spec_;
      spec.gang.nodes = gang.nodes * slices;
      spec.gang.devices_per_node = gang.devices_per_node / slices;
      const std::string option =
          absl::StrCat("--nodes ", spec.gang.nodes, " --devices ", spec.gang.devices_per_node);
      if (OfferIfNow(AdviceKind::kOtherShape, option, spec)) {
        return;
      }
    }
  }

  void TryOtherClasses() {
    const std::vector<ClassId> tried = ClassOrder(fork_.cluster, spec_.tenant, spec_.gang);
    if (spec_.gang.devices_per_node == 0) {
      return;
    }
    int tries = 0;
    for (const auto& [id, name] : std::map<ClassId, std::string>(fork_.cluster.classes())) {
      if (std::find(tried.begin(), tried.end(), id) != tried.end() || tries == kClassesMax) {
        continue;
      }
      ++tries;
      JobSpec spec = spec_;
      spec.gang.classes = {id};
      if (OfferIfNow(AdviceKind::kOtherClass, absl::StrCat("--class ", name), spec)) {
        return;
      }
    }
  }

  // Before an anchor needs the devices, or a booking the nodes.
  void TryShorterLimits(const Explanation& so_far) {
    std::set<absl::Time, std::greater<>> ends;
    for (const ExplainedBlocker& explained : so_far.blockers) {
      if (explained.blocker.code == ReasonCode::kBehindAnchor) {
        ends.insert(explained.blocker.until);
      }
      if (explained.blocker.code != ReasonCode::kBooked) {
        continue;
      }
      for (const auto& [id, booking] : fork_.cluster.bookings()) {
        if (booking.Excludes(spec_.tenant, now_, now_ + spec_.time_limit)) {
          ends.insert(booking.from);
        }
      }
    }
    for (absl::Time end : ends) {
      const absl::Duration limit = absl::Floor(end - now_, absl::Minutes(1));
      if (limit <= spec_.grace || limit < absl::Minutes(1) || limit >= spec_.time_limit) {
        continue;
      }
      JobSpec spec = spec_;
      spec.time_limit = limit;
      if (OfferIfNow(AdviceKind::kShorterLimit,
                     absl::StrCat("--time ", absl::ToInt64Minutes(limit), "m"), spec)) {
        return;
      }
    }
  }

  // Never to be recalled for another tenant. The last try: a forecast uses the fork up.
  void TryNoBorrowing(const Explanation& so_far) {
    JobSpec spec = spec_;
    spec.may_borrow = false;
    if (!spec_.may_borrow || !spec_.preemptible || !so_far.device_class ||
        so_far.forecast.funding != Funding::kBorrowed ||
        OfferIfNow(AdviceKind::kNoBorrowing, "--no-borrow", spec) ||
        !CheckAdmission(fork_.cluster, spec).ok()) {
      return;
    }
    fork_.cluster.SetSpec(job_, spec);
    ForecastLimits limits = limits_;
    limits.rounds_max = std::min(limits.rounds_max, kRoundsMax);
    const absl::Time by = ForecastLatest(std::move(fork_.cluster), policy_, job_, now_, limits);
    if (by < absl::InfiniteFuture()) {
      const Promise promise{Verdict::kStartsBy, by, Funding::kOwned};
      advice_.push_back({AdviceKind::kNoBorrowing, "--no-borrow", promise, std::move(spec)});
    }
  }

  Fork fork_;
  const Policy& policy_;
  const JobId job_;
  const absl::Time now_;
  const ForecastLimits& limits_;
  const JobSpec spec_;  // as it is
  std::vector<Advice> advice_;
};

}  // namespace

std::vector<Advice> FindAdvice(Fork fork, const Policy& policy, const Explanation& so_far,
                               const ForecastLimits& limits) {
  return Advisor(std::move(fork), policy, so_far.job, so_far.as_of, limits).Find(so_far);
}

}  // namespace berth
