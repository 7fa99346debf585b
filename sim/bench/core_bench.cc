#include "sim/bench/core_bench.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "scheduler/core/explain.h"
#include "sim/bench/loaded_center.h"
#include "sim/bench/samples.h"
#include "sim/random.h"
#include "sim/simulator.h"
#include "sim/workload.h"
#include <gperftools/malloc_extension_c.h>
#include <malloc.h>

// Not there in a sanitizer's build.
#pragma weak MallocExtension_GetNumericProperty

namespace berth {
namespace {

constexpr absl::Duration kEndTarget = absl::Milliseconds(5);
constexpr int64_t kJobBytesTarget = 1024;
constexpr absl::Duration kEnough = absl::Seconds(4);  // for repeating one kind of operation
constexpr absl::Duration kSimulationTarget = absl::Minutes(2);

absl::Duration ProcessorTime() {
  timespec spent{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return absl::DurationFromTimespec(spent);
}

// Bytes, with what the allocator adds to round them up.
int64_t HeapInUse() {
  size_t bytes = 0;
  if (MallocExtension_GetNumericProperty != nullptr) {
    MallocExtension_GetNumericProperty("generic.current_allocated_bytes", &bytes);
    return static_cast<int64_t>(bytes);
  }
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

double Ms(absl::Duration duration) {
  return absl::ToDoubleMilliseconds(duration);
}

std::string Target(std::optional<absl::Duration> bound) {
  return bound.has_value() ? absl::StrCat("   target ", absl::FormatDuration(*bound)) : "";
}

// Durations of one kind of operation, by the clock and by the processor: the second does not grow
// when the machine is busy with something else.
class Timing {
 public:
  template <typename Operation>
  void Measure(Operation operation) {
    const absl::Duration spent = ProcessorTime();
    const absl::Time begin = absl::Now();
    operation();
    wall_.Add(absl::Now() - begin);
    processor_.Add(ProcessorTime() - spent);
  }
  void Print(const std::string& what, std::optional<absl::Duration> target) {
    std::printf("  %-40s p50 %9.3f ms, max %9.3f ms; processor %9.3f ms, %9.3f ms%s\n",
                what.c_str(), Ms(wall_.Percentile(0.5)), Ms(wall_.Percentile(1)),
                Ms(processor_.Percentile(0.5)), Ms(processor_.Percentile(1)),
                Target(target).c_str());
    std::fflush(stdout);
  }
  bool IsEnough() const { return wall_.Sum() > kEnough; }
  void PrintSum(const std::string& what) const {
    std::printf("  %-40s %d of them, %.0f ms together; processor %.0f ms\n", what.c_str(),
                static_cast<int>(wall_.count()), Ms(wall_.Sum()), Ms(processor_.Sum()));
    std::fflush(stdout);
  }

 private:
  Samples wall_;
  Samples processor_;
};

struct Size {
  int nodes;
  int64_t pending;
  std::optional<absl::Duration> round_target;
};

// Rounds until nothing more happens.
Timing FillUp(LoadedCenter& center) {
  Timing rounds;
  while (center.engine().PlanDue()) {
    rounds.Measure([&] { center.Round(); });
    center.Settle();
  }
  return rounds;
}

void MeasureEnds(LoadedCenter& center, int count, const std::string& what) {
  sim::Random random(1);
  Timing ends;
  for (int i = 0; i < count && !ends.IsEnough(); ++i) {
    std::vector<JobId> running;
    for (const JobId job : center.engine().cluster().active_jobs()) {
      if (center.engine().cluster().GetJob(job).state == JobState::kRunning) {
        running.push_back(job);
      }
    }
    const JobId job =
        running[static_cast<size_t>(random.Below(static_cast<int64_t>(running.size())))];
    ends.Measure([&] {
      center.EndJob(job);
      center.Round();
      center.TakeChanges();
    });
    center.Settle();
  }
  ends.Print(what, kEndTarget);
}

void MeasureRounds(const CoreBenchOptions& options, const Size& size) {
  const sim::Workload workload = sim::MakeWorkload({.jobs = 3 * size.pending, .nodes = size.nodes});
  LoadedCenter center(workload);
  center.SubmitUntilPending(size.pending);
  std::printf("%d nodes x 8, %d pending jobs in %d groups\n", size.nodes,
              static_cast<int>(size.pending), static_cast<int>(center.ready_groups()));
  std::fflush(stdout);
  Timing first;
  first.Measure([&] { center.Round(); });
  first.Print("empty cluster, first round", std::nullopt);
  center.Settle();
  FillUp(center).PrintSum("empty cluster, rounds until it is full");
  do {  // what comes in finds places that those before it did not fit
    center.SubmitUntilPending(size.pending);
    FillUp(center);
  } while (center.pending() < size.pending * 99 / 100);
  Timing rounds;
  for (int i = 0; i < options.rounds && !rounds.IsEnough(); ++i) {
    rounds.Measure([&] { center.Round(); });
    center.Settle();
  }
  rounds.Print(absl::StrCat("full cluster, round over ", center.ready_groups(), " groups"),
               size.round_target);
  MeasureEnds(center, options.ends, "one job ends, what fits starts, changes");
  Timing fork;
  for (int i = 0; i < options.rounds; ++i) {
    std::unique_ptr<Cluster> copy;
    fork.Measure([&] { copy = std::make_unique<Cluster>(center.engine().cluster()); });
  }
  fork.Print("fork: a copy of the cluster", std::nullopt);
}

void MeasureExplain(const CoreBenchOptions& options) {
  constexpr int64_t kPending = 5000;
  const sim::Workload workload = sim::MakeWorkload({.jobs = 3 * kPending, .nodes = 1000});
  LoadedCenter center(workload);
  do {
    center.SubmitUntilPending(kPending);
    FillUp(center);
  } while (center.pending() < kPending * 99 / 100);
  std::vector<JobId> waiting;
  for (const auto& [id, group] : center.engine().cluster().groups()) {
    if (!group.ready.empty()) {
      waiting.push_back(*group.ready.begin());
    }
  }
  std::sort(waiting.begin(), waiting.end());
  sim::Random random(1);
  Timing explain;
  for (int i = 0; i < options.ends && !explain.IsEnough(); ++i) {
    const JobId job =
        waiting[static_cast<size_t>(random.Below(static_cast<int64_t>(waiting.size())))];
    explain.Measure(
        [&] { Explain(center.engine().cluster(), center.engine().policy(), job, center.now()); });
  }
  std::printf("1000 nodes x 8, %d pending jobs, %d running ones\n",
              static_cast<int>(center.pending()),
              static_cast<int>(center.engine().cluster().active_jobs().size()));
  explain.Print("explain a pending job", absl::Milliseconds(50));
}

void MeasureMemory() {
  constexpr int64_t kJobs = 100'000;
  const sim::Workload workload = sim::MakeWorkload({.jobs = kJobs, .nodes = 512});
  LoadedCenter center(workload);
  const int64_t before = HeapInUse();
  center.SubmitUntilPending(kJobs);
  std::printf("memory of %d pending jobs in %d groups: %d bytes each   target %d bytes\n",
              static_cast<int>(kJobs), static_cast<int>(center.ready_groups()),
              static_cast<int>((HeapInUse() - before) / kJobs), static_cast<int>(kJobBytesTarget));
  std::fflush(stdout);
}

void MeasureSimulation(const CoreBenchOptions& options) {
  const sim::Workload workload = sim::MakeWorkload({.jobs = options.jobs, .nodes = options.nodes});
  const absl::Duration spent = ProcessorTime();
  const absl::Time begin = absl::Now();
  sim::Simulator simulator(workload.center, workload.jobs, {.round_interval_us = 1'000'000});
  simulator.Run();
  std::printf(
      "%d jobs through the core on %d nodes: %.1f s; processor %.1f s; %d rounds; hash %016lx%s\n",
      static_cast<int>(options.jobs), options.nodes, absl::ToDoubleSeconds(absl::Now() - begin),
      absl::ToDoubleSeconds(ProcessorTime() - spent), static_cast<int>(simulator.rounds()),
      simulator.decision_hash(), Target(kSimulationTarget).c_str());
  std::fflush(stdout);
}

struct Scenario {
  const char* name;
  std::function<void(const CoreBenchOptions&)> run;
};

std::function<void(const CoreBenchOptions&)> Rounds(const Size& size) {
  return [size](const CoreBenchOptions& options) { MeasureRounds(options, size); };
}

const std::vector<Scenario>& Scenarios() {
  static const auto* const kScenarios = new std::vector<Scenario>{
      {"round-512", Rounds({512, 10'000, absl::Milliseconds(50)})               },
      {"round-2k",  Rounds({2000, 20'000, std::nullopt})                        },
      {"round-10k", Rounds({10'000, 100'000, absl::Milliseconds(200)})          },
      {"explain",   MeasureExplain                                              },
      {"memory",    [](const CoreBenchOptions& /*options*/) { MeasureMemory(); }},
      {"simulate",  MeasureSimulation                                           },
  };
  return *kScenarios;
}

}  // namespace

absl::Status RunCoreBench(const CoreBenchOptions& options) {
  std::string known;
  for (const Scenario& scenario : Scenarios()) {
    absl::StrAppend(&known, known.empty() ? "" : ", ", scenario.name);
  }
  for (const std::string& name : options.scenarios) {
    if (std::none_of(Scenarios().begin(), Scenarios().end(),
                     [&](const Scenario& scenario) { return scenario.name == name; })) {
      return absl::InvalidArgumentError(
          absl::StrCat("scenario \"", name, "\" is not known; there are ", known));
    }
  }
  for (const Scenario& scenario : Scenarios()) {
    const auto& wanted = options.scenarios;
    if (wanted.empty() || std::count(wanted.begin(), wanted.end(), scenario.name) > 0) {
      scenario.run(options);
    }
  }
  return absl::OkStatus();
}

}  // namespace berth
