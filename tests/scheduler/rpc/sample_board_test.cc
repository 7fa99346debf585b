#include "scheduler/rpc/sample_board.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

class SteppedClock : public Clock {
 public:
  absl::Time Now() const override { return absl::UnixEpoch(); }
  absl::Duration SinceBoot() const override { return now; }
  absl::Duration now = absl::Hours(1);
};

v1::Heartbeat BeatWith(int percent, absl::Duration age) {
  v1::Heartbeat heartbeat;
  heartbeat.add_samples()->set_utilization_percent(percent);
  heartbeat.set_samples_age_ms(absl::ToInt64Milliseconds(age));
  return heartbeat;
}

TEST(SampleBoard, KeepsTheLastReadingOfEachNodeWithItsAge) {
  SteppedClock clock;
  SampleBoard board(clock, absl::Seconds(1));
  EXPECT_TRUE(board.Find(NodeId(1)).samples.empty());
  board.Put(NodeId(1), BeatWith(40, absl::Seconds(2)));
  board.Put(NodeId(2), BeatWith(50, absl::ZeroDuration()));
  board.Put(NodeId(2), BeatWith(60, absl::ZeroDuration()));
  board.Put(NodeId(1), v1::Heartbeat());
  clock.now += absl::Seconds(3);
  EXPECT_EQ(board.Find(NodeId(1)).samples.at(0).utilization_percent(), 40);
  EXPECT_EQ(board.Find(NodeId(1)).age, absl::Seconds(5));
  EXPECT_EQ(board.Find(NodeId(2)).samples.at(0).utilization_percent(), 60);
}

TEST(SampleBoard, WhatIsOldIsNotKnown) {
  SteppedClock clock;
  // Told of every second, and looked at every 5 s; told of every minute.
  SampleBoard often(clock, absl::Seconds(1));
  SampleBoard seldom(clock, absl::Minutes(1));
  for (SampleBoard* board : {&often, &seldom}) {
    board->Put(NodeId(1), BeatWith(40, absl::ZeroDuration()));
  }
  clock.now += absl::Seconds(20);
  EXPECT_EQ(often.Find(NodeId(1)).samples.size(), 1u);
  clock.now += absl::Milliseconds(1);
  EXPECT_TRUE(often.Find(NodeId(1)).samples.empty());
  EXPECT_EQ(seldom.Find(NodeId(1)).samples.size(), 1u);
  clock.now += absl::Minutes(4);
  EXPECT_TRUE(seldom.Find(NodeId(1)).samples.empty());
}

}  // namespace
}  // namespace berth
