// What explain guarantees (ux.md 2.11), on random small centers: each check is seen to fail where a
// fault is planted.

#include <array>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "scheduler/core/explain.h"
#include "tests/testing/blocker_removal.h"
#include "tests/testing/random_center.h"
#include "tests/testing/repetitions.h"

namespace berth {
namespace {

constexpr int kFaultsMax = 10;
constexpr std::array kListable = {
    ReasonCode::kHeld,          ReasonCode::kBackOff,       ReasonCode::kDependency,
    ReasonCode::kBeginTime,     ReasonCode::kArrayThrottle, ReasonCode::kTenantSuspended,
    ReasonCode::kTenantLimit,   ReasonCode::kProjectLimit,  ReasonCode::kNonPreemptible,
    ReasonCode::kBorrowing,     ReasonCode::kNonLendable,   ReasonCode::kBlocksOwed,
    ReasonCode::kNoNodes,       ReasonCode::kBooked,        ReasonCode::kTopology,
    ReasonCode::kFragmentation, ReasonCode::kHostResources, ReasonCode::kDevicesBusy,
    ReasonCode::kRecalling,     ReasonCode::kBehindAnchor,  ReasonCode::kQueueHead};

std::optional<int64_t> FromEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<int64_t>(std::atoll(value));
}

// Every node that has devices of the class, once, and the sums are right.
bool IsPartition(const Cluster& cluster, const Explanation& explanation) {
  std::set<NodeId> seen;
  int64_t nodes = 0;
  for (const NodePart& part : explanation.parts) {
    nodes += part.nodes;
    for (const NodePart::Named& named : part.named) {
      if (!seen.insert(named.node).second) {
        return false;
      }
    }
  }
  const int64_t pool =
      explanation.device_class
          ? cluster.free_index().OfClass(explanation.device_class).known.NodesWith(1)
          : static_cast<int64_t>(cluster.nodes().size());
  return nodes == explanation.pool_nodes && nodes == pool &&
         static_cast<int64_t>(seen.size()) == nodes;
}

bool ComesTrue(const RandomCenter& before, const Explanation& explanation, const Advice& advice) {
  RandomCenter center = before;
  Cluster& cluster = center.cluster();
  cluster.WakeJobs(center.now());
  cluster.SetSpec(explanation.job, advice.spec);
  if (advice.promise.verdict == Verdict::kStartsNow) {
    return center.Starts(explanation.job, 1);
  }
  Fork fork = MakeFork(cluster, explanation.job, 1000, false);
  return ForecastLatest(std::move(fork.cluster), center.policy(), explanation.job, center.now(),
                        {}) <= advice.promise.by;
}

std::string Say(const Explanation& explanation) {
  std::string text = absl::StrCat("job ", explanation.job.value());
  for (const ExplainedBlocker& listed : explanation.blockers) {
    absl::StrAppend(&text, "; ", Name(listed.blocker.code), ": ", listed.sentence);
  }
  return text;
}

// What the checks of one center found.
struct Tally {
  int cases = 0;
  int startable = 0;
  int offers = 0;
  int late_offers = 0;
  std::map<ReasonCode, int> listed;
  std::map<ReasonCode, int> missed;  // without it alone the job did not start
  int bad_partitions = 0;            // planted
  int bad_offers = 0;                // planted

  void Print() {
    for (const auto& [code, count] : listed) {
      std::printf("%-16s listed %6d, missed %d\n", std::string(Name(code)).c_str(), count,
                  missed[code]);
    }
    std::printf("%d cases, %d startable, %d offers (%d later), planted: %d partitions, %d offers\n",
                cases, startable, offers, late_offers, bad_partitions, bad_offers);
  }
};

// Planted faults: a reason that is not told, a node that is not counted, a change that is none.
void PlantFaults(const RandomCenter& center, const Explanation& explanation, Tally& tally) {
  for (const ExplainedBlocker& listed : explanation.blockers) {
    const ReasonCode code = listed.blocker.code;
    ++tally.listed[code];
    if (tally.missed[code] < 3 && !StartsWithout(center, explanation, code)) {
      ++tally.missed[code];
    }
  }
  if (!explanation.parts.empty()) {
    Explanation broken = explanation;
    --broken.parts.back().nodes;
    tally.bad_partitions += IsPartition(center.cluster(), broken) ? 0 : 1;
  }
  for (Advice broken : explanation.advice) {
    broken.spec = center.cluster().GetJob(explanation.job).spec;
    tally.bad_offers += ComesTrue(center, explanation, broken) ? 0 : 1;
  }
}

// What is wrong with the explanation of one job; empty: nothing.
std::string CheckJob(const RandomCenter& center, JobId id, Tally& tally) {
  const Explanation explanation = Explain(center.cluster(), center.policy(), id, center.now());
  ++tally.cases;
  const bool starts = center.cluster().StartableTasks(id) > 0 && RandomCenter(center).Starts(id, 1);
  tally.startable += starts ? 1 : 0;
  if (explanation.starts_now != starts || starts != explanation.blockers.empty()) {
    return absl::StrCat("starts: ", starts, ", told: ", explanation.starts_now);
  }
  for (const ExplainedBlocker& listed : explanation.blockers) {
    if (listed.blocker.code == ReasonCode::kBeingEvaluated) {
      return "the round has looked at it";
    }
  }
  if (!IsPartition(center.cluster(), explanation)) {
    return "nodes are left out or counted twice";
  }
  for (const Advice& advice : explanation.advice) {
    if (!ComesTrue(center, explanation, advice)) {
      return absl::StrCat("does not come true: ", advice.option);
    }
    ++tally.offers;
    tally.late_offers += advice.promise.verdict == Verdict::kStartsBy ? 1 : 0;
  }
  if (!starts && !StartsWithout(center, explanation, ReasonCode::kNone)) {
    return "does not start without all that";
  }
  PlantFaults(center, explanation, tally);
  return "";
}

TEST(ExplainProperties, HoldOnRandomCenters) {
  const int64_t cases = FromEnvironment("BERTH_EXPLAIN_CASES").value_or(Repetitions(4000));
  const std::optional<int64_t> only = FromEnvironment("BERTH_TEST_SEED");
  Tally tally;
  int faults = 0;
  for (int64_t seed = only.value_or(1); tally.cases < cases && faults < kFaultsMax; ++seed) {
    const RandomCenter center(static_cast<uint64_t>(seed));
    for (const auto& [id, job] : center.cluster().jobs()) {
      if (job.state != JobState::kQueued && job.state != JobState::kHeld) {
        continue;
      }
      const std::string fault = CheckJob(center, id, tally);
      if (!fault.empty()) {
        ++faults;
        ADD_FAILURE() << "BERTH_TEST_SEED=" << seed << " "
                      << Say(Explain(center.cluster(), center.policy(), id, center.now())) << "\n  "
                      << fault;
        break;
      }
    }
    if (only.has_value()) {
      return;
    }
  }
  tally.Print();
  for (const ReasonCode code : kListable) {
    EXPECT_GT(tally.missed[code], 0) << Name(code) << " could be left out unnoticed";
  }
  EXPECT_GT(tally.offers, 0);
  EXPECT_GT(tally.bad_offers, 0);
  EXPECT_GT(tally.bad_partitions, 0);
}

}  // namespace
}  // namespace berth
