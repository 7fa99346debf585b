#include "scheduler/store/audit_log.h"

#include "gtest/gtest.h"

#include "tests/scheduler/store/store_builders.h"
#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

// Five audited turns, closed; then each test changes the file behind the store's back.
class AuditLogTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::unique_ptr<Store> store = OpenStore(path_);
    ASSERT_TRUE(store->VerifyAudit().ok());
    for (int i = 1; i <= 5; ++i) {
      ASSERT_TRUE(store->Begin().ok());
      ASSERT_TRUE(store->SaveAudit(MakeAudit("job " + std::to_string(i))).ok());
      ASSERT_TRUE(store->Commit().ok());
    }
    ASSERT_TRUE(store->VerifyAudit().ok());
  }
  void Tamper(const std::string& sql) {
    EXPECT_EQ(
        RawDatabase(path_).Run("DROP TRIGGER audit_stays; DROP TRIGGER audit_remains; " + sql), "");
  }
  // A start refuses, and so does the full check where the start looks at no row.
  void ExpectBrokenAt(int row) {
    const std::string message = "the audit record is broken at row " + std::to_string(row);
    StoreOptions options = SmallOptions(path_);
    EXPECT_EQ(Store::Open(options).status().message(), absl::string_view(message));
    options.audit_rows_at_start = 0;
    const auto store = Store::Open(options);
    const absl::Status status = store.ok() ? (*store)->VerifyAudit() : store.status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(status.message(), absl::string_view(message));
  }

  TempDir dir_{FastFolder()};
  const std::string path_ = dir_.File("berth.db");
};

TEST_F(AuditLogTest, HoldsAcrossRestarts) {
  for (int i = 0; i < 2; ++i) {
    const std::unique_ptr<Store> store = OpenStore(path_);
    EXPECT_TRUE(store->VerifyAudit().ok());
    ASSERT_TRUE(store->Begin().ok());
    ASSERT_TRUE(store->SaveAudit(MakeAudit("later")).ok());
    ASSERT_TRUE(store->Commit().ok());
    EXPECT_TRUE(store->VerifyAudit().ok());
  }
}

TEST_F(AuditLogTest, ARolledBackRowLeavesNoGap) {
  const std::unique_ptr<Store> store = OpenStore(path_);
  ASSERT_TRUE(store->Begin().ok());
  ASSERT_TRUE(store->SaveAudit(MakeAudit("undone")).ok());
  store->Rollback();
  ASSERT_TRUE(store->Begin().ok());
  ASSERT_TRUE(store->SaveAudit(MakeAudit("done")).ok());
  ASSERT_TRUE(store->Commit().ok());
  EXPECT_TRUE(store->VerifyAudit().ok()) << store->VerifyAudit();
}

TEST_F(AuditLogTest, TheDatabaseItselfRefusesChanges) {
  RawDatabase raw(path_);
  EXPECT_EQ(raw.Run("UPDATE audit SET object = 'x'"), "the audit record never changes");
  EXPECT_EQ(raw.Run("DELETE FROM audit"), "the audit record is never deleted");
}

class AuditEditTest : public AuditLogTest, public testing::WithParamInterface<const char*> {};

TEST_P(AuditEditTest, IsDetected) {
  Tamper(std::string("UPDATE audit SET ") + GetParam() + " WHERE seq = 3");
  ExpectBrokenAt(3);
}

INSTANTIATE_TEST_SUITE_P(EveryField, AuditEditTest,
                         testing::Values("at_us = 1", "user_id = 2", "token_id = 'x'", "peer = 'x'",
                                         "action = 'x'", "object = 'x'", "tenant_id = 2",
                                         "decision = 'x'", "digest = 'x'",
                                         "prev_hash = zeroblob(32)", "hash = zeroblob(32)",
                                         // A shift of text between fields.
                                         "action = 'Submitjob', object = ' 3'"));

TEST_F(AuditLogTest, DetectsADeletedRow) {
  Tamper("DELETE FROM audit WHERE seq = 2");
  ExpectBrokenAt(2);
}

TEST_F(AuditLogTest, DetectsADeletedRowBehindNewNumbers) {
  Tamper("DELETE FROM audit WHERE seq = 2; UPDATE audit SET seq = seq - 1 WHERE seq > 2");
  ExpectBrokenAt(2);
}

TEST_F(AuditLogTest, AStartLooksAtTheNewestRowsOnly) {
  Tamper("UPDATE audit SET object = 'x' WHERE seq = 3");
  StoreOptions options = SmallOptions(path_);
  options.audit_rows_at_start = 2;
  const auto store = Store::Open(options);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_FALSE((*store)->VerifyAudit().ok());
}

TEST_F(AuditLogTest, DetectsMissingNewestRows) {
  Tamper("DELETE FROM audit WHERE seq > 3");
  ExpectBrokenAt(4);
}

TEST_F(AuditLogTest, DetectsReorderedRows) {
  Tamper(
      "UPDATE audit SET seq = 99 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4; "
      "UPDATE audit SET seq = 4 WHERE seq = 99");
  ExpectBrokenAt(3);
}

TEST_F(AuditLogTest, DetectsAnAddedRow) {
  Tamper(
      "INSERT INTO audit SELECT 6, at_us, user_id, token_id, peer, action, object, tenant_id, "
      "decision, digest, hash, zeroblob(32) FROM audit WHERE seq = 5");
  ExpectBrokenAt(6);
}

}  // namespace
}  // namespace berth
