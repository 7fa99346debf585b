#include "agent/executor/old_folders.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/time/clock.h"
#include <gtest/gtest.h>

#include "tests/testing/temp_dir.h"
#include <fcntl.h>
#include <sys/stat.h>

namespace berth {
namespace {

class OldFoldersTest : public testing::Test {
 protected:
  // An attempt that left the node so long ago.
  void Make(const std::string& attempt, absl::Duration age, bool under_way = false) {
    const std::string folder = dir_.File("jobs/" + attempt);
    std::filesystem::create_directories(folder + "/work/below");
    std::ofstream(folder + "/rank-00000.log") << "said";
    if (under_way) {
      std::ofstream(folder + "/task") << "x";
    }
    const timespec at = absl::ToTimespec(now_ - age);
    const timespec times[2] = {at, at};
    ASSERT_EQ(utimensat(AT_FDCWD, folder.c_str(), times, 0), 0);
  }
  int Remove(absl::Duration keep) { return RemoveOldJobFolders(dir_.path(), now_ - keep, stop_); }
  bool Has(const std::string& name) const {
    return std::filesystem::exists(dir_.File("jobs/" + name));
  }

  TempDir dir_;
  const absl::Time now_ = absl::Now();
  std::atomic<bool> stop_ = false;
};

TEST_F(OldFoldersTest, RemovesJobsWhoseLastAttemptIsOld) {
  Make("1/0", absl::Hours(50));
  std::filesystem::create_directories(dir_.File("jobs/1/output/results"));
  Make("2/0", absl::Hours(50));
  Make("2/1", absl::Hours(1));
  Make("3/0", absl::Hours(1));
  EXPECT_EQ(Remove(absl::Hours(24)), 1);
  EXPECT_FALSE(Has("1"));
  EXPECT_TRUE(Has("2/0"));
  EXPECT_TRUE(Has("3/0/rank-00000.log"));
  EXPECT_EQ(Remove(absl::ZeroDuration()), 2);
}

// Rule: what the scheduler may still ask about stays, however old it is.
TEST_F(OldFoldersTest, KeepsWhatIsUnderWay) {
  Make("1/0", absl::Hours(5000), true);
  EXPECT_EQ(Remove(absl::Hours(24)), 0);
  EXPECT_TRUE(Has("1/0/task"));
}

TEST_F(OldFoldersTest, LeavesWhatIsNotAJobs) {
  std::filesystem::create_directories(dir_.File("jobs/lost+found/0"));
  std::filesystem::create_directories(dir_.File("elsewhere"));
  std::ofstream(dir_.File("elsewhere/a")) << "x";
  Make("1/0", absl::Hours(50));
  std::filesystem::create_directory_symlink(dir_.File("elsewhere"),
                                            dir_.File("jobs/1/0/work/link"));
  const timespec at = absl::ToTimespec(now_ - absl::Hours(50));
  const timespec times[2] = {at, at};
  ASSERT_EQ(utimensat(AT_FDCWD, dir_.File("jobs/1/0").c_str(), times, 0), 0);
  EXPECT_EQ(Remove(absl::Hours(24)), 1);
  EXPECT_TRUE(Has("lost+found"));
  EXPECT_TRUE(std::filesystem::exists(dir_.File("elsewhere/a")));
}

TEST_F(OldFoldersTest, StopsWhenItIsTold) {
  Make("1/0", absl::Hours(50));
  stop_ = true;
  EXPECT_EQ(Remove(absl::Hours(24)), 0);
}

}  // namespace
}  // namespace berth
