#include "scheduler/rpc/log_relay.h"

#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace berth {
namespace {

constexpr NodeId kNode(3);

class LogPipeTest : public ::testing::Test {
 protected:
  LogPipeTest() { pipe_.Expect(kNode, 5); }
  LogPipe::Taken Take() {
    return pipe_.Take(piece_, end_, [this] { ++wakes_; });
  }
  bool Push(const std::string& data) {
    return pipe_.Push({.data = data}, [this] { ++resumes_; });
  }

  LogPipe pipe_{1, "token"};
  LogPiece piece_;
  absl::Status end_;
  int wakes_ = 0;
  int resumes_ = 0;
  int cancels_ = 0;
};

TEST_F(LogPipeTest, PassesPiecesInOrderAndThenItsEnd) {
  ASSERT_TRUE(pipe_.Open(kNode, [] {}));
  EXPECT_TRUE(pipe_.Push({.data = "one", .offset_bytes = 10}, [] {}));
  LogPiece two{.data = "two", .offset_bytes = 13};
  two.stamps.Add()->set_at_us(4711);
  EXPECT_TRUE(pipe_.Push(std::move(two), [] {}));
  pipe_.Close(absl::OkStatus());
  pipe_.Close(absl::InternalError("too late"));
  EXPECT_EQ(Take(), LogPipe::Taken::kPiece);
  EXPECT_EQ(piece_.data, "one");
  EXPECT_EQ(piece_.rank, 5);
  EXPECT_EQ(Take(), LogPipe::Taken::kPiece);
  EXPECT_EQ(piece_.offset_bytes, 13);
  ASSERT_EQ(piece_.stamps.size(), 1);
  EXPECT_EQ(piece_.stamps[0].at_us(), 4711);
  EXPECT_EQ(Take(), LogPipe::Taken::kEnd);
  EXPECT_TRUE(end_.ok());
}

TEST_F(LogPipeTest, WakesAReaderOnceForEachTimeItFoundNothing) {
  EXPECT_EQ(Take(), LogPipe::Taken::kNothing);
  Push("a");
  Push("b");
  EXPECT_EQ(wakes_, 1);
  Take();
  Take();
  EXPECT_EQ(Take(), LogPipe::Taken::kNothing);
  pipe_.Close(absl::OkStatus());
  EXPECT_EQ(wakes_, 2);
}

TEST_F(LogPipeTest, HoldsTheWriterBackWhenItIsFull) {
  for (size_t i = 1; i < LogPipe::kPiecesMax; ++i) {
    EXPECT_TRUE(Push("x"));
  }
  EXPECT_FALSE(Push("x"));
  EXPECT_EQ(resumes_, 0);
  Take();
  EXPECT_EQ(resumes_, 1);
  Take();
  EXPECT_EQ(resumes_, 1);
}

TEST_F(LogPipeTest, CountsBytesToo) {
  EXPECT_FALSE(Push(std::string(LogPipe::kBytesMax, 'x')));
  Take();
  EXPECT_EQ(resumes_, 1);
  EXPECT_TRUE(Push("x"));
}

TEST_F(LogPipeTest, AReaderThatLeavesCancelsAndFreesTheWriter) {
  ASSERT_TRUE(pipe_.Open(kNode, [this] { ++cancels_; }));
  EXPECT_FALSE(Push(std::string(LogPipe::kBytesMax, 'x')));
  pipe_.Abandon();
  pipe_.Abandon();
  EXPECT_EQ(cancels_, 1);
  EXPECT_EQ(resumes_, 1);
  EXPECT_TRUE(Push("dropped"));
  EXPECT_EQ(Take(), LogPipe::Taken::kEnd);
  EXPECT_EQ(end_.code(), absl::StatusCode::kCancelled);
}

TEST_F(LogPipeTest, AReleasedWriterIsNotCancelled) {
  ASSERT_TRUE(pipe_.Open(kNode, [this] { ++cancels_; }));
  pipe_.Release();
  pipe_.Abandon();
  EXPECT_EQ(cancels_, 0);
}

TEST_F(LogPipeTest, OpensOnceAndForItsNodeOnly) {
  EXPECT_FALSE(pipe_.Open(NodeId(4), [] {}));
  EXPECT_TRUE(pipe_.Open(kNode, [] {}));
  EXPECT_FALSE(pipe_.Open(kNode, [] {}));
  LogPipe unasked(2, "token");
  EXPECT_FALSE(unasked.Open(NodeId(), [] {}));
}

TEST_F(LogPipeTest, ATimeoutEndsOnlyWhatNobodyOpened) {
  pipe_.CloseUnlessOpened(absl::UnavailableError("silence"));
  EXPECT_EQ(Take(), LogPipe::Taken::kEnd);
  EXPECT_EQ(end_.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(pipe_.Open(kNode, [] {}));

  LogPipe opened(2, "token");
  opened.Expect(kNode, 0);
  ASSERT_TRUE(opened.Open(kNode, [] {}));
  opened.CloseUnlessOpened(absl::UnavailableError("silence"));
  EXPECT_EQ(opened.Take(piece_, end_, [] {}), LogPipe::Taken::kNothing);
}

TEST(Relay, GivesWhoReadsManyNarrowPipesForTheOthers) {
  LogRelay relay;
  for (int i = 0; i < LogRelay::kWidePipesMax; ++i) {
    EXPECT_TRUE((*relay.Add("a"))->Push({.data = "x"}, [] {}));
  }
  EXPECT_FALSE((*relay.Add("a"))->Push({.data = "x"}, [] {}));
  EXPECT_TRUE((*relay.Add("b"))->Push({.data = "x"}, [] {}));
}

TEST(Relay, BoundsTheLogsOfOneToken) {
  LogRelay relay;
  std::shared_ptr<LogPipe> last;
  for (int i = 0; i < LogRelay::kPipesPerTokenMax; ++i) {
    last = *relay.Add("a");
  }
  EXPECT_EQ(relay.Add("a").status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(relay.Add("b").ok());
  relay.Remove(last->request_id());
  relay.Remove(last->request_id());
  EXPECT_TRUE(relay.Add("a").ok());
  EXPECT_FALSE(relay.Add("a").ok());
}

TEST(Relay, EndsThePipesOfRefusedTokens) {
  LogRelay relay;
  const auto good = *relay.Add("good");
  const auto bad = *relay.Add("bad");
  EXPECT_NE(good->request_id(), bad->request_id());
  EXPECT_EQ(relay.Find(bad->request_id()), bad);
  EXPECT_EQ(relay.Find(999), nullptr);
  relay.CloseRefused([](absl::string_view token) {
    return token == "bad" ? absl::UnauthenticatedError("revoked") : absl::OkStatus();
  });
  LogPiece piece;
  absl::Status end;
  EXPECT_EQ(bad->Take(piece, end, [] {}), LogPipe::Taken::kEnd);
  EXPECT_EQ(end.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(good->Take(piece, end, [] {}), LogPipe::Taken::kNothing);
}

}  // namespace
}  // namespace berth
