#include "agent/log_reader.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "agent/executor/task_folder.h"
#include "agent/shim/rank_log.h"
#include "agent/shim/shim_protocol.h"
#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

constexpr uint64_t kJob = 17;
constexpr int kAttempt = 1;
constexpr int kRank = 3;
constexpr size_t kChunkBytes = 64 << 10;

class LogReaderTest : public testing::Test {
 protected:
  LogReaderTest() { std::filesystem::create_directories(Folder()); }

  std::string Folder() const { return TaskFolder::PathOf(dir_.path(), kJob, kAttempt); }
  std::string LogPath() const { return TaskFolder::LogPathOf(dir_.path(), kJob, kAttempt, kRank); }
  void Append(const std::string& text) {
    std::ofstream(LogPath(), std::ios::binary | std::ios::app) << text;
  }
  absl::StatusOr<LogReader> Open(int64_t tail_lines, int64_t offset_bytes = 0) const {
    v1::OpenLog request;
    request.set_job_id(kJob);
    request.set_attempt(kAttempt);
    request.set_rank(kRank);
    request.set_tail_lines(tail_lines);
    request.set_offset_bytes(offset_bytes);
    return LogReader::Open(dir_.path(), request);
  }
  // Everything from where it is opened to the present end.
  std::string ReadAll(int64_t tail_lines, int64_t offset_bytes = 0) const {
    auto reader = Open(tail_lines, offset_bytes);
    if (!reader.ok()) {
      return reader.status().ToString();
    }
    std::string text;
    for (std::string chunk = reader->ReadNext(); !chunk.empty(); chunk = reader->ReadNext()) {
      text += chunk;
    }
    return text;
  }

  TempDir dir_;
};

// A log of three segments: bytes 0 to 9, 10 to 19, and 20 on.
class SegmentedLogTest : public LogReaderTest {
 protected:
  SegmentedLogTest() {
    Append("one\ntwo\nth");
    std::ofstream(LogSegmentPath(LogPath(), 10)) << "ree\nfour\nf";
    std::ofstream(LogSegmentPath(LogPath(), 20)) << "ive\n";
  }
};

TEST_F(SegmentedLogTest, IsReadAsOne) {
  EXPECT_EQ(ReadAll(-1), "one\ntwo\nthree\nfour\nfive\n");
  EXPECT_EQ(ReadAll(-1, 14), "four\nfive\n");
  EXPECT_EQ(ReadAll(-1, 22), "e\n");
}

TEST_F(SegmentedLogTest, LastLinesAreCountedOverSegments) {
  EXPECT_EQ(ReadAll(1), "five\n");
  EXPECT_EQ(ReadAll(3), "three\nfour\nfive\n");
  EXPECT_EQ(ReadAll(99), "one\ntwo\nthree\nfour\nfive\n");
}

TEST_F(SegmentedLogTest, WhatHasLeftIsJumpedOver) {
  std::filesystem::remove(LogPath());
  auto reader = Open(-1, 3);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader->offset(), 10);
  EXPECT_EQ(reader->ReadNext(), "ree\nfour\nf");
  EXPECT_EQ(reader->offset(), 20);
  EXPECT_EQ(ReadAll(99), "ree\nfour\nfive\n");
}

TEST_F(SegmentedLogTest, AFollowerGoesOnIntoTheNextSegment) {
  auto reader = Open(0);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader->ReadNext(), "");
  std::ofstream(LogSegmentPath(LogPath(), 20), std::ios::app) << "six\n";
  EXPECT_EQ(reader->ReadNext(), "six\n");
  std::ofstream(LogSegmentPath(LogPath(), 28)) << "seven\n";
  EXPECT_EQ(reader->ReadNext(), "seven\n");
}

TEST_F(SegmentedLogTest, ALinkInPlaceOfASegmentIsNotFollowed) {
  std::filesystem::create_symlink("/etc/passwd", LogSegmentPath(LogPath(), 24));
  EXPECT_EQ(ReadAll(1), "five\n");
}

TEST_F(SegmentedLogTest, TheTailOfALogIsBounded) {
  v1::OpenLog request;
  request.set_job_id(kJob);
  request.set_attempt(kAttempt);
  request.set_rank(kRank);
  EXPECT_EQ(ReadLogTail(dir_.path(), request), "one\ntwo\nthree\nfour\nfive\n");
  std::ofstream(LogSegmentPath(LogPath(), 20), std::ios::app) << std::string(100000, 'x') << "end";
  const std::string tail = ReadLogTail(dir_.path(), request);
  EXPECT_EQ(tail.size(), 4096u);
  EXPECT_EQ(tail.substr(4090), "xxxend");
  request.set_rank(kRank + 1);
  EXPECT_EQ(ReadLogTail(dir_.path(), request), "");
}

// Three segments with stamps: "one" at 100 s, "two" at 200 s, "three" from 300 s on, "four" at 400
// s, "five" from 450 s on.
class StampedLogTest : public SegmentedLogTest {
 protected:
  StampedLogTest() {
    Stamp(0, {
                 {0, 100},
                 {4, 200},
                 {8, 300}
    });
    Stamp(10, {
                  {10, 300},
                  {14, 400},
                  {19, 450}
    });
    Stamp(20, {
                  {20, 500}
    });
  }
  void Stamp(int64_t segment, const std::vector<std::pair<int64_t, int64_t>>& stamps) {
    std::ofstream file(LogStampPath(LogPath(), segment), std::ios::binary);
    for (const auto& [offset, seconds] : stamps) {
      const StampRecord record{.offset = offset, .time_us = seconds * 1'000'000};
      file.write(reinterpret_cast<const char*>(&record), sizeof(record));
    }
  }
  absl::StatusOr<LogReader> OpenSince(int64_t seconds, int64_t tail_lines = -1) const {
    v1::OpenLog request;
    request.set_job_id(kJob);
    request.set_attempt(kAttempt);
    request.set_rank(kRank);
    request.set_tail_lines(tail_lines);
    request.set_since_us(seconds * 1'000'000);
    request.set_with_stamps(true);
    return LogReader::Open(dir_.path(), request);
  }
  std::string ReadSince(int64_t seconds, int64_t tail_lines = -1) const {
    auto reader = OpenSince(seconds, tail_lines);
    std::string text;
    for (std::string chunk = reader->ReadNext(); !chunk.empty(); chunk = reader->ReadNext()) {
      text += chunk;
    }
    return text;
  }
};

TEST_F(StampedLogTest, BeginsWithTheFirstLineThatWasNotWholeThen) {
  EXPECT_EQ(ReadSince(1), "one\ntwo\nthree\nfour\nfive\n");
  EXPECT_EQ(ReadSince(100), "one\ntwo\nthree\nfour\nfive\n");
  EXPECT_EQ(ReadSince(101), "two\nthree\nfour\nfive\n");
  EXPECT_EQ(ReadSince(301), "four\nfive\n");
  EXPECT_EQ(ReadSince(451), "five\n");  // its first letter came at 450 s, in the segment before
  EXPECT_EQ(ReadSince(501), "");
}

TEST_F(StampedLogTest, TailAndTimeBothHold) {
  EXPECT_EQ(ReadSince(101, 1), "five\n");
  EXPECT_EQ(ReadSince(301, 4), "four\nfive\n");
  EXPECT_EQ(ReadSince(1, 0), "");
}

TEST_F(StampedLogTest, WhatNobodyKnowsTheTimeOfIsNotLeftOut) {
  for (const int64_t segment : {0, 10, 20}) {
    std::filesystem::remove(LogStampPath(LogPath(), segment));
  }
  EXPECT_EQ(ReadSince(450), "one\ntwo\nthree\nfour\nfive\n");
}

TEST_F(StampedLogTest, EveryPieceHasItsTimes) {
  auto reader = OpenSince(101);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader->ReadNext(), "two\nth");
  ASSERT_EQ(reader->stamps().size(), 2u);
  EXPECT_EQ(reader->stamps()[0].offset, 4);
  EXPECT_EQ(reader->stamps()[0].time_us, 200'000'000);
  EXPECT_EQ(reader->stamps()[1].offset, 8);
  EXPECT_EQ(reader->ReadNext(), "ree\nfour\nf");
  EXPECT_EQ(reader->stamps().size(), 3u);
  EXPECT_EQ(reader->ReadNext(), "ive\n");
  ASSERT_EQ(reader->stamps().size(), 1u);
  EXPECT_EQ(reader->stamps()[0].time_us, 500'000'000);
}

TEST_F(StampedLogTest, TheTimeOfWhatCameBeforeGoesOn) {
  v1::OpenLog request;
  request.set_job_id(kJob);
  request.set_attempt(kAttempt);
  request.set_rank(kRank);
  request.set_tail_lines(-1);
  request.set_offset_bytes(5);
  request.set_with_stamps(true);
  auto reader = LogReader::Open(dir_.path(), request);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader->ReadNext(), "wo\nth");
  ASSERT_EQ(reader->stamps().size(), 2u);
  EXPECT_EQ(reader->stamps()[0].offset, 4);
}

TEST_F(StampedLogTest, AFollowerSeesTheTimesOfWhatComes) {
  auto reader = OpenSince(501);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader->ReadNext(), "");
  Stamp(20, {
                {20, 500},
                {24, 600}
  });
  std::ofstream(LogSegmentPath(LogPath(), 20), std::ios::app) << "six\n";
  EXPECT_EQ(reader->ReadNext(), "six\n");
  ASSERT_EQ(reader->stamps().size(), 1u);
  EXPECT_EQ(reader->stamps()[0].time_us, 600'000'000);
}

// A piece has only so many times: it ends where they do.
TEST_F(LogReaderTest, APieceEndsWhereItsTimesDo) {
  std::ofstream file(LogStampPath(LogPath(), 0), std::ios::binary);
  for (int64_t at = 0; at < 3000; ++at) {
    Append("\n");
    const StampRecord record{.offset = at, .time_us = at};
    file.write(reinterpret_cast<const char*>(&record), sizeof(record));
  }
  file.close();
  v1::OpenLog request;
  request.set_job_id(kJob);
  request.set_attempt(kAttempt);
  request.set_rank(kRank);
  request.set_tail_lines(-1);
  request.set_with_stamps(true);
  auto reader = LogReader::Open(dir_.path(), request);
  ASSERT_TRUE(reader.ok());
  size_t bytes = 0;
  for (std::string piece = reader->ReadNext(); !piece.empty(); piece = reader->ReadNext()) {
    ASSERT_EQ(reader->stamps().size(), piece.size());
    EXPECT_LE(piece.size(), StampReader::kStampsMax);
    EXPECT_EQ(reader->stamps()[0].offset, static_cast<int64_t>(bytes));
    bytes += piece.size();
  }
  EXPECT_EQ(bytes, 3000u);
}

TEST_F(LogReaderTest, NameCountsRanksWithFiveDigits) {
  EXPECT_EQ(LogPath(), dir_.path() + "/jobs/17/1/rank-00003.log");
}

TEST_F(LogReaderTest, ReadsFromTheBeginningOrAnOffset) {
  Append("one\ntwo\nthree\n");
  EXPECT_EQ(ReadAll(-1), "one\ntwo\nthree\n");
  EXPECT_EQ(ReadAll(-1, 4), "two\nthree\n");
}

TEST_F(LogReaderTest, OffsetBehindTheEndBeginsAtTheEnd) {
  Append("one\n");
  auto reader = Open(-1, 1000);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader->offset(), 4);
  EXPECT_EQ(reader->ReadNext(), "");
}

TEST_F(LogReaderTest, TailCountsLines) {
  Append("one\ntwo\nthree\n");
  EXPECT_EQ(ReadAll(0), "");
  EXPECT_EQ(ReadAll(1), "three\n");
  EXPECT_EQ(ReadAll(2), "two\nthree\n");
  EXPECT_EQ(ReadAll(3), "one\ntwo\nthree\n");
  EXPECT_EQ(ReadAll(100), "one\ntwo\nthree\n");
}

TEST_F(LogReaderTest, TailCountsALastLineWithoutItsEnd) {
  Append("one\ntwo\nthr");
  EXPECT_EQ(ReadAll(1), "thr");
  EXPECT_EQ(ReadAll(2), "two\nthr");
}

TEST_F(LogReaderTest, TailOfEmptyLines) {
  Append("\n\n\n");
  EXPECT_EQ(ReadAll(2), "\n\n");
}

TEST_F(LogReaderTest, TailReachesOverManyChunks) {
  const std::string line(1000, 'x');
  for (int i = 0; i < 300; ++i) {
    Append(std::to_string(i) + line + "\n");
  }
  EXPECT_EQ(ReadAll(1), "299" + line + "\n");
  const std::string tail = ReadAll(250);
  EXPECT_EQ(tail.substr(0, 3), "50x");
  EXPECT_EQ(tail.size(), 50 * 1003u + 200 * 1004u);
}

TEST_F(LogReaderTest, PiecesAreBoundedAndCountedInBytes) {
  Append(std::string(kChunkBytes + 10, 'a'));
  auto reader = Open(-1);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader->ReadNext().size(), kChunkBytes);
  EXPECT_EQ(reader->offset(), static_cast<int64_t>(kChunkBytes));
  EXPECT_EQ(reader->ReadNext().size(), 10u);
}

TEST_F(LogReaderTest, SeesWhatIsWrittenAfterTheEndWasReached) {
  Append("one\n");
  auto reader = Open(-1);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader->ReadNext(), "one\n");
  EXPECT_EQ(reader->ReadNext(), "");
  Append("two\n");
  EXPECT_EQ(reader->ReadNext(), "two\n");
}

TEST_F(LogReaderTest, GrowsAsLongAsTheShimsSocketIsThere) {
  Append("one\n");
  const std::string socket = Folder() + "/" + kSocketFileName;
  std::ofstream(socket) << "";
  auto reader = Open(-1);
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(reader->MayGrow());
  std::filesystem::remove(socket);
  EXPECT_FALSE(reader->MayGrow());
}

TEST_F(LogReaderTest, MissingLogNamesWhatIsMissing) {
  const auto status = Open(-1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("job 17 attempt 1 rank 3"), absl::string_view::npos) << status;
}

// A log that was replaced by a link would show somebody else's file.
TEST_F(LogReaderTest, LinkIsNotFollowed) {
  const std::string secret = dir_.File("secret");
  std::ofstream(secret) << "secret";
  std::filesystem::create_symlink(secret, LogPath());
  EXPECT_FALSE(Open(-1).ok());
}

TEST_F(LogReaderTest, MovedReaderGoesOn) {
  Append("one\ntwo\n");
  auto reader = Open(-1, 4);
  ASSERT_TRUE(reader.ok());
  LogReader moved = *std::move(reader);
  EXPECT_EQ(moved.ReadNext(), "two\n");
}

}  // namespace
}  // namespace berth
