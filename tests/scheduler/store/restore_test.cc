#include "scheduler/store/restore.h"

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

#include "common/error_detail.h"
#include "tests/scheduler/store/store_builders.h"
#include "tests/testing/temp_dir.h"
#include <sys/stat.h>

namespace berth {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kEpochStep = uint64_t{1} << 32;

class RestoreTest : public testing::Test {
 protected:
  // A database with a queued, a held and a running job, and its backup of day 0.
  void SetUp() override {
    const std::unique_ptr<Store> store = OpenStore(path_);
    ASSERT_TRUE(SaveTurn(*store, MakeCenter()).ok());
    Changes changes;
    for (const auto& [id, state] : {
             std::pair<int, JobState>{1, JobState::kQueued},
              {2, JobState::kHeld  }
    }) {
      changes.jobs.push_back(MakeJob(static_cast<uint64_t>(id)));
      changes.jobs.back().state = state;
    }
    ASSERT_TRUE(SaveTurn(*store, changes).ok());
    epoch_ = store->sched_epoch();
    const auto draft = MakeBackupDraft(backup_);
    ASSERT_TRUE(draft.ok()) << draft.status();
    ASSERT_TRUE(store->CopyTo(*draft).ok());
    const auto facts = FinishBackup(*draft, backup_, At(0));
    ASSERT_TRUE(facts.ok()) << facts.status();
    EXPECT_EQ(facts->live_jobs, 2);
    ASSERT_TRUE(store->NoteBackup(At(0)).ok());
    EXPECT_EQ(store->last_backup_at(), At(0));
  }
  absl::StatusOr<RestoreFacts> Restore(absl::Time now, bool replace) {
    return RestoreBackup({.backup = backup_,
                          .database = path_,
                          .replace_existing = replace,
                          .cluster_name = "center",
                          .now = now});
  }
  static std::string CodeOf(const absl::Status& status) {
    const auto detail = FindDetail(status);
    return detail.has_value() ? detail->code : status.ToString();
  }

  TempDir dir_{FastFolder()};
  const std::string path_ = dir_.File("berth.db");
  const std::string backup_ = dir_.File("backup.db");
  uint64_t epoch_ = 0;
};

TEST_F(RestoreTest, BeginsAnotherLife) {
  const auto facts = Restore(At(7 * 24 * 3600 + 60), true);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->held_jobs, 1);
  const std::unique_ptr<Store> store = OpenStore(path_);
  EXPECT_TRUE(store->recovery());
  EXPECT_EQ(store->sched_epoch(), epoch_ + kEpochStep + 1);
  const absl::StatusOr<StoredState> state = store->Load();
  ASSERT_TRUE(state.ok()) << state.status();
  // A week and a started day, ten million ids each.
  EXPECT_EQ(state->last_job, JobId(80'000'000));
  EXPECT_EQ(state->last_allocation, AllocationId(8 * kEpochStep));
  EXPECT_EQ(state->restored_allocation, AllocationId());
  ASSERT_EQ(state->nouns.jobs.size(), 2U);
  EXPECT_EQ(state->nouns.jobs[0].state, JobState::kHeld);
  EXPECT_EQ(state->nouns.jobs[0].attempt.end.reason, EndReason::kAdmin);
  EXPECT_NE(state->nouns.jobs[0].attempt.end.message.find("may have run"), std::string::npos);
  EXPECT_EQ(state->nouns.jobs[1].attempt.end.reason, EndReason::kNone);
  EXPECT_TRUE(store->VerifyAudit().ok()) << store->VerifyAudit();
}

TEST_F(RestoreTest, TheRecoveryLastsUntilItIsEnded) {
  ASSERT_TRUE(Restore(At(1), true).ok());
  EXPECT_TRUE(OpenStore(path_)->recovery());
  {
    const std::unique_ptr<Store> store = OpenStore(path_);
    ASSERT_TRUE(store->Begin().ok());
    ASSERT_TRUE(store->EndRecovery().ok());
    store->Rollback();
    EXPECT_TRUE(store->recovery());
    ASSERT_TRUE(store->Begin().ok());
    ASSERT_TRUE(store->EndRecovery().ok());
    ASSERT_TRUE(store->Commit().ok());
    EXPECT_FALSE(store->recovery());
  }
  EXPECT_FALSE(OpenStore(path_)->recovery());
}

// Ids and epochs of the first restore's life are not given out again by the second.
TEST_F(RestoreTest, ASecondRestoreOfTheSameBackupGoesFurther) {
  const auto first = Restore(At(1), true);
  ASSERT_TRUE(first.ok()) << first.status();
  Changes changes;
  changes.jobs.push_back(MakeJob(first->last_job.value() + 1));
  ASSERT_TRUE(SaveTurn(*OpenStore(path_), changes).ok());
  const auto second = Restore(At(2), true);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_GT(second->last_job, JobId(first->last_job.value() + 1));
  EXPECT_EQ(second->sched_epoch, first->sched_epoch + 1 + kEpochStep);
  EXPECT_NE(second->kept, first->kept);
}

TEST_F(RestoreTest, KeepsWhatItReplaces) {
  const std::string before = RawDatabase(path_).Query("SELECT sched_epoch FROM meta");
  const auto facts = Restore(At(1), true);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(RawDatabase(facts->kept).Query("SELECT sched_epoch FROM meta"), before);
}

TEST_F(RestoreTest, FillsAnEmptyFolder) {
  const std::string elsewhere = dir_.File("empty") + "/berth.db";
  const auto facts =
      RestoreBackup({.backup = backup_, .database = elsewhere, .cluster_name = "", .now = At(1)});
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->kept, "");
  EXPECT_TRUE(OpenStore(elsewhere)->recovery());
}

TEST_F(RestoreTest, RefusesWithoutConsentAndWhileADaemonRuns) {
  EXPECT_EQ(CodeOf(Restore(At(1), false).status()), "B8214");
  EXPECT_FALSE(OpenStore(path_)->recovery());
}

TEST_F(RestoreTest, ADamagedBackupChangesNothing) {
  std::fstream file(backup_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(fs::file_size(backup_) / 2));
  file << std::string(8192, '\xa5');
  file.close();
  EXPECT_EQ(CodeOf(VerifyBackup(backup_).status()), "B8204");
  EXPECT_EQ(CodeOf(Restore(At(1), true).status()), "B8204");
  EXPECT_FALSE(OpenStore(path_)->recovery());
}

TEST_F(RestoreTest, ABackupReplacesNoFile) {
  EXPECT_EQ(CodeOf(MakeBackupDraft(backup_).status()), "B8212");
  EXPECT_EQ(CodeOf(MakeBackupDraft("relative.db").status()), "B8212");
}

TEST_F(RestoreTest, TheDatabaseOfASchedulerIsNoBackup) {
  std::ofstream(backup_ + "-wal") << "pages";
  EXPECT_EQ(CodeOf(VerifyBackup(backup_).status()), "B8213");
}

}  // namespace
}  // namespace berth
