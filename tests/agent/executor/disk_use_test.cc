#include "agent/executor/disk_use.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "tests/testing/temp_dir.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int64_t kMib = 1 << 20;

class DiskUseTest : public testing::Test {
 protected:
  DiskUseTest() {
    std::filesystem::create_directories(dir_.File("work/below"));
    std::filesystem::create_directories(dir_.File("group"));
    std::ofstream(dir_.File("group/cgroup.procs")) << getpid() << "\n";
  }
  void Write(const std::string& name, int64_t mib) {
    std::ofstream(dir_.File(name)) << std::string(static_cast<size_t>(mib * kMib), 'x');
  }
  // In whole MiB: folders have blocks of their own.
  int64_t Mib(bool with_group = false) {
    return MeasureDiskUse(
               {
                   .folders = {dir_.File("work"), dir_.File("output")},
                   .groups = with_group ? std::vector<std::string>{dir_.File("group")                }
                                        : std::vector<std::string>()
    },
               stop_) /
           kMib;
  }

  TempDir dir_;
  std::atomic<bool> stop_ = false;
};

TEST_F(DiskUseTest, CountsWhatIsInTheFolders) {
  EXPECT_EQ(Mib(), 0);
  Write("work/a", 2);
  Write("work/below/b", 3);
  Write("beside", 5);
  EXPECT_EQ(Mib(), 5);
  std::filesystem::create_directories(dir_.File("output"));
  Write("output/c", 1);
  EXPECT_EQ(Mib(), 6);
}

// Blocks, not lengths: a file with a hole takes what is written, and a second name nothing.
TEST_F(DiskUseTest, CountsBlocksOnce) {
  Write("work/a", 2);
  std::filesystem::create_hard_link(dir_.File("work/a"), dir_.File("work/below/again"));
  Write("work/hole", 1);
  ASSERT_EQ(truncate(dir_.File("work/hole").c_str(), 1000 * kMib), 0);
  EXPECT_EQ(Mib(), 3);
}

TEST_F(DiskUseTest, FollowsNoLink) {
  Write("large", 4);
  std::filesystem::create_directories(dir_.File("elsewhere"));
  Write("elsewhere/b", 4);
  std::filesystem::create_symlink(dir_.File("large"), dir_.File("work/link"));
  std::filesystem::create_directory_symlink(dir_.File("elsewhere"), dir_.File("work/folder"));
  EXPECT_EQ(Mib(), 0);
}

// Rule: a removed file is the task's for as long as one of its processes has it.
TEST_F(DiskUseTest, CountsRemovedFilesThatAreHeld) {
  Write("work/a", 2);
  Write("work/b", 3);
  const int held = open(dir_.File("work/a").c_str(), O_RDONLY | O_CLOEXEC);
  const int file = open(dir_.File("work/b").c_str(), O_RDONLY | O_CLOEXEC);
  void* const mapped = mmap(nullptr, 3 * kMib, PROT_READ, MAP_SHARED, file, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  close(file);
  std::filesystem::remove(dir_.File("work/a"));
  EXPECT_EQ(Mib(true), 5);
  EXPECT_EQ(Mib(false), 3);
  std::filesystem::remove(dir_.File("work/b"));
  const bool sees_mappings = geteuid() == 0;
  EXPECT_EQ(Mib(true), sees_mappings ? 5 : 2);
  munmap(mapped, 3 * kMib);
  close(held);
  EXPECT_EQ(Mib(true), 0);
}

// Rule: nobody hides files by nesting folders.
TEST_F(DiskUseTest, SaysWhenItCannotLook) {
  std::string path = dir_.File("work");
  for (int i = 0; i < 200; ++i) {
    path += "/d";
  }
  std::filesystem::create_directories(path);
  EXPECT_EQ(MeasureDiskUse({.folders = {dir_.File("work")}, .groups = {}}, stop_), kDiskUseHidden);
}

TEST_F(DiskUseTest, StopsWhenItIsTold) {
  Write("work/a", 2);
  stop_ = true;
  EXPECT_EQ(Mib(), 0);
}

}  // namespace
}  // namespace berth
