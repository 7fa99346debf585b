#include "sim/policies/remaining_time.h"

#include <algorithm>
#include <climits>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace berth::sim {
namespace {

enum class Key { kTime, kService };

// The key, then the order of submission.
using Entry = std::pair<__int128, int>;

constexpr Entry kNobody = {static_cast<__int128>(INT64_MAX) << 32, INT_MAX};

// The first of each size, and the first of all sizes up to a bound. A tree of minima.
class FirstBySize {
 public:
  explicit FirstBySize(size_t sizes) {
    while (leaves_ < sizes) {
      leaves_ *= 2;
    }
    tree_.assign(2 * leaves_, kNobody);
  }

  void Set(size_t size, const Entry& first) {
    size_t at = leaves_ + size;
    tree_[at] = first;
    for (at /= 2; at >= 1; at /= 2) {
      tree_[at] = std::min(tree_[2 * at], tree_[2 * at + 1]);
    }
  }
  // Of the sizes before `end`.
  Entry First(size_t end) const {
    Entry first = kNobody;
    for (size_t at = leaves_ + end; at > 1; at /= 2) {
      if (at % 2 == 1) {
        first = std::min(first, tree_[at - 1]);
      }
    }
    return first;
  }

 private:
  size_t leaves_ = 2;
  std::vector<Entry> tree_;
};

// Numbers for the different counts of devices that jobs ask, growing with them.
std::vector<int64_t> SizesOf(const std::vector<TraceJob>& jobs) {
  std::vector<int64_t> sizes;
  for (const TraceJob& job : jobs) {
    sizes.push_back(job.devices);
  }
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

class RemainingTimeRun {
 public:
  RemainingTimeRun(const ReplayInput& input, Key key)
      : input_(input),
        key_(key),
        sizes_(SizesOf(input.jobs)),
        left_us_(input.jobs.size()),
        times_(input.jobs.size()),
        active_(sizes_.size()),
        first_(sizes_.size() + 1) {}

  Replay Run() {
    while (next_submission_ < input_.jobs.size() || active_count_ > 0) {
      AdvanceTo(NextTime());
      while (next_submission_ < input_.jobs.size() &&
             input_.jobs[next_submission_].submit_us == now_) {
        Submit(static_cast<int>(next_submission_++));
      }
      Schedule();
      usage_.push_back({now_, busy_, active_count_ - static_cast<int64_t>(running_.size())});
    }
    return {std::move(times_), std::move(usage_)};
  }

 private:
  int64_t NextTime() const {
    int64_t next = INT64_MAX;
    for (const int job : running_) {
      next = std::min(next, now_ + left_us_[job]);
    }
    if (next_submission_ < input_.jobs.size()) {
      next = std::min(next, input_.jobs[next_submission_].submit_us);
    }
    return next;
  }

  // The number of the first size of at least so many devices.
  size_t SizeAbove(int64_t devices) const {
    return static_cast<size_t>(std::lower_bound(sizes_.begin(), sizes_.end(), devices) -
                               sizes_.begin());
  }
  size_t SizeOf(int job) const { return SizeAbove(input_.jobs[job].devices); }

  Entry EntryOf(int job) const {
    const TraceJob& trace = input_.jobs[job];
    const int64_t done = trace.run_us - left_us_[job];
    const __int128 left = std::max<int64_t>(input_.EstimateOf(trace) - done, 0);
    return {key_ == Key::kTime ? left : left * trace.devices, job};
  }

  void ShowFirst(size_t size) {
    first_.Set(size, active_[size].empty() ? kNobody : *active_[size].begin());
  }

  void Submit(int job) {
    if (!input_.pool.CouldHold(input_.jobs[job].devices)) {
      return;
    }
    left_us_[job] = input_.jobs[job].run_us;
    active_[SizeOf(job)].insert(EntryOf(job));
    ShowFirst(SizeOf(job));
    ++active_count_;
  }

  // What ran until now ran on; what ended leaves.
  void AdvanceTo(int64_t time) {
    for (const int job : running_) {
      std::set<Entry>& same_size = active_[SizeOf(job)];
      same_size.erase(EntryOf(job));
      left_us_[job] -= time - now_;
      if (left_us_[job] > 0) {
        same_size.insert(EntryOf(job));
      } else {
        times_[job].end_us = time;
        --active_count_;
      }
      ShowFirst(SizeOf(job));
    }
    running_.clear();
    now_ = time;
  }

  // What does not fit does not fit later in the same pass, nor do its equals in size.
  void Schedule() {
    DevicePool pool = input_.pool;
    std::set<size_t> touched;
    while (true) {
      const Entry entry = first_.First(SizeAbove(pool.free() + 1));
      if (entry == kNobody) {
        break;
      }
      const int job = entry.second;
      const size_t size = SizeOf(job);
      touched.insert(size);
      const std::optional<Grant> grant = pool.Find(input_.jobs[job].devices);
      if (!grant.has_value()) {
        first_.Set(size, kNobody);
        continue;
      }
      pool.Take(*grant);
      running_.push_back(job);
      if (times_[job].start_us == kNever) {
        times_[job].start_us = now_;
      }
      const auto next = active_[size].upper_bound(entry);
      first_.Set(size, next == active_[size].end() ? kNobody : *next);
    }
    for (const size_t size : touched) {
      ShowFirst(size);
    }
    busy_ = pool.capacity() - pool.free();
  }

  const ReplayInput& input_;
  const Key key_;
  const std::vector<int64_t> sizes_;
  std::vector<int64_t> left_us_;  // of the true run time
  std::vector<JobTimes> times_;
  std::vector<UsagePoint> usage_;
  std::vector<std::set<Entry>> active_;  // waiting and running, by size
  FirstBySize first_;
  std::vector<int> running_;
  int64_t active_count_ = 0;
  int64_t busy_ = 0;
  size_t next_submission_ = 0;
  int64_t now_ = 0;
};

}  // namespace

Replay RunSrtf(const ReplayInput& input) {
  return RemainingTimeRun(input, Key::kTime).Run();
}

Replay RunSrsf(const ReplayInput& input) {
  return RemainingTimeRun(input, Key::kService).Run();
}

}  // namespace berth::sim
