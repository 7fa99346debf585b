#include "scheduler/store/table_change.h"

#include <memory>

#include "gtest/gtest.h"

#include "scheduler/store/database.h"
#include "tests/scheduler/store/store_builders.h"
#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

constexpr char kRest[] =
    "SELECT type, name, sql FROM sqlite_schema WHERE name <> 'jobs' ORDER BY type, name";

// A center with a live job, opened as a migration finds it.
class TableChangeTest : public testing::Test {
 protected:
  void SetUp() override {
    {
      const std::unique_ptr<Store> store = OpenStore(path_);
      Changes changes = MakeCenter();
      changes.jobs = {MakeJob(1)};
      ASSERT_TRUE(SaveTurn(*store, changes).ok());
    }
    before_ = RawDatabase(path_).Query(kRest);
  }
  absl::Status Widen(const std::string& table, const std::string& column) {
    ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::Open(path_));
    RETURN_IF_ERROR(database->Execute(
        "PRAGMA foreign_keys = OFF;PRAGMA legacy_alter_table = ON;BEGIN IMMEDIATE"));
    RETURN_IF_ERROR(AllowWords(*database, table, column, {"bored", "lucky"}));
    return database->Execute("COMMIT");
  }

  TempDir dir_{FastFolder()};
  const std::string path_ = dir_.File("berth.db");
  std::string before_;
};

TEST_F(TableChangeTest, TakesTheNewWordsAndTheOldOnesAndNoOthers) {
  ASSERT_EQ(RawDatabase(path_).Run("UPDATE jobs SET end_reason = 'lucky'").substr(0, 5), "CHECK");
  ASSERT_TRUE(Widen("jobs", "end_reason").ok());
  RawDatabase raw(path_);
  for (const std::string word : {"bored", "lucky", "exit", "none"}) {
    EXPECT_EQ(raw.Run("UPDATE jobs SET end_reason = '" + word + "'"), "") << word;
  }
  EXPECT_NE(raw.Run("UPDATE jobs SET end_reason = 'sad'"), "");
}

TEST_F(TableChangeTest, KeepsRowsTriggersIndexesAndTheRestOfTheSchema) {
  ASSERT_TRUE(Widen("jobs", "end_reason").ok());
  RawDatabase raw(path_);
  EXPECT_EQ(raw.Query("SELECT id, name FROM jobs"), "1|train-1\n");
  EXPECT_EQ(raw.Query(kRest), before_);
  EXPECT_EQ(raw.Run("DELETE FROM jobs"), "a live job is never deleted");
  EXPECT_EQ(raw.Query("SELECT job, state FROM job_report"), "1|queued\n");
  EXPECT_EQ(raw.Query("PRAGMA foreign_key_check"), "");
  EXPECT_EQ(raw.Query("PRAGMA integrity_check"), "ok\n");
}

TEST_F(TableChangeTest, ATableThatOthersReferToStaysTheirParent) {
  ASSERT_TRUE(Widen("nodes", "state").ok());
  RawDatabase raw(path_);
  EXPECT_EQ(raw.Query("PRAGMA foreign_key_check"), "");
  EXPECT_NE(raw.Run("DELETE FROM nodes WHERE id = 1"), "");  // its devices refer to it
}

TEST_F(TableChangeTest, RefusesAColumnThatIsNoEnumeration) {
  EXPECT_EQ(Widen("jobs", "name").code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Widen("nothing", "name").code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace berth
