#include "scheduler/core/active_times.h"

#include <vector>

#include <gtest/gtest.h>

namespace berth {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

Job Dispatched(uint64_t id, absl::Time at) {
  Job job;
  job.id = JobId(id);
  job.state = JobState::kDispatching;
  job.attempt.created_at = at;
  return job;
}

Job Running(uint64_t id, absl::Duration limit, absl::Duration grace) {
  Job job;
  job.id = JobId(id);
  job.state = JobState::kRunning;
  job.attempt.started_at = kNow;
  job.spec.time_limit = limit;
  job.spec.grace = grace;
  return job;
}

TEST(ActiveTimesTest, TakesWhatMayBeLateOnceAndById) {
  ActiveTimes times;
  times.Note(Running(3, absl::Minutes(10), absl::Minutes(1)));
  times.Note(Dispatched(2, kNow));
  times.Note(Running(1, absl::Minutes(5), absl::ZeroDuration()));
  times.Note(Running(1, absl::Minutes(5), absl::ZeroDuration()));
  EXPECT_TRUE(times.TakeBefore(kNow, kNow + absl::Minutes(5)).empty()) << "not at the time itself";
  const absl::Time later = kNow + absl::Seconds(1);
  EXPECT_EQ(times.TakeBefore(later, kNow + absl::Minutes(9)),
            (std::vector<JobId>{JobId(1), JobId(2)}));
  EXPECT_TRUE(times.TakeBefore(later, kNow + absl::Minutes(9)).empty());
  EXPECT_EQ(times.TakeBefore(later, kNow + absl::Minutes(9) + absl::Seconds(1)),
            std::vector<JobId>{JobId(3)});
  EXPECT_EQ(times.size(), 0U);
}

TEST(ActiveTimesTest, AnArrayAndAPendingJobHaveNoTimes) {
  ActiveTimes times;
  Job array = Running(1, absl::Minutes(1), absl::ZeroDuration());
  array.spec.array.count = 2;
  times.Note(array);
  times.Note(Job());
  EXPECT_EQ(times.size(), 0U);
}

}  // namespace
}  // namespace berth
