#include "sim/workload.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

#include "common/check.h"
#include "sim/random.h"
#include "sim/units.h"

namespace berth::sim {
namespace {

constexpr int64_t kMilli = 1000;
constexpr int kNodesPerRack = 8;
constexpr int kRacksPerBlock = 8;
constexpr std::array<const char*, 2> kClasses = {"gpu", "npu"};

struct Weighted {
  int64_t value;
  int weight;
};

constexpr Weighted kDevices[] = {
    {1,  42},
    {2,  16},
    {4,  14},
    {8,  16},
    {16, 6 },
    {32, 4 },
    {64, 2 },
};
constexpr Weighted kPriorities[] = {
    {0,   85},
    {10,  10},
    {-10, 5 }
};
// Jobs of one submission: most are alone, a sweep is many of one shape.
constexpr Weighted kSweeps[] = {
    {1,  60},
    {5,  20},
    {16, 14},
    {80, 6 }
};
// What tenants want, in percent of what they own.
constexpr Weighted kDemands[] = {
    {30,  20},
    {60,  20},
    {100, 30},
    {140, 20},
    {250, 10}
};
// Quantiles of run times in seconds, every 5 %: close to a log-normal one.
constexpr int64_t kRunSeconds[] = {5,   20,   40,   65,   95,   130,  180,  240,   320,   430,  600,
                                   780, 1050, 1400, 1900, 2700, 4000, 6200, 10500, 22000, 86400};
constexpr int64_t kLimitMinutes[] = {10, 30, 60, 120, 240, 480, 720, 1440, 2880};
// Submissions by the hour of the day, and by the day of the week in percent of that.
constexpr int kHourRates[] = {30, 25,  20,  20,  20,  25, 35, 55, 80, 100, 110, 105,
                              90, 100, 115, 120, 110, 95, 80, 70, 60, 55,  45,  35};
constexpr int kDayPercent[] = {100, 105, 105, 105, 95, 50, 40};
constexpr int kFlashFactor = 3;  // one hour of every day

class Generator {
 public:
  explicit Generator(const WorkloadOptions& options) : options_(options), random_(options.seed) {
    BERTH_CHECK(options.nodes >= 4 && options.devices_per_node > 0 && options.tenants > 0);
  }

  Workload Run() {
    AddNodes();
    AddTenants();
    AddJobs();
    SpreadOverTime();
    return std::move(workload_);
  }

 private:
  template <size_t N>
  int64_t Draw(const Weighted (&table)[N]) {
    int64_t sum = 0;
    for (const Weighted& row : table) {
      sum += row.weight;
    }
    int64_t rest = random_.Below(sum);
    for (const Weighted& row : table) {
      rest -= row.weight;
      if (rest < 0) {
        return row.value;
      }
    }
    return table[N - 1].value;
  }
  bool Percent(int64_t percent) { return random_.Below(100) < percent; }
  // A place in a list of sums that never fall.
  size_t DrawFrom(const std::vector<int64_t>& sums) {
    return static_cast<size_t>(
        std::upper_bound(sums.begin(), sums.end(), random_.Below(sums.back())) - sums.begin());
  }

  void AddNodes() {
    class_nodes_ = {options_.nodes - options_.nodes / 4, options_.nodes / 4};
    for (int number = 0; number < options_.nodes; ++number) {
      const int rack = number / kNodesPerRack;
      const int block = rack / kRacksPerBlock;
      const HostResources host{.cpu_milli = int64_t{16000} * options_.devices_per_node,
                               .memory_mib = int64_t{262144} * options_.devices_per_node};
      workload_.center.nodes.push_back({
          .name = absl::StrFormat("n%05d", number + 1),
          .devices = options_.devices_per_node,
          .device_class = kClasses[number < class_nodes_[0] ? 0 : 1],
          .capacity = host,
          .topology = {
                       .pod = "", .block = absl::StrCat("b", block), .rack = absl::StrCat("r", rack)}
      });
    }
  }

  // The first tenant is the largest; the n-th owns about 2 / (n + 1) of what the first does.
  void AddTenants() {
    std::vector<int64_t> sizes;
    int64_t sum = 0;
    for (int tenant = 0; tenant < options_.tenants; ++tenant) {
      sizes.push_back(1'000'000 / (tenant + 2));
      sum += sizes.back();
    }
    int64_t wanted = 0;
    for (int tenant = 0; tenant < options_.tenants; ++tenant) {
      SimTenant made;
      made.name = absl::StrFormat("tenant-%03d", tenant + 1);
      int64_t owned = 0;
      for (size_t of_class = 0; of_class < kClasses.size(); ++of_class) {
        const int64_t capacity = int64_t{class_nodes_[of_class]} * options_.devices_per_node;
        QuotaLimits& limits = made.quotas[kClasses[of_class]];
        limits.entitlement = capacity * 9 / 10 * sizes[static_cast<size_t>(tenant)] / sum;
        limits.limit =
            tenant % 5 == 4 ? std::nullopt : std::optional<int64_t>(2 * limits.entitlement + 64);
        limits.non_lendable = tenant % 4 == 3 ? limits.entitlement / 4 : 0;
        limits.weight = limits.entitlement + 1;
        owned += limits.entitlement;
      }
      workload_.center.tenants.push_back(std::move(made));
      wanted += (owned + 1) * Draw(kDemands);
      wanted_.push_back(wanted);
    }
  }

  void AddJobs() {
    workload_.jobs.reserve(static_cast<size_t>(options_.jobs));
    while (static_cast<int64_t>(workload_.jobs.size()) < options_.jobs) {
      const SimJob like = MakeJob();
      const int64_t count =
          std::min<int64_t>(random_.Below(Draw(kSweeps)) + 1,
                            options_.jobs - static_cast<int64_t>(workload_.jobs.size()));
      submissions_.push_back(workload_.jobs.size());
      for (int64_t i = 0; i < count; ++i) {
        SimJob job = like;
        // The first one's time stands for what its user expects of all.
        job.run_us = i == 0 ? like.run_us : std::min(DrawRun(), LimitOf(like));
        work_ += job.run_us / kMilli * job.gang.devices();
        workload_.jobs.push_back(std::move(job));
      }
    }
    submissions_.push_back(workload_.jobs.size());
  }

  static int64_t LimitOf(const SimJob& job) { return absl::ToInt64Microseconds(job.time_limit); }

  SimJob MakeJob() {
    SimJob job;
    job.tenant = static_cast<int>(DrawFrom(wanted_));
    const int of_class = random_.Below(options_.nodes) < class_nodes_[0] ? 0 : 1;
    job.device_classes = {kClasses[static_cast<size_t>(of_class)]};
    if (Percent(10)) {
      job.device_classes.push_back(kClasses[static_cast<size_t>(1 - of_class)]);
    }
    ShapeGang(of_class, job);
    job.run_us = DrawRun();
    job.time_limit = DrawLimit(job.run_us);
    job.priority = static_cast<int>(Draw(kPriorities));
    job.stop_us = (5 + random_.Below(40)) * kSecond;
    // Only what its owner could give it at once may do without the others.
    const int64_t owned = workload_.center.tenants[static_cast<size_t>(job.tenant)]
                              .quotas.at(job.device_classes[0])
                              .entitlement;
    const bool small = job.device_classes.size() == 1 && job.gang.devices() <= owned / 4;
    job.preemptible = !(Percent(5) && small);
    job.may_borrow = !(Percent(5) && small);
    return job;
  }

  void ShapeGang(int of_class, SimJob& job) {
    const int64_t per_node = options_.devices_per_node;
    // At most half of the smallest class, so that an alternative could hold it too.
    const size_t smallest = job.device_classes.size() > 1 ? 1 : static_cast<size_t>(of_class);
    const int64_t nodes_max = std::max(1, class_nodes_[smallest] / 2);
    const int64_t devices = Draw(kDevices);
    const int64_t nodes = std::min((devices + per_node - 1) / per_node, nodes_max);
    job.gang.nodes = static_cast<int>(nodes);
    job.gang.devices_per_node = static_cast<int>(std::min(devices, per_node));
    job.gang.per_node = {.cpu_milli = int64_t{12000} * job.gang.devices_per_node,
                         .memory_mib = int64_t{131072} * job.gang.devices_per_node};
    if (nodes > 1 && Percent(10)) {
      job.gang.min_nodes = static_cast<int>(nodes / 2);
    }
  }

  int64_t DrawRun() {
    constexpr int64_t kSteps = std::size(kRunSeconds) - 1;
    const auto step = static_cast<size_t>(random_.Below(kSteps));
    const int64_t low = kRunSeconds[step] * kMilli;
    const int64_t high = kRunSeconds[step + 1] * kMilli;
    return (low + random_.Below(high - low)) * kMilli;
  }

  // Round, above the run time by a tenth at least where that is allowed.
  absl::Duration DrawLimit(int64_t run_us) {
    const int64_t wanted = run_us / 100 * (110 + random_.Below(200));
    for (const int64_t minutes : kLimitMinutes) {
      if (minutes * 60 * kSecond >= wanted) {
        return absl::Minutes(minutes);
      }
    }
    return absl::Minutes(*std::rbegin(kLimitMinutes));
  }

  // Submissions fall on hours as these are busy, the jobs of a sweep on the minutes after.
  void SpreadOverTime() {
    const int64_t capacity = int64_t{options_.nodes} * options_.devices_per_node;
    const int64_t span = work_ / capacity * 100 / options_.load_percent * kMilli;
    std::vector<int64_t> hours;
    int64_t sum = 0;
    int64_t flash = 0;
    for (int64_t hour = 0; hour <= span / kHour; ++hour) {
      if (hour % 24 == 0) {
        flash = hour + 8 + random_.Below(10);
      }
      const int64_t rate = kHourRates[hour % 24] * kDayPercent[hour / 24 % 7];
      sum += rate * (hour == flash ? kFlashFactor : 1);
      hours.push_back(sum);
    }
    for (size_t i = 0; i + 1 < submissions_.size(); ++i) {
      int64_t at = static_cast<int64_t>(DrawFrom(hours)) * kHour;
      at += random_.Below(kHour);
      const int64_t gap = Percent(50) ? 0 : random_.Below(60) * kSecond;
      for (size_t job = submissions_[i]; job < submissions_[i + 1]; ++job) {
        workload_.jobs[job].submit_us = at;
        at += gap;
      }
    }
    std::stable_sort(workload_.jobs.begin(), workload_.jobs.end(),
                     [](const SimJob& a, const SimJob& b) { return a.submit_us < b.submit_us; });
  }

  const WorkloadOptions options_;
  Random random_;
  Workload workload_;
  std::array<int, 2> class_nodes_ = {};
  std::vector<int64_t> wanted_;      // sums over the tenants
  std::vector<size_t> submissions_;  // where each begins in the jobs; one more for the end
  int64_t work_ = 0;                 // device-milliseconds
};

}  // namespace

Workload MakeWorkload(const WorkloadOptions& options) {
  return Generator(options).Run();
}

}  // namespace berth::sim
