#include "agent/core/notice_board.h"

#include <string>

#include <gtest/gtest.h>

namespace berth {
namespace {

constexpr absl::Duration kStart = absl::Hours(1);

v1::TaskNotice NoticeOf(uint64_t allocation, uint64_t count) {
  v1::TaskNotice notice;
  notice.set_allocation_id(allocation);
  notice.set_count(count);
  notice.set_age_ms(10);
  notice.set_checkpoint("step=" + std::to_string(count));
  notice.set_checkpoint_age_ms(30);
  return notice;
}

TEST(NoticeBoardTest, OnlyTheLastOfATaskIsTold) {
  NoticeBoard board;
  board.Put(NoticeOf(1, 1), kStart);
  board.Put(NoticeOf(1, 2), kStart);
  board.Put(NoticeOf(2, 1), kStart);
  const auto messages = board.TakeNews(kStart);
  ASSERT_EQ(messages.size(), 1u);
  ASSERT_EQ(messages[0].notices().notices_size(), 2);
  EXPECT_EQ(messages[0].notices().notices(0).checkpoint(), "step=2");
  EXPECT_FALSE(board.HasNews());
  EXPECT_TRUE(board.TakeNews(kStart).empty());
}

TEST(NoticeBoardTest, AgesCountToTheMomentOfTelling) {
  NoticeBoard board;
  board.Put(NoticeOf(1, 1), kStart);
  const auto messages = board.TakeNews(kStart + absl::Seconds(2));
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].notices().notices(0).age_ms(), 2010);
  EXPECT_EQ(messages[0].notices().notices(0).checkpoint_age_ms(), 2030);
}

TEST(NoticeBoardTest, TheSameNoticeAgainIsNoNews) {
  NoticeBoard board;
  board.Put(NoticeOf(1, 1), kStart);
  board.TakeNews(kStart);
  board.Put(NoticeOf(1, 1), kStart + absl::Seconds(5));
  EXPECT_FALSE(board.HasNews());
}

TEST(NoticeBoardTest, ANewSessionHearsAllOfTasksThatStillRun) {
  NoticeBoard board;
  board.Put(NoticeOf(1, 1), kStart);
  board.Put(NoticeOf(2, 1), kStart);
  board.TakeNews(kStart);
  board.Forget(1);
  board.BeginSession();
  ASSERT_TRUE(board.HasNews());
  const auto messages = board.TakeNews(kStart);
  ASSERT_EQ(messages.size(), 1u);
  ASSERT_EQ(messages[0].notices().notices_size(), 1);
  EXPECT_EQ(messages[0].notices().notices(0).allocation_id(), 2u);
}

TEST(NoticeBoardTest, ManyTasksAreToldInMessagesOfABoundedSize) {
  NoticeBoard board;
  for (uint64_t id = 1; id <= 2500; ++id) {
    board.Put(NoticeOf(id, 1), kStart);
  }
  const auto messages = board.TakeNews(kStart);
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[2].notices().notices_size(), 500);
}

}  // namespace
}  // namespace berth
