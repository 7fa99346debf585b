// Which uploaded folders are needed.

#include <memory>
#include <string>

#include "gtest/gtest.h"

#include "common/status_macros.h"
#include "scheduler/store/store.h"
#include "tests/scheduler/store/store_builders.h"
#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

class UploadUseTest : public testing::Test {
 protected:
  void SetUp() override {
    store_ = OpenStore(path_);
    ASSERT_NE(store_, nullptr);
    ASSERT_TRUE(SaveTurn(*store_, MakeCenter()).ok());
  }
  absl::Status Save(const Changes& changes) { return SaveTurn(*store_, changes); }
  absl::Status Save(const SubmissionRecord& submission) {
    RETURN_IF_ERROR(store_->Begin());
    RETURN_IF_ERROR(store_->SaveSubmission(submission));
    return store_->Commit();
  }

  TempDir dir_{FastFolder()};
  const std::string path_ = dir_.File("data/berth.db");
  std::unique_ptr<Store> store_;
};

// Rule: nobody removes a folder that a job, or a task of an array that is over, still needs.
TEST_F(UploadUseTest, AnUploadIsInUseWhileAJobOfItLives) {
  const std::string upload(32, 'u');
  SubmissionRecord submission = MakeSubmission(1, "key");
  submission.upload = upload;
  ASSERT_TRUE(Save(submission).ok());
  EXPECT_FALSE(*store_->IsUploadInUse(TenantId(1), upload));
  Changes changes;
  changes.jobs = {MakeJob(1)};
  ASSERT_TRUE(Save(changes).ok());
  EXPECT_TRUE(*store_->IsUploadInUse(TenantId(1), upload));
  EXPECT_FALSE(*store_->IsUploadInUse(TenantId(2), upload));
  EXPECT_FALSE(*store_->IsUploadInUse(TenantId(1), std::string(32, 'v')));
  Job task = MakeJob(2);
  task.array = JobId(1);
  task.array_index = 0;
  changes.jobs = {task, MakeEndedJob(1)};
  ASSERT_TRUE(Save(changes).ok());
  EXPECT_TRUE(*store_->IsUploadInUse(TenantId(1), upload));
  store_.reset();
  store_ = OpenStore(path_);
  ASSERT_TRUE(store_->Load().ok());
  EXPECT_TRUE(*store_->IsUploadInUse(TenantId(1), upload));
  Job ended = MakeEndedJob(2);
  ended.array = JobId(1);
  ended.array_index = 0;
  changes.jobs = {ended};
  ASSERT_TRUE(Save(changes).ok());
  EXPECT_FALSE(*store_->IsUploadInUse(TenantId(1), upload));
  store_.reset();
  EXPECT_EQ(RawDatabase(path_).Run("UPDATE submissions SET upload = x'00'"),
            "CHECK constraint failed: length(upload) = 32");
}

}  // namespace
}  // namespace berth
