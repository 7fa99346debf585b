// Every detector finds the fault that it is there for: the planner is damaged, or plans for a
// cluster that is not the real one.

#include <algorithm>
#include <map>

#include "absl/strings/string_view.h"
#include <gtest/gtest.h>

#include "tests/simulation/scheduling_history.h"

namespace berth {
namespace {

constexpr uint64_t kSeedsMax = 3000;

// Whether some history finds the property broken.
bool IsFound(const char* property,
             const std::function<Plan(const Cluster&, const Policy&, absl::Time)>& planner) {
  const absl::string_view broken = property;
  const bool forks = broken == "fork plans the same" || broken == "a round looks at enough" ||
                     broken == "a round is due when it would decide";
  for (uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    HistoryOptions options;
    options.seed = seed;
    options.compare_forks = forks;                 // dear, and judges nothing else
    options.rare_events = broken == "kept hosts";  // nothing asks for processors elsewhere
    options.planner = planner;
    SchedulingHistory history(options);
    if (history.Run().broken.contains(property)) {
      return true;
    }
  }
  return false;
}

using Damage = void (*)(const Cluster&, absl::Time, Plan&);

bool IsFound(const char* property, Damage damage) {
  return IsFound(property, [damage](const Cluster& cluster, const Policy& policy, absl::Time now) {
    Plan plan = MakePlan(cluster, policy, now);
    damage(cluster, now, plan);
    return plan;
  });
}

// The plan of a cluster with other limits than the real one.
bool IsFoundWithLimits(const char* property, void (*change)(QuotaLimits&)) {
  return IsFound(property, [change](const Cluster& cluster, const Policy& policy, absl::Time now) {
    Cluster other = cluster;
    for (const auto& [key, limits] : cluster.quota().limits()) {
      QuotaLimits changed = limits;
      change(changed);
      other.PutLimits(key, changed);
    }
    return MakePlan(other, policy, now);
  });
}

TEST(PlantedFaults, PlacesAreChecked) {
  EXPECT_TRUE(IsFound("gangs atomic", [](const Cluster&, absl::Time, Plan& plan) {
    for (Start& start : plan.starts) {
      start.members.pop_back();
    }
  }));
  EXPECT_TRUE(IsFound("no device twice", [](const Cluster&, absl::Time, Plan& plan) {
    if (plan.starts.size() > 1) {
      plan.starts[1].members = plan.starts[0].members;
    }
  }));
  EXPECT_TRUE(IsFound("places exist", [](const Cluster&, absl::Time, Plan& plan) {
    for (Start& start : plan.starts) {
      start.members[0].devices[0].index = 99;
    }
  }));
}

// Puts every share beside one of another tenant, if there is any.
void MixShares(const Cluster& cluster, absl::Time /*now*/, Plan& plan) {
  for (Start& start : plan.starts) {
    DeviceShare& share = start.members[0].devices[0];
    for (const auto& [id, other] : cluster.allocations()) {
      const bool shared =
          other.state != AllocationState::kReleased && other.devices[0].milli < kWholeDeviceMilli;
      if (share.milli < kWholeDeviceMilli && shared &&
          other.tenant != cluster.GetJob(start.job).spec.tenant) {
        start.members[0].node = other.node;
        share.index = other.devices[0].index;
      }
    }
  }
}

TEST(PlantedFaults, SharesAreChecked) {
  EXPECT_TRUE(IsFound("milli-devices", [](const Cluster&, absl::Time, Plan& plan) {
    for (Start& start : plan.starts) {
      DeviceShare& share = start.members[0].devices[0];
      share.milli = std::min(share.milli + 100, kWholeDeviceMilli);
    }
  }));
  EXPECT_TRUE(IsFound("shares stay in a project", MixShares));
}

TEST(PlantedFaults, BookedNodesAreChecked) {
  EXPECT_TRUE(
      IsFound("closed nodes", [](const Cluster& cluster, const Policy& policy, absl::Time now) {
        Cluster other = cluster;
        for (const auto& [id, booking] : cluster.bookings()) {
          if (!booking.ended) {
            other.EndBooking(id, now);
          }
        }
        return MakePlan(other, policy, now);
      }));
}

TEST(PlantedFaults, OwedBlocksAreChecked) {
  EXPECT_TRUE(
      IsFoundWithLimits("T1 owed blocks", [](QuotaLimits& limits) { limits.block_count = 0; }));
}

TEST(PlantedFaults, DevicesKeptForAClaimAreChecked) {
  EXPECT_TRUE(IsFound(
      "nominated devices", [](const Cluster& cluster, const Policy& policy, absl::Time now) {
        Cluster other = cluster;
        for (const auto& [claim, start] : std::map<JobId, Start>(cluster.nominations())) {
          other.DropNomination(claim, now);
        }
        Plan plan = MakePlan(other, policy, now);
        std::erase_if(plan.recalls, [&cluster](const Recall& recall) {
          return cluster.nominations().contains(recall.claim.job);
        });
        return plan;
      }));
  EXPECT_TRUE(
      IsFound("kept hosts", [](const Cluster& cluster, const Policy& policy, absl::Time now) {
        Cluster other = cluster;
        for (auto [id, claim] : std::map<JobId, Start>(cluster.nominations())) {
          if (cluster.FindJob(id) != nullptr) {
            claim.host = {};
            other.DropNomination(id, now);
            other.Nominate(claim, cluster.open_reclaims().at(id));
          }
        }
        return MakePlan(other, policy, now);
      }));
  EXPECT_TRUE(IsFound("nominations end", [](const Cluster& cluster, absl::Time, Plan& plan) {
    plan.lapsed.clear();
    // One that would have lapsed and claims again.
    std::erase_if(plan.recalls, [&cluster](const Recall& recall) {
      return cluster.nominations().contains(recall.claim.job);
    });
  }));
}

TEST(PlantedFaults, LimitsAreChecked) {
  EXPECT_TRUE(IsFoundWithLimits("A1 limit", [](QuotaLimits& limits) { limits.limit.reset(); }));
  EXPECT_TRUE(
      IsFoundWithLimits("A1 project limit", [](QuotaLimits& limits) { limits.limit.reset(); }));
  EXPECT_TRUE(
      IsFoundWithLimits("A4 non-lendable", [](QuotaLimits& limits) { limits.non_lendable = 0; }));
  EXPECT_TRUE(IsFoundWithLimits("A2 non-preemptible",
                                [](QuotaLimits& limits) { limits.entitlement += 2; }));
  EXPECT_TRUE(IsFound("labels", [](const Cluster&, absl::Time, Plan& plan) {
    for (Start& start : plan.starts) {
      start.funding = start.funding == Funding::kOwned ? Funding::kBorrowed : Funding::kOwned;
    }
  }));
}

TEST(PlantedFaults, VictimsAreChecked) {
  EXPECT_TRUE(IsFoundWithLimits("R1", [](QuotaLimits& limits) { limits.entitlement += 2; }));
  const Damage another = [](const Cluster& cluster, absl::Time, Plan& plan) {
    for (Recall& recall : plan.recalls) {
      for (const auto& [id, job] : cluster.jobs()) {
        if (job.state == JobState::kRunning && job.attempt.funding == Funding::kOwned) {
          recall.certificate.candidates.push_back(
              {.job = id, .tenant = job.spec.tenant, .chosen = true});
        }
      }
    }
  };
  EXPECT_TRUE(IsFound("no owned victim", another));
  EXPECT_TRUE(IsFound("no loss within E", another));
  EXPECT_TRUE(IsFound("priority within a tenant", [](const Cluster&, absl::Time, Plan& plan) {
    for (Recall& recall : plan.recalls) {
      recall.certificate.within_tenant = true;
    }
  }));
}

TEST(PlantedFaults, SetsOfVictimsAreChecked) {
  const Damage all = [](const Cluster&, absl::Time, Plan& plan) {
    for (Recall& recall : plan.recalls) {
      for (ReclaimCandidate& candidate : recall.certificate.candidates) {
        candidate.chosen = true;
      }
    }
  };
  EXPECT_TRUE(IsFound("no removable victim", all));
  EXPECT_TRUE(IsFound("R4 optimum", all));
  EXPECT_TRUE(IsFound("no member too many", [](const Cluster&, absl::Time, Plan& plan) {
    for (Recall& recall : plan.recalls) {
      for (ReclaimCandidate& candidate : recall.certificate.candidates) {
        candidate.members += candidate.chosen && candidate.shrink ? 1 : 0;
      }
    }
  }));
}

TEST(PlantedFaults, CertificatesAreChecked) {
  EXPECT_TRUE(IsFound("certificate numbers", [](const Cluster&, absl::Time, Plan& plan) {
    for (Recall& recall : plan.recalls) {
      ++recall.certificate.used;
    }
  }));
  EXPECT_TRUE(IsFound("certificate rows", [](const Cluster&, absl::Time, Plan& plan) {
    for (Recall& recall : plan.recalls) {
      for (ReclaimCandidate& candidate : recall.certificate.candidates) {
        candidate.lost_work += absl::Seconds(1);
      }
    }
  }));
  EXPECT_TRUE(IsFound("R3 order", [](const Cluster&, absl::Time, Plan& plan) {
    for (Recall& recall : plan.recalls) {
      std::reverse(recall.certificate.candidates.begin(), recall.certificate.candidates.end());
    }
  }));
}

TEST(PlantedFaults, WhatNeverHappensIsFound) {
  EXPECT_TRUE(IsFound("no unsatisfied owned claim",
                      [](const Cluster&, absl::Time, Plan& plan) { plan.recalls.clear(); }));
  EXPECT_TRUE(IsFound("no starvation",
                      [](const Cluster&, absl::Time, Plan& plan) { plan.anchors.clear(); }));
  EXPECT_TRUE(IsFound("everything ends", [](const Cluster&, absl::Time, Plan& plan) {
    std::erase_if(plan.starts, [](const Start& start) { return start.job.value() % 3 == 0; });
  }));
}

TEST(PlantedFaults, WhatNeverStopsIsFound) {
  EXPECT_TRUE(IsFound("quiescence",
                      [](const Cluster&, absl::Time now, Plan& plan) { plan.next_look = now; }));
  EXPECT_TRUE(IsFound("anchor never postponed", [](const Cluster&, absl::Time now, Plan& plan) {
    for (Anchor& anchor : plan.anchors) {
      anchor.shadow = now + (now - absl::UnixEpoch());
    }
  }));
}

TEST(PlantedFaults, APlannerWithAMemoryIsFound) {
  int calls = 0;
  EXPECT_TRUE(IsFound("fork plans the same",
                      [&calls](const Cluster& cluster, const Policy& policy, absl::Time now) {
                        Plan plan = MakePlan(cluster, policy, now);
                        if (++calls % 5 == 0) {
                          plan.starts.clear();
                        }
                        return plan;
                      }));
}

TEST(PlantedFaults, ARoundThatLooksAtTooLittleIsFound) {
  EXPECT_TRUE(IsFound("a round looks at enough", [](const Cluster&, absl::Time, Plan& plan) {
    if (!plan.whole) {
      plan.starts.clear();
    }
  }));
}

// It starts nothing when it is asked first, nor on the copy, but would when asked again.
TEST(PlantedFaults, ARoundThatIsMissingIsFound) {
  uint64_t version = 0;
  int asked = 0;
  EXPECT_TRUE(IsFound("a round is due when it would decide",
                      [&](const Cluster& cluster, const Policy& policy, absl::Time now) {
                        Plan plan = MakePlan(cluster, policy, now);
                        asked = cluster.stirred().version() == version ? asked + 1 : 1;
                        version = cluster.stirred().version();
                        if (asked <= 2) {
                          plan.starts.clear();
                        }
                        return plan;
                      }));
}

}  // namespace
}  // namespace berth
