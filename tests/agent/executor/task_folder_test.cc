#include "agent/executor/task_folder.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/testing/temp_dir.h"
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

void Touch(const std::string& path) {
  std::ofstream(path) << "x";
}

TEST(TaskFolderTest, ACopyOfAnUploadLeavesAndOtherWorkStays) {
  const TempDir dir;
  std::filesystem::create_directories(dir.File("jobs"));
  for (const int attempt : {0, 1}) {
    const auto folder = TaskFolder::Make(dir.path(), 7, attempt, {});
    ASSERT_TRUE(folder.ok()) << folder.status();
    if (attempt == 1) {
      const auto upload = folder->OpenForUpload();
      ASSERT_TRUE(upload.ok()) << upload.status();
      std::filesystem::create_directories(folder->work() + "/d/e");
      std::filesystem::create_symlink(dir.File("kept"), folder->work() + "/d/link");
    }
    Touch(folder->work() + "/a");
    Touch(folder->output() + "/result");
    Touch(dir.File("kept"));
    // As a later agent finds it.
    TaskFolder::Open(dir.path(), 7, attempt)->Drop();
    EXPECT_EQ(std::filesystem::exists(folder->work()), attempt == 0);
    EXPECT_TRUE(std::filesystem::exists(folder->output() + "/result"));
    EXPECT_TRUE(std::filesystem::exists(dir.File("kept")));
  }
}

TEST(TaskFolderTest, AJobsTokenIsItsUsersAloneAndGoesWithTheTask) {
  const TempDir dir;
  std::filesystem::create_directories(dir.File("jobs"));
  const auto folder = TaskFolder::Make(dir.path(), 7, 0, {});
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_FALSE(folder->HasToken());
  const TaskOwner owner = geteuid() == 0 ? TaskOwner{12345, 12345} : TaskOwner{};
  ASSERT_TRUE(folder->WriteToken("secret", owner).ok());
  EXPECT_TRUE(folder->HasToken());
  struct stat facts {};
  ASSERT_EQ(stat((folder->path() + "/" + kTokenFileName).c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0400u);
  EXPECT_EQ(facts.st_uid, geteuid() == 0 ? 12345u : geteuid());
  folder->Drop();
  EXPECT_FALSE(folder->HasToken());
}

// Rule: the agent, as root, follows no link of a task's.
TEST(TaskFolderTest, AnUploadGoesThroughNoLink) {
  const TempDir dir;
  std::filesystem::create_directories(dir.File("jobs"));
  const auto folder = TaskFolder::Make(dir.path(), 7, 0, {});
  ASSERT_TRUE(folder.ok()) << folder.status();
  std::filesystem::create_directories(dir.File("out"));
  std::filesystem::remove(folder->work());
  std::filesystem::create_directory_symlink(dir.File("out"), folder->work());
  EXPECT_FALSE(folder->OpenForUpload().ok());
  Touch(dir.File("out/kept"));
  folder->Drop();
  EXPECT_TRUE(std::filesystem::exists(dir.File("out/kept")));
}

}  // namespace
}  // namespace berth
