#include "agent/shim/rank_log.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include <gtest/gtest.h>

#include "agent/shim/shim_protocol.h"
#include "agent/shim/stop_file.h"
#include "tests/testing/temp_dir.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

class RankLogTest : public testing::Test {
 protected:
  std::string Path() const { return dir.File("rank-00000.log"); }
  std::string Content(int64_t begin) const {
    std::ostringstream text;
    text << std::ifstream(LogSegmentPath(Path(), begin)).rdbuf();
    return text.str();
  }
  std::vector<StampRecord> Stamps(int64_t begin) const {
    std::ifstream file(LogStampPath(Path(), begin), std::ios::binary);
    std::vector<StampRecord> stamps;
    StampRecord stamp;
    while (file.read(reinterpret_cast<char*>(&stamp), sizeof(stamp))) {
      stamps.push_back(stamp);
    }
    return stamps;
  }
  std::set<std::string> Files() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }
  static void Write(const RankLog& log, const std::string& text) {
    ASSERT_EQ(write(log.writer(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  TempDir dir;
};

TEST_F(RankLogTest, WhatIsWrittenIsInTheFile) {
  RankLog log(Path(), 0, 0);
  ASSERT_TRUE(log.Open(-1, -1));
  Write(log, "hello\n");
  log.Pump();
  EXPECT_EQ(Content(0), "hello\n");
  EXPECT_GE(log.reader(), 0);
  log.Pump();  // nothing there: no end, no wait
  EXPECT_GE(log.reader(), 0);
}

TEST_F(RankLogTest, WhatIsWrittenHasItsTime) {
  RankLog log(Path(), 0, 0);
  ASSERT_TRUE(log.Open(-1, -1));
  const int64_t before = absl::GetCurrentTimeNanos() / 1000;
  Write(log, "hello\n");
  log.Pump();
  const int64_t after = absl::GetCurrentTimeNanos() / 1000;
  const std::vector<StampRecord> stamps = Stamps(0);
  ASSERT_EQ(stamps.size(), 1u);
  EXPECT_EQ(stamps[0].offset, 0);
  EXPECT_GE(stamps[0].time_us, before);
  EXPECT_LE(stamps[0].time_us, after);
}

TEST_F(RankLogTest, EverySegmentBeginsWithATime) {
  RankLog log(Path(), 20, 8);
  ASSERT_TRUE(log.Open(-1, -1));
  Write(log, "01234567890123456789abcdefghijabcdefghijABC");
  log.CloseWriter();
  log.Drain();
  for (const int64_t begin : {0, 20, 40}) {
    ASSERT_EQ(Stamps(begin).size(), 1u) << begin;
    EXPECT_EQ(Stamps(begin)[0].offset, begin);
  }
}

TEST_F(RankLogTest, ASilentRankLeavesNoStamps) {
  RankLog log(Path(), 0, 0);
  ASSERT_TRUE(log.Open(-1, -1));
  log.Pump();
  log.CloseWriter();
  log.Drain();
  EXPECT_EQ(Files(), (std::set<std::string>{"rank-00000.log"}));
}

// The log goes on where the stamps cannot.
TEST_F(RankLogTest, StampsThatCannotBeWrittenCostNoByte) {
  std::filesystem::create_directory(LogStampPath(Path(), 0));
  RankLog log(Path(), 0, 0);
  ASSERT_TRUE(log.Open(-1, -1));
  Write(log, "hello\n");
  log.Pump();
  EXPECT_EQ(Content(0), "hello\n");
}

// Many stamps for few bytes: their file is bounded as the log's is.
TEST_F(RankLogTest, StampsFillASegmentToo) {
  RankLog log(Path(), 2 * sizeof(StampRecord), 8);
  ASSERT_TRUE(log.Open(-1, -1));
  for (int i = 0; i < 5; ++i) {
    Write(log, "0123456789");
    log.Pump();
    const absl::Time next = absl::Now() + absl::Microseconds(StampWriter::kTimeApartUs);
    while (absl::Now() <= next) {
    }
  }
  EXPECT_EQ(Content(0), "01234567890123456789");
  EXPECT_EQ(Content(20), "01234567890123456789");
  EXPECT_EQ(Content(40), "0123456789");
}

TEST_F(RankLogTest, TheEndComesWithTheLastWriter) {
  RankLog log(Path(), 0, 0);
  ASSERT_TRUE(log.Open(-1, -1));
  Write(log, "last words");
  log.CloseWriter();
  log.Drain();
  EXPECT_EQ(Content(0), "last words");
  EXPECT_EQ(log.reader(), -1);
}

TEST_F(RankLogTest, SegmentsHaveTheirSizeAndTheOldestLeave) {
  RankLog log(Path(), 20, 3);
  ASSERT_TRUE(log.Open(-1, -1));
  Write(log, "01234567890123456789abcdefghijabcdefghijABCDEFGHIJABCDEFGHIJ01234567890123456789xyz");
  log.CloseWriter();
  log.Drain();
  EXPECT_EQ(Files(),
            (std::set<std::string>{
                "rank-00000.log.000000000000040", "rank-00000.log.000000000000040.stamps",
                "rank-00000.log.000000000000060", "rank-00000.log.000000000000060.stamps",
                "rank-00000.log.000000000000080", "rank-00000.log.000000000000080.stamps"}));
  EXPECT_EQ(Content(40), "ABCDEFGHIJABCDEFGHIJ");
  EXPECT_EQ(Content(60), "01234567890123456789");
  EXPECT_EQ(Content(80), "xyz");
}

TEST_F(RankLogTest, AFileThatIsThereIsContinued) {
  std::ofstream(Path()) << "before\n";
  RankLog log(Path(), 0, 0);
  ASSERT_TRUE(log.Open(-1, -1));
  Write(log, "after\n");
  log.Pump();
  EXPECT_EQ(Content(0), "before\nafter\n");
}

TEST_F(RankLogTest, ALinkInItsPlaceIsNotFollowed) {
  std::filesystem::create_symlink(dir.File("victim"), Path());
  RankLog log(Path(), 0, 0);
  EXPECT_FALSE(log.Open(-1, -1));
  EXPECT_FALSE(std::filesystem::exists(dir.File("victim")));
}

// The job must go on: what the disk does not take is dropped, counted, and told when it takes
// again.
TEST_F(RankLogTest, AFullDiskStopsNoWriterAndTheLossIsTold) {
  RankLog log(Path(), 10, 8);
  ASSERT_TRUE(log.Open(-1, -1));
  Write(log, "0123456789");
  log.Pump();
  // The next segment cannot be made while a folder has its name.
  const std::string next = LogSegmentPath(Path(), 10);
  std::filesystem::create_directory(next);
  Write(log, "lost");
  log.Pump();
  std::filesystem::remove(next);
  Write(log, "kept");
  log.CloseWriter();
  log.Drain();
  const std::string text = Content(10);
  EXPECT_EQ(text.find("lost\n"), std::string::npos) << text;
  EXPECT_NE(text.find("[berth: 4 bytes of the log are lost: the disk was full]"), std::string::npos)
      << text;
}

TEST_F(RankLogTest, ThePipeBelongsToTheTasksUser) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "only root gives files away";
  }
  RankLog log(Path(), 0, 0);
  ASSERT_TRUE(log.Open(1900000001, 1900000001));
  struct stat info {};
  ASSERT_EQ(fstat(log.writer(), &info), 0);
  EXPECT_EQ(info.st_uid, 1900000001u);
  ASSERT_EQ(stat(Path().c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 0u);
}

TEST(StopFile, HasTheReasonAsJson) {
  EXPECT_EQ(
      FormatStopNotice({.reason = 3, .grace_ms = 30500, .message = "acme asks for its \"8\"\n"}),
      "{\"reason\":\"preempted\",\"grace_seconds\":30,\"message\":\"acme asks for its '8''\"}\n");
  EXPECT_EQ(FormatStopNotice({.reason = 0}),
            "{\"reason\":\"failed-rank\",\"grace_seconds\":0,\"message\":\"\"}\n");
}

TEST(StopFile, IsWholeAndReadableByTheTask) {
  const TempDir dir;
  const int folder = open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const mode_t mask = umask(0077);
  WriteStopFile(folder, {.reason = 2, .grace_ms = 1000, .message = "time limit"});
  umask(mask);
  struct stat info {};
  ASSERT_EQ(fstatat(folder, kStopFileName, &info, 0), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
  EXPECT_EQ(ReadFileAt(folder, kStopFileName),
            "{\"reason\":\"time-limit\",\"grace_seconds\":1,\"message\":\"time limit\"}\n");
  EXPECT_EQ(faccessat(folder, "stop.new", F_OK, 0), -1);
  close(folder);
}

}  // namespace
}  // namespace berth
