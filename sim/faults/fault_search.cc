#include "sim/faults/fault_search.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"

#include <unistd.h>

namespace berth::sim {
namespace {

// A transition is covered when it was taken so often.
constexpr int64_t kCoveredFrom = 100;

// For a check that ends the process: it knows the condition, not the seed.
thread_local int64_t running_seed = 0;

void TellSeed(int /*signal*/) {
  char text[64];
  const int size =
      std::snprintf(text, sizeof(text), "in seed %lld\n", static_cast<long long>(running_seed));
  if (write(STDERR_FILENO, text, static_cast<size_t>(size)) < 0) {
    return;
  }
}

// The seeds are handed out one by one; what they give is added up. All threads.
class Search {
 public:
  explicit Search(const FaultSearchOptions& options)
      : next_(options.first_seed), end_(options.first_seed + options.seeds) {}

  void Work() {
    while (!failed_) {
      const int64_t seed = next_++;
      if (seed >= end_) {
        return;
      }
      running_seed = seed;
      Add(World(static_cast<uint64_t>(seed), database_).Run());
    }
  }

  FaultSearchResult Take() {
    absl::MutexLock lock(&mu_);
    return std::move(result_);
  }

 private:
  void Add(SeedResult seed) {
    absl::MutexLock lock(&mu_);
    ++result_.seeds;
    result_.events += seed.events;
    result_.executions += seed.executions;
    result_.hash += seed.hash;
    result_.coverage.Add(seed.coverage);
    if (!seed.invariant.empty()) {
      failed_ = true;
      if (!result_.failure.has_value() || seed.seed < result_.failure->seed) {
        result_.failure = std::move(seed);
      }
    }
  }

  const NewDatabase database_;
  std::atomic<int64_t> next_;
  const int64_t end_;
  std::atomic<bool> failed_ = false;
  absl::Mutex mu_;
  FaultSearchResult result_ ABSL_GUARDED_BY(mu_);
};

void PrintCoverage(const Coverage& coverage) {
  const std::vector<Transition> transitions = coverage.Transitions();
  for (const Transition& transition : transitions) {
    std::printf("  %-10s %-12s -> %-17s %12lld\n", transition.machine.c_str(),
                transition.from.c_str(), transition.to.c_str(),
                static_cast<long long>(transition.count));
  }
  const auto rare = std::count_if(transitions.begin(), transitions.end(),
                                  [](const auto& one) { return one.count < kCoveredFrom; });
  if (rare == 0) {
    std::printf("each of these %zu transitions was taken at least %lld times\n", transitions.size(),
                static_cast<long long>(kCoveredFrom));
    return;
  }
  std::printf("%lld of these %zu transitions were taken less than %lld times:\n",
              static_cast<long long>(rare), transitions.size(),
              static_cast<long long>(kCoveredFrom));
  for (const Transition& transition : transitions) {
    if (transition.count < kCoveredFrom) {
      std::printf("  %s: %s -> %s, %lld\n", transition.machine.c_str(), transition.from.c_str(),
                  transition.to.c_str(), static_cast<long long>(transition.count));
    }
  }
}

void PrintFailure(const SeedResult& failure) {
  std::printf("seed %lld breaks %s: %s\n", static_cast<long long>(failure.seed),
              failure.invariant.c_str(), failure.detail.c_str());
  std::printf("its last events:\n");
  for (const std::string& line : failure.last_events) {
    std::printf("%s\n", line.c_str());
  }
}

}  // namespace

FaultSearchResult SearchFaults(const FaultSearchOptions& options) {
  Search search(options);
  const int threads = options.threads > 0
                          ? options.threads
                          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::vector<std::thread> workers;
  for (int i = 1; i < threads; ++i) {
    workers.emplace_back([&search] { search.Work(); });
  }
  search.Work();
  for (std::thread& worker : workers) {
    worker.join();
  }
  return search.Take();
}

absl::Status RunFaults(const FaultSearchOptions& options) {
  if (options.seeds < 1 || options.first_seed < 0 || options.threads < 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%d seeds from %d on %d threads are not possible; ask for at least one "
                        "seed, from 0 upwards: --seeds 2000 --seed 1",
                        options.seeds, options.first_seed, options.threads));
  }
  std::signal(SIGABRT, TellSeed);
  const absl::Time begin = absl::Now();
  const FaultSearchResult result = SearchFaults(options);
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  PrintCoverage(result.coverage);
  std::printf(
      "%lld seeds from %lld in %.1f s: %.0f seeds/s, %lld events, %.0f events/s, "
      "%lld executions of tasks\n",
      static_cast<long long>(result.seeds), static_cast<long long>(options.first_seed), seconds,
      static_cast<double>(result.seeds) / seconds, static_cast<long long>(result.events),
      static_cast<double>(result.events) / seconds, static_cast<long long>(result.executions));
  std::printf("event hash %016llx\n", static_cast<unsigned long long>(result.hash));
  if (!result.failure.has_value()) {
    std::printf("no invariant was broken\n");
    return absl::OkStatus();
  }
  PrintFailure(*result.failure);
  return absl::InternalError(absl::StrCat("seed ", result.failure->seed, " breaks ",
                                          result.failure->invariant,
                                          "; again: berth-sim faults "
                                          "--seeds 1 --seed ",
                                          result.failure->seed));
}

}  // namespace berth::sim
