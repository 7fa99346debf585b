// The part of Cluster that says why a job has not started: every blocker's sentence.

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/quantity.h"
#include "scheduler/core/cluster.h"
#include "scheduler/core/utc_text.h"

namespace berth {
namespace {

std::string Shape(const GangShape& gang, const std::string& class_name) {
  if (gang.device_share_milli > 0) {
    return absl::StrFormat("a share of %d/1000 of a %s", gang.device_share_milli, class_name);
  }
  const int nodes = gang.least_nodes();
  const char* const least = gang.is_elastic() ? "at least " : "";
  if (gang.devices_per_node == 0) {
    return nodes == 1 ? absl::StrCat(least, "one node")
                      : absl::StrFormat("%s%d nodes", least, nodes);
  }
  return nodes == 1
             ? absl::StrFormat("%s%d %s on one node", least, gang.devices_per_node, class_name)
             : absl::StrFormat("%s%d nodes with %d %s each", least, nodes, gang.devices_per_node,
                               class_name);
}

// An elastic gang asks for its least.
const char* Asks(const JobSpec& spec) {
  return spec.gang.is_elastic() ? "asks at least" : "asks";
}

// What a sentence is made of.
struct Words {
  const QuotaTree& quota;
  const JobSpec& spec;
  const Blocker& blocker;
  const std::string& name;  // of the class
};

struct Sentence {
  ReasonCode code;
  std::string (*say)(const Words& w);
};

// What the numbers of a blocker mean is said here and nowhere else.
constexpr Sentence kSentences[] = {
    {ReasonCode::kBeingEvaluated,
     [](const Words&) { return std::string("the next scheduling round will look at it"); }},
    {ReasonCode::kHeld,
     [](const Words&) { return std::string("held until somebody releases it"); }          },
    {ReasonCode::kBackOff,
     [](const Words& w) {
       return absl::StrCat("may not start before ", UtcText(w.blocker.until));
     }                                                                                    },
    {ReasonCode::kBeginTime,
     [](const Words& w) {
       return absl::StrCat("may not start before ", UtcText(w.blocker.until));
     }                                                                                    },
    {ReasonCode::kDependency,
     [](const Words& w) {
       return w.blocker.have == 1 ? absl::StrFormat("waits for job %d", w.blocker.job.value())
                                  : absl::StrFormat("waits for %d other jobs, job %d among them",
                                                    w.blocker.have, w.blocker.job.value());
     }                                                                                    },
    {ReasonCode::kArrayThrottle,
     [](const Words& w) {
       return absl::StrFormat("as many tasks of the array run as may at once: %d", w.blocker.bound);
     }                                                                                    },
    {ReasonCode::kTenantSuspended,
     [](const Words& w) {
       return absl::StrFormat("tenant \"%s\" is suspended",
                              w.quota.FindTenant(w.spec.tenant)->name);
     }                                                                                    },
    {ReasonCode::kTenantLimit,
     [](const Words& w) {
       return absl::StrFormat("tenant \"%s\" may hold %d %s, uses %d, job %s %d",
                              w.quota.FindTenant(w.spec.tenant)->name, w.blocker.bound, w.name,
                              w.blocker.have, Asks(w.spec), w.blocker.asked);
     }                                                                                    },
    {ReasonCode::kProjectLimit,
     [](const Words& w) {
       return absl::StrFormat("project \"%s\" may hold %d %s, uses %d, job %s %d",
                              w.quota.FindProject(w.spec.project)->name, w.blocker.bound, w.name,
                              w.blocker.have, Asks(w.spec), w.blocker.asked);
     }                                                                                    },
    {ReasonCode::kNonPreemptible,
     [](const Words& w) {
       return absl::StrFormat(
           "needs %d %s that may not be recalled; the tenant owns %d, of which %d are taken",
           w.blocker.asked, w.name, w.blocker.bound, w.blocker.have);
     }                                                                                    },
    {ReasonCode::kBorrowing,
     [](const Words& w) {
       return absl::StrFormat("needs %d %s; the tenant owns %d and uses %d%s", w.blocker.asked,
                              w.name, w.blocker.bound, w.blocker.have,
                              w.spec.may_borrow ? "" : ", and the job may not borrow");
     }                                                                                    },
    {ReasonCode::kNonLendable,
     [](const Words& w) {
       return absl::StrFormat("needs %d %s; %d are free, of which %d are kept for their owners",
                              w.blocker.asked, w.name, w.blocker.have, w.blocker.bound);
     }                                                                                    },
    {ReasonCode::kBlocksOwed,
     [](const Words& w) {
       return absl::StrFormat("would leave %d whole blocks of %s where %d are owed to their owners",
                              w.blocker.have, w.name, w.blocker.bound);
     }                                                                                    },
    {ReasonCode::kShortfall,
     [](const Words& w) {
       return absl::StrFormat("%d of %d owned %s are there; the tenant's share is %d, it uses %d",
                              w.blocker.other, w.blocker.bound, w.name, w.blocker.asked,
                              w.blocker.have);
     }                                                                                    },
    {ReasonCode::kNoNodes,
     [](const Words& w) {
       return absl::StrFormat("needs %s, ready and allowed for it; %d nodes are",
                              Shape(w.spec.gang, w.name), w.blocker.have);
     }                                                                                    },
    {ReasonCode::kBooked,
     [](const Words& w) {
       return absl::StrFormat(
           "needs %s until its time limit; %d of %d nodes that have them "
           "are promised away before",
           Shape(w.spec.gang, w.name), w.blocker.have, w.blocker.bound);
     }                                                                                    },
    {ReasonCode::kTopology,
     [](const Words& w) {
       // `other`: such nodes of the best place, free or not, where they were counted.
       const bool never = w.blocker.other > 0 && w.blocker.other < w.spec.gang.least_nodes();
       return absl::StrFormat("needs %s in one %s; the best has %d %ssuch nodes",
                              Shape(w.spec.gang, w.name), Name(w.spec.gang.topology),
                              never ? w.blocker.other : w.blocker.have, never ? "" : "free ");
     }                                                                                    },
    {ReasonCode::kFragmentation,
     [](const Words& w) {
       return absl::StrFormat("needs %s; %d have that many free (%d free in all)",
                              Shape(w.spec.gang, w.name), w.blocker.have, w.blocker.bound);
     }                                                                                    },
    {ReasonCode::kHostResources,
     [](const Words& w) {
       return absl::StrFormat(
           "needs %d nodes with %.1f free cores and %s of free memory each; %d have "
           "both and "
           "the devices",
           w.spec.gang.least_nodes(), static_cast<double>(w.spec.gang.per_node.cpu_milli) / 1000,
           FormatSize(w.spec.gang.per_node.memory_mib * kBytesPerMib), w.blocker.have);
     }                                                                                    },
    {ReasonCode::kDevicesBusy,
     [](const Words& w) {
       return absl::StrFormat("needs %s; %d of %d are free", Shape(w.spec.gang, w.name),
                              w.blocker.have, w.blocker.bound);
     }                                                                                    },
    {ReasonCode::kRecalling,
     [](const Words& w) {
       return absl::StrFormat("%d %s are being given back for it, by %s at the latest",
                              w.blocker.asked, w.name, UtcText(w.blocker.until));
     }                                                                                    },
    {ReasonCode::kBehindAnchor,
     [](const Words& w) {
       return absl::StrFormat("would delay job %d, which may start at %s at the latest",
                              w.blocker.job.value(), UtcText(w.blocker.until));
     }                                                                                    },
    {ReasonCode::kQueueHead,
     [](const Words& w) {
       return absl::StrFormat("the tenant's queue lets nothing pass its head, job %d",
                              w.blocker.job.value());
     }                                                                                    },
    {ReasonCode::kPreparing,
     [](const Words& w) {
       return absl::StrFormat("%d of %d nodes are prepared", w.blocker.have, w.blocker.asked);
     }                                                                                    },
    {ReasonCode::kStopping,        [](const Words&) { return std::string("stopping"); }   },
    {ReasonCode::kNodeSilent,
     [](const Words&) {
       return std::string("its node is silent and the job asked to wait for it");
     }                                                                                    },
};

}  // namespace

PendingReason Cluster::ReasonOf(const Job& job) const {
  switch (job.state) {
    case JobState::kHeld:
      return {ReasonCode::kHeld, job.attempt.end.reason == EndReason::kAdmin
                                     ? absl::StrCat("held: ", job.attempt.end.message)
                                     : "held until somebody releases it"};
    case JobState::kQueued: {
      const bool first = job.attempt.state == AttemptState::kNone;
      if (job.not_before > absl::InfinitePast() && !first) {
        return {ReasonCode::kBackOff,
                absl::StrFormat("attempt %d ended (%s); the next one may start after a pause",
                                job.attempt.number, Name(job.attempt.end.reason))};
      }
      return Describe(job.spec, BlockerOf(job));
    }
    case JobState::kDispatching: {
      int64_t prepared = 0;
      for (AllocationId id : job.allocations) {
        prepared += allocations_.at(id).state == AllocationState::kPrepared ? 1 : 0;
      }
      return {ReasonCode::kPreparing,
              absl::StrFormat("%d of %d nodes are prepared", prepared, job.allocations.size())};
    }
    case JobState::kStopping:
      return {ReasonCode::kStopping, absl::StrCat("stopping: ", Name(job.attempt.end.reason))};
    case JobState::kWaitNode:
      return {ReasonCode::kNodeSilent, "its node is silent and the job asked to wait for it"};
    case JobState::kStarting:
    case JobState::kRunning:
    case JobState::kSucceeded:
    case JobState::kFailed:
    case JobState::kCancelled:
    case JobState::kTimedOut:
    case JobState::kDependencyFailed:
      return {};
  }
  return {};
}

Blocker Cluster::BlockerOf(const Job& job) const {
  if (!job.spec.dependencies.empty()) {
    return {.code = ReasonCode::kDependency,
            .have = static_cast<int64_t>(job.spec.dependencies.size()),
            .job = job.spec.dependencies.front().job};
  }
  if (job.not_before > absl::InfinitePast()) {
    return {.code = ReasonCode::kBeginTime, .until = job.not_before};
  }
  if (Startable(job) == 0) {
    return {.code = ReasonCode::kArrayThrottle,
            .have = job.tasks.live,
            .bound = job.spec.array.concurrent_max};
  }
  if (const auto claim = open_reclaims().find(job.id); claim != open_reclaims().end()) {
    const Reclaim& reclaim = claim->second;
    return {.code = ReasonCode::kRecalling,
            .device_class = reclaim.device_class,
            .asked = int64_t{reclaim.nodes} * reclaim.devices_per_node,
            .until = reclaim.due};
  }
  return groups_.at(job.group).blocker;
}

PendingReason Cluster::Describe(const JobSpec& spec, const Blocker& blocker) const {
  const Words words{quota_, spec, blocker, ClassName(blocker.device_class)};
  for (const Sentence& sentence : kSentences) {
    if (sentence.code == blocker.code) {
      return {blocker.code, sentence.say(words)};
    }
  }
  return {blocker.code, std::string(Name(blocker.code))};
}

}  // namespace berth
