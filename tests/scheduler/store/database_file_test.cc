#include "scheduler/store/database_file.h"

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

#include "common/error_detail.h"
#include "scheduler/store/schema.h"
#include "tests/scheduler/store/store_builders.h"
#include "tests/testing/temp_dir.h"
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

namespace fs = std::filesystem;

class DatabaseFileTest : public testing::Test {
 protected:
  // Expects a refusal that says what, why and how to fix it.
  void ExpectRefused(const std::string& code, const std::string& what) {
    const absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(SmallOptions(path_));
    ASSERT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition) << store.status();
    EXPECT_NE(std::string(store.status().message()).find(what), std::string::npos)
        << store.status();
    const std::optional<ErrorDetail> detail = FindDetail(store.status());
    ASSERT_TRUE(detail.has_value());
    EXPECT_EQ(detail->code, code) << store.status();
    EXPECT_FALSE(detail->fix.empty());
  }
  void Write(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    ASSERT_EQ(chmod(path_.c_str(), 0600), 0);
  }
  void MakeDatabase() {
    const std::unique_ptr<Store> store = OpenStore(path_);
    ASSERT_TRUE(SaveTurn(*store, MakeCenter()).ok());
  }
  void Overwrite(int64_t offset, const std::string& bytes) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file << bytes;
  }

  TempDir dir_{FastFolder()};
  const std::string path_ = dir_.File("berth.db");
};

TEST_F(DatabaseFileTest, CreatesAPrivateFileInAPrivateFolder) {
  const std::string folder = dir_.File("data");
  OpenStore(folder + "/berth.db");
  struct stat found = {};
  ASSERT_EQ(stat(folder.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700U);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    ASSERT_EQ(stat(entry.path().c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0600U) << entry.path();
  }
}

TEST_F(DatabaseFileTest, LeavesNoDraftBehind) {
  OpenStore(path_);
  for (const fs::directory_entry& entry : fs::directory_iterator(dir_.path())) {
    EXPECT_EQ(entry.path().string().find(".new-"), std::string::npos) << entry.path();
  }
}

TEST_F(DatabaseFileTest, RefusesASecondOpen) {
  const std::unique_ptr<Store> first = OpenStore(path_);
  ExpectRefused("B8206", "in use");
}

TEST_F(DatabaseFileTest, RefusesASecondProcess) {
  const std::unique_ptr<Store> first = OpenStore(path_);
  const pid_t child = fork();
  if (child == 0) {
    // A process of its own holds none of this one's locks.
    const std::string command = "sqlite3 '" + path_ + "' 'SELECT 1 FROM meta' >/dev/null 2>&1";
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_NE(WEXITSTATUS(status), 0);
}

TEST_F(DatabaseFileTest, RefusesAFileThatOthersMayRead) {
  MakeDatabase();
  for (const mode_t mode : {0640U, 0604U, 0602U, 0610U}) {
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
    ExpectRefused("B8201", "may be read or written by others");
  }
}

TEST_F(DatabaseFileTest, RefusesASymbolicLink) {
  OpenStore(dir_.File("real.db"));
  fs::create_symlink(dir_.File("real.db"), path_);
  ExpectRefused("B8202", "symbolic link");
}

TEST_F(DatabaseFileTest, RefusesAFolderInItsPlace) {
  fs::create_directory(path_);
  ExpectRefused("B8202", "not a regular file");
}

TEST_F(DatabaseFileTest, RefusesGarbageAndAnEmptyFile) {
  Write("this is not a database, and it is long enough to be read as a header ................");
  ExpectRefused("B8203", "not a Berth database");
  Write("");
  ExpectRefused("B8203", "is empty");
}

TEST_F(DatabaseFileTest, RefusesAnotherProgramsDatabaseAndLeavesItAlone) {
  RawDatabase(path_).Run("CREATE TABLE t (x); PRAGMA application_id = 7;");
  ASSERT_EQ(chmod(path_.c_str(), 0600), 0);
  ExpectRefused("B8203", "is not a Berth database");
  EXPECT_EQ(RawDatabase(path_).Query("PRAGMA journal_mode"), "delete\n");
}

TEST_F(DatabaseFileTest, RefusesANewerSchema) {
  MakeDatabase();
  RawDatabase(path_).Run("PRAGMA user_version = " + std::to_string(SchemaVersion() + 1));
  ExpectRefused("B8205", "newer");
}

TEST_F(DatabaseFileTest, RefusesATruncatedFile) {
  MakeDatabase();
  fs::resize_file(path_, fs::file_size(path_) / 2);
  ExpectRefused("B8204", "damaged");
}

TEST_F(DatabaseFileTest, RefusesAnOverwrittenPage) {
  MakeDatabase();
  Overwrite(8192, std::string(4096, '\xa5'));
  ExpectRefused("B8204", "damaged");
}

TEST_F(DatabaseFileTest, RefusesARowWithoutItsParent) {
  MakeDatabase();
  EXPECT_EQ(RawDatabase(path_).Run("PRAGMA foreign_keys = OFF; DELETE FROM tenants WHERE id = 1"),
            "");
  ExpectRefused("B8204", "damaged");
}

TEST_F(DatabaseFileTest, RefusesALogWithoutItsDatabase) {
  std::ofstream(path_ + "-wal") << "pages";
  ExpectRefused("B8204", "is missing");
}

}  // namespace
}  // namespace berth
