#include "client/folder_scan.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include <gtest/gtest.h>

#include "common/credentials.h"
#include "common/error_detail.h"
#include "tests/testing/temp_dir.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

class FolderScan : public testing::Test {
 protected:
  void Write(const std::string& path, const std::string& text = "x") {
    const std::string whole = dir_.File(path);
    std::filesystem::create_directories(std::filesystem::path(whole).parent_path());
    std::ofstream(whole) << text;
  }
  absl::StatusOr<ScannedFolder> Scan(int64_t size_max = kUploadBytesMax) {
    return ScanFolder(dir_.path(), size_max);
  }
  // "a,d/,d/b"
  std::string Names() {
    const auto scanned = Scan();
    if (!scanned.ok()) {
      return scanned.status().ToString();
    }
    std::vector<std::string> names;
    for (const v1::WorkdirEntry& entry : scanned->manifest.entries()) {
      names.push_back(entry.path() + (entry.kind() == v1::WorkdirEntry::KIND_FOLDER ? "/" : ""));
    }
    return absl::StrJoin(names, ",");
  }

  TempDir dir_;
};

TEST_F(FolderScan, TellsFilesFoldersAndLinks) {
  Write("train.py", "print()");
  Write("d/run.sh", "#!/bin/sh");
  Write("d.txt");
  std::filesystem::create_directories(dir_.File("empty"));
  ASSERT_EQ(chmod(dir_.File("d/run.sh").c_str(), 04755), 0);
  ASSERT_EQ(symlink("../train.py", dir_.File("d/link").c_str()), 0);
  const timespec times[2] = {
      {0,             UTIME_OMIT },
      {1'000'000'007, 999'999'999}
  };
  ASSERT_EQ(utimensat(AT_FDCWD, dir_.File("d/run.sh").c_str(), times, 0), 0);
  const auto scanned = Scan();
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  EXPECT_EQ(scanned->files, 3);
  EXPECT_EQ(Names(), "d/,d.txt,d/link,d/run.sh,empty/,train.py");
  const v1::WorkdirEntry& run = scanned->manifest.entries(3);
  EXPECT_EQ(run.mode(), 0755U);
  EXPECT_EQ(run.size(), 9);
  EXPECT_EQ(run.modified_s(), 1'000'000'007);
  EXPECT_EQ(run.sha256(), Sha256("#!/bin/sh"));
  EXPECT_EQ(scanned->manifest.entries(2).target(), "../train.py");
}

TEST_F(FolderScan, FollowsIgnoreFilesAndLeavesGitOut) {
  Write(".git/config");
  Write("sub/.git");  // of a submodule: a file
  Write(".gitignore", "*.log\n/data/\n!sub/keep.log\n");
  Write(".berthignore", "secret\n!a.log\n");
  Write("a.log");
  Write("b.log");
  Write("data/big");
  Write("secret");
  Write("sub/data/small");
  Write("sub/keep.log");
  Write("sub/other.log");
  Write("sub/deep/x.tmp");
  Write("sub/.gitignore", "*.tmp\n!deep/y.tmp\n");
  Write("sub/deep/y.tmp");
  EXPECT_EQ(Names(),
            ".berthignore,.gitignore,a.log,sub/,sub/.gitignore,sub/data/,sub/data/small,sub/deep/,"
            "sub/deep/y.tmp,sub/keep.log");
}

TEST_F(FolderScan, NamesWhatIsNoFile) {
  Write("a");
  ASSERT_EQ(mkfifo(dir_.File("pipe").c_str(), 0600), 0);
  const auto scanned = Scan();
  ASSERT_TRUE(scanned.ok()) << scanned.status();
  EXPECT_EQ(scanned->skipped, std::vector<std::string>{"pipe"});
  EXPECT_EQ(Names(), "a");
}

// Rule: what is too large is said with the largest parts, and how to mend it.
TEST_F(FolderScan, NamesTheLargestParts) {
  Write("data/a", std::string(3000, 'a'));
  Write("data/b", std::string(3000, 'b'));
  Write("model", std::string(2048, 'm'));
  Write("x");
  const absl::Status status = Scan(8000).status();
  const auto detail = FindDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->code, "B1310");
  EXPECT_NE(status.message().find("has 7.9 KiB, and at most 7.8 KiB are uploaded"),
            absl::string_view::npos)
      << status;
  ASSERT_GE(detail->why.size(), 2U);
  EXPECT_EQ(detail->why[0], "data: 5.9 KiB in 3 entries");
  EXPECT_EQ(detail->why[1], "model: 2.0 KiB");
  EXPECT_NE(detail->fix[0].find(".berthignore, or allow more with --upload-max"),
            std::string::npos);
  EXPECT_TRUE(Scan(9000).ok());
}

TEST_F(FolderScan, RefusesLinksThatLeadOut) {
  Write("d/a");
  ASSERT_EQ(symlink("/etc/passwd", dir_.File("d/out").c_str()), 0);
  const absl::Status status = Scan().status();
  EXPECT_NE(status.message().find("\"d/out\""), absl::string_view::npos) << status;
  Write(".berthignore", "out");
  EXPECT_TRUE(Scan().ok());
}

TEST_F(FolderScan, WantsAFolder) {
  EXPECT_FALSE(ScanFolder(dir_.File("missing"), kUploadBytesMax).ok());
  Write("file");
  EXPECT_FALSE(ScanFolder(dir_.File("file"), kUploadBytesMax).ok());
}

}  // namespace
}  // namespace berth
