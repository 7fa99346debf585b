#include "scheduler/rpc/background_worker.h"

#include <memory>
#include <vector>

#include "absl/synchronization/notification.h"
#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(BackgroundWorker, RunsOneAfterTheOther) {
  std::vector<int> order;
  absl::Notification done;
  BackgroundWorker worker;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(worker.Post([&order, i] { order.push_back(i); }));
  }
  ASSERT_TRUE(worker.Post([&done] { done.Notify(); }));
  done.WaitForNotification();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(BackgroundWorker, RefusesWhatIsTooMuch) {
  absl::Notification started;
  absl::Notification go_on;
  BackgroundWorker worker(2);
  ASSERT_TRUE(worker.Post([&] {
    started.Notify();
    go_on.WaitForNotification();
  }));
  started.WaitForNotification();
  EXPECT_TRUE(worker.Post([] {}));
  EXPECT_TRUE(worker.Post([] {}));
  EXPECT_FALSE(worker.Post([] {}));
  go_on.Notify();
}

// Rule: who waits for a dropped request learns of it by its closure's end.
TEST(BackgroundWorker, AStopDropsWhatWaits) {
  absl::Notification started;
  absl::Notification go_on;
  auto waiting = std::make_shared<int>(1);
  BackgroundWorker worker;
  ASSERT_TRUE(worker.Post([&] {
    started.Notify();
    go_on.WaitForNotification();
  }));
  started.WaitForNotification();
  ASSERT_TRUE(worker.Post([waiting] {}));
  EXPECT_EQ(waiting.use_count(), 2);
  go_on.Notify();
  worker.Stop();
  EXPECT_FALSE(worker.Post([] {}));
  EXPECT_EQ(waiting.use_count(), 1);
}

}  // namespace
}  // namespace berth
