#include "agent/executor/log_archive.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/time/clock.h"
#include <gtest/gtest.h>

#include "agent/executor/archived_logs.h"
#include "agent/executor/old_folders.h"
#include "tests/testing/temp_dir.h"
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

namespace fs = std::filesystem;

constexpr UnarchivedLogs kLogs = {.job = 17, .attempt = 2, .allocation_id = 99};

class LogArchiveTest : public testing::Test {
 protected:
  LogArchiveTest() {
    fs::create_directories(archive_);
    fs::create_directories(attempt_);
    Write("rank-00003.log", "first\n");
    Write("rank-00003.log.000000000000006", "second\n");
    Write("rank-00003.log.stamps", "times");
    Write("hosts", "not a log");
    EXPECT_TRUE(MarkUnarchived(dir_.path(), kLogs, "acme", group_).ok());
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(attempt_ + "/" + name) << text;
  }
  absl::Status Archive() { return ArchiveLogs(dir_.path(), archive_, kLogs, true, stop_); }
  std::string Read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(archive_ + "/acme/17/2/" + name).rdbuf();
    return text.str();
  }
  bool IsMarked() const { return !ListUnarchived(dir_.path()).empty(); }

  TempDir dir_;
  const std::string archive_ = dir_.File("archive");
  const std::string attempt_ = dir_.File("jobs/17/2");
  const int64_t group_ = geteuid() == 0 ? 70012 : static_cast<int64_t>(getegid());
  std::atomic<bool> stop_ = false;
};

TEST_F(LogArchiveTest, LogsAndTheirTimesAreThereForTheirGroupAlone) {
  const absl::Status status = Archive();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_FALSE(IsMarked());
  EXPECT_EQ(Read("rank-00003.log"), "first\n");
  EXPECT_EQ(Read("rank-00003.log.000000000000006"), "second\n");
  EXPECT_EQ(Read("rank-00003.log.stamps"), "times");
  EXPECT_EQ(std::distance(fs::directory_iterator(archive_ + "/acme/17/2"), {}), 3);
  struct stat facts {};
  ASSERT_EQ(stat((archive_ + "/acme/17/2/rank-00003.log").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0640U);
  EXPECT_EQ(facts.st_gid, static_cast<gid_t>(group_));
  ASSERT_EQ(stat((archive_ + "/acme/17/2").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0750U);
  ASSERT_EQ(stat((archive_ + "/acme").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0711U);
  EXPECT_EQ(*FindArchivedLogs(archive_, 17, 2), archive_ + "/acme/17/2");
  EXPECT_TRUE(absl::IsNotFound(FindArchivedLogs(archive_, 17, 1).status()));
}

TEST_F(LogArchiveTest, WhatCannotBeArchivedIsTriedAgain) {
  fs::remove(archive_);
  EXPECT_FALSE(CheckArchive(archive_).ok());
  EXPECT_FALSE(Archive().ok());
  EXPECT_TRUE(IsMarked());
  fs::create_directories(archive_ + "/acme/17/2");
  // Of a copy that broke off.
  std::ofstream(archive_ + "/acme/17/2/.rank-00003.log.part") << "half";
  EXPECT_TRUE(CheckArchive(archive_).ok());
  ASSERT_TRUE(Archive().ok());
  EXPECT_EQ(Read("rank-00003.log"), "first\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(archive_ + "/acme/17/2"), {}), 3);
}

TEST_F(LogArchiveTest, ANodeRemovesWhatItHasBroughtItselfWhenItIsOld) {
  const absl::Time now = absl::Now();
  ASSERT_TRUE(Archive().ok());
  const std::string others = archive_ + "/acme/17/2/rank-00008.log";
  std::ofstream(others) << "another node's\n";
  const auto remove_before = [&](absl::Time before) {
    return RemoveArchived(dir_.path(), archive_, before, stop_);
  };
  ASSERT_TRUE(remove_before(now - absl::Hours(1)).ok());
  EXPECT_EQ(Read("rank-00003.log"), "first\n");
  fs::rename(archive_, archive_ + ".away");
  EXPECT_FALSE(remove_before(now + absl::Hours(1)).ok());
  fs::rename(archive_ + ".away", archive_);
  ASSERT_TRUE(remove_before(now + absl::Hours(1)).ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(archive_ + "/acme/17/2"), {}), 1);
  EXPECT_TRUE(fs::exists(others));
  // It has no record any more; what the node still has comes again as it would after a crash.
  EXPECT_TRUE(fs::is_empty(dir_.File("archived")));
  fs::remove(others);
  ASSERT_TRUE(MarkUnarchived(dir_.path(), kLogs, "acme", group_).ok());
  ASSERT_TRUE(Archive().ok());
  ASSERT_TRUE(remove_before(now + absl::Hours(1)).ok());
  EXPECT_FALSE(fs::exists(archive_ + "/acme"));
  EXPECT_TRUE(fs::exists(archive_));
}

TEST_F(LogArchiveTest, NoRecordLeadsOutOfTheArchive) {
  fs::create_directories(dir_.File("elsewhere/17/2"));
  std::ofstream(dir_.File("elsewhere/17/2/rank-00003.log")) << "precious\n";
  fs::create_directory_symlink(dir_.File("elsewhere"), archive_ + "/acme");
  ASSERT_TRUE(RecordArchived(dir_.path(), "1.0.1", "acme/17/2", {"rank-00003.log"}).ok());
  ASSERT_TRUE(RecordArchived(dir_.path(), "2.0.2", "../elsewhere/17", {"2/rank-00003.log"}).ok());
  EXPECT_FALSE(RemoveArchived(dir_.path(), archive_, absl::InfiniteFuture(), stop_).ok());
  EXPECT_TRUE(fs::exists(dir_.File("elsewhere/17/2/rank-00003.log")));
}

TEST_F(LogArchiveTest, NoLinkIsFollowed) {
  fs::create_directories(dir_.File("elsewhere"));
  fs::create_directory_symlink(dir_.File("elsewhere"), archive_ + "/acme");
  EXPECT_FALSE(Archive().ok());
  EXPECT_TRUE(fs::is_empty(dir_.File("elsewhere")));
  EXPECT_TRUE(IsMarked());
  fs::remove(archive_ + "/acme");
  std::ofstream(dir_.File("secret")) << "secret";
  fs::create_symlink(dir_.File("secret"), attempt_ + "/rank-00009.log");
  ASSERT_TRUE(Archive().ok());
  EXPECT_FALSE(fs::exists(archive_ + "/acme/17/2/rank-00009.log"));
}

TEST_F(LogArchiveTest, AnAttemptThatNeverBeganLeavesNothing) {
  fs::remove_all(attempt_);
  ASSERT_TRUE(Archive().ok());
  EXPECT_FALSE(IsMarked());
  EXPECT_TRUE(fs::is_empty(archive_));
}

TEST_F(LogArchiveTest, AMarkThatLeadsElsewhereIsNone) {
  for (const char* text : {"", "../x 5\n", "a/b 5\n", "acme\n", "acme x\n"}) {
    std::ofstream(dir_.File("unarchived/17.2.99")) << text;
    EXPECT_TRUE(absl::IsDataLoss(Archive())) << text;
    EXPECT_FALSE(IsMarked());
  }
  EXPECT_TRUE(fs::is_empty(archive_));
}

// Rule: what the archive does not have yet stays on the node, however old it is.
TEST_F(LogArchiveTest, LogsThatWaitForTheArchiveAreKept) {
  const std::atomic<bool> stop = false;
  const absl::Time later = absl::InfiniteFuture();
  EXPECT_EQ(RemoveOldJobFolders(dir_.path(), later, stop), 0);
  ASSERT_TRUE(Archive().ok());
  EXPECT_EQ(RemoveOldJobFolders(dir_.path(), later, stop), 1);
}

TEST_F(LogArchiveTest, WithoutAnArchiveNothingWaits) {
  ForgetUnarchived(dir_.path());
  EXPECT_FALSE(IsMarked());
}

}  // namespace
}  // namespace berth
