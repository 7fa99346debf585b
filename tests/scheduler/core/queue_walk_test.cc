// A walk that takes those alike together comes by the same places in the same order as a plain one.

#include "scheduler/core/queue_walk.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "sim/random.h"

namespace berth {
namespace {

const Blocker kBusy{.code = ReasonCode::kDevicesBusy};
const Blocker kLimit{.code = ReasonCode::kTenantLimit};

QueuePlace RandomPlace(sim::Random& random, int number) {
  return {.priority = static_cast<int>(random.Below(3)),
          .submitted_at = absl::FromUnixSeconds(number),
          .oldest = JobId(number),
          .group = GroupId(number),
          .shape = ShapeId(1 + random.Below(4)),
          .least_devices = 8,
          .whole = true,
          .plain = true,
          .preemptible = random.Below(4) > 0,
          .may_borrow = random.Below(4) > 0};
}

TenantQueue RandomQueue(sim::Random& random) {
  TenantQueue queue;
  std::vector<QueuePlace> all;
  for (int number = 1; number <= 40; ++number) {
    all.push_back(RandomPlace(random, number));
    queue.Insert(all.back(), kBusy);
  }
  for (const QueuePlace& place : all) {
    if (random.Below(3) == 0) {
      queue.Erase(place, kBusy);
    }
  }
  return queue;
}

bool Nothing(const QueuePlace& /*place*/) {
  return false;
}

using Skips = bool (*)(const QueuePlace&);

std::vector<QueuePlace> AllOf(const TenantQueue& queue, bool alike, Skips skips) {
  QueueWalks walks;
  QueueWalk walk = walks.Begin(queue, alike, skips);
  std::vector<QueuePlace> places;
  for (; walk.next() != nullptr; walk.Pass()) {
    places.push_back(*walk.next());
  }
  return places;
}

bool AreAlike(const QueuePlace& a, const QueuePlace& b) {
  const bool must_own = !a.preemptible || !a.may_borrow;
  return a.shape == b.shape && a.preemptible == b.preemptible && a.may_borrow == b.may_borrow &&
         (!must_own || a.priority == b.priority);
}

TEST(QueueWalkTest, SameOrderTogetherAndOneByOne) {
  for (int seed = 1; seed <= 50; ++seed) {
    sim::Random random(seed);
    const TenantQueue queue = RandomQueue(random);
    const std::vector<QueuePlace> plain(queue.places().begin(), queue.places().end());
    EXPECT_EQ(AllOf(queue, true, Nothing), plain) << seed;
    EXPECT_EQ(AllOf(queue, false, Nothing), plain) << seed;
  }
}

TEST(QueueWalkTest, PassesThoseAlikeAndNoOthers) {
  for (int seed = 1; seed <= 50; ++seed) {
    sim::Random random(seed);
    const TenantQueue queue = RandomQueue(random);
    QueueWalks walks;
    QueueWalk walk = walks.Begin(queue, true, Nothing);
    std::vector<QueuePlace> passed;  // the first of those alike
    for (const QueuePlace& place : queue.places()) {
      const bool known = std::any_of(passed.begin(), passed.end(), [&place](const QueuePlace& of) {
        return AreAlike(of, place);
      });
      if (!known) {
        ASSERT_NE(walk.next(), nullptr) << seed;
        EXPECT_EQ(*walk.next(), place) << seed;
        walk.Note({kBusy, true});
        walk.PassAlike();
        passed.push_back(place);
      }
    }
    EXPECT_EQ(walk.next(), nullptr) << seed;
  }
}

TEST(QueueWalkTest, LeavesOutWhatIsSkipped) {
  sim::Random random(7);
  const TenantQueue queue = RandomQueue(random);
  const auto skips = [](const QueuePlace& place) { return place.shape == ShapeId(1); };
  const std::vector<QueuePlace> places = AllOf(queue, true, skips);
  EXPECT_TRUE(std::none_of(places.begin(), places.end(), skips));
  EXPECT_LT(places.size(), queue.places().size());
}

TEST(QueueWalkTest, RemembersARefusalForThoseAlikeOnly) {
  TenantQueue queue;
  QueuePlace place{.oldest = JobId(1), .group = GroupId(1), .shape = ShapeId(1)};
  queue.Insert(place, kBusy);
  place.oldest = JobId(2);
  place.shape = ShapeId(2);
  queue.Insert(place, kBusy);
  place.oldest = JobId(3);
  place.shape = ShapeId(1);
  queue.Insert(place, kBusy);
  QueueWalks walks;
  QueueWalk walk = walks.Begin(queue, true, Nothing);
  walk.Note({kLimit, false});
  walk.Pass();
  EXPECT_EQ(walk.next()->oldest, JobId(2));
  EXPECT_FALSE(walk.refusal().has_value());
  walk.Pass();
  EXPECT_EQ(walk.next()->oldest, JobId(3));
  ASSERT_TRUE(walk.refusal().has_value());
  EXPECT_EQ(walk.refusal()->blocker, kLimit);
  walk.Finish();
  EXPECT_EQ(walk.next(), nullptr);
}

TEST(TenantQueueTest, CountsWhatThoseAlikeWereTold) {
  TenantQueue queue;
  QueuePlace first{.priority = 1, .oldest = JobId(1), .group = GroupId(1), .shape = ShapeId(1)};
  QueuePlace second{.priority = 2, .oldest = JobId(2), .group = GroupId(2), .shape = ShapeId(1)};
  queue.Insert(first, kBusy);
  queue.Insert(second, kBusy);
  ASSERT_EQ(queue.alike().size(), 1U);
  const AlikePlaces& alike = queue.alike().begin()->second;
  EXPECT_EQ(alike.Told(kBusy), 2);
  queue.ChangeBlocker(second, kBusy, kLimit);
  EXPECT_EQ(alike.Told(kBusy), 1);
  EXPECT_EQ(alike.Told(kLimit), 1);
  EXPECT_EQ(alike.places.front(), second);
  EXPECT_EQ(alike.places.back(), first);
  queue.Erase(second, kLimit);
  EXPECT_EQ(alike.Told(kLimit), 0);
  queue.Erase(first, kBusy);
  EXPECT_TRUE(queue.alike().empty());
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace berth
