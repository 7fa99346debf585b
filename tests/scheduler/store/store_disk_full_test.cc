// A full disk under the database: nothing acknowledged is lost, reports go on, and it ends by
// itself.

#include <fstream>
#include <string>

#include "gtest/gtest.h"

#include "scheduler/store/store.h"
#include "tests/scheduler/store/store_builders.h"
#include "tests/testing/temp_dir.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace berth {
namespace {

// A file system of 8 MiB that only this process sees.
class DiskFullTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string outer_user = "0 " + std::to_string(getuid()) + " 1";
    if (unshare(CLONE_NEWNS) != 0) {
      if (unshare(CLONE_NEWNS | CLONE_NEWUSER) != 0) {
        GTEST_SKIP() << "this machine allows no mount";
      }
      std::ofstream("/proc/self/uid_map") << outer_user;
    }
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, "size=8m") != 0) {
      GTEST_SKIP() << "this machine allows no mount";
    }
    mounted_ = true;
    store_ = OpenStore(path_);
    ASSERT_TRUE(SaveTurn(*store_, MakeCenter()).ok());
  }
  void TearDown() override {
    store_.reset();
    if (mounted_) {
      umount2(dir_.path().c_str(), MNT_DETACH);
    }
  }
  absl::Status SaveJobNumber(uint64_t id) {
    Changes changes;
    changes.jobs = {MakeJob(id)};
    RETURN_IF_ERROR(store_->Begin());
    RETURN_IF_ERROR(store_->SaveChanges(changes));
    RETURN_IF_ERROR(store_->SaveAudit(MakeAudit("job " + std::to_string(id))));
    SubmissionRecord submission = MakeSubmission(id, "");
    submission.payload = std::string(4096, 'p');
    RETURN_IF_ERROR(store_->SaveSubmission(submission));
    return store_->Commit();
  }
  void FillDisk() const {
    const int file = open(dir_.File("filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const std::string block(4096, 'f');
    while (write(file, block.data(), block.size()) > 0) {
    }
    close(file);
  }
  // Returns: the first job that was not saved. `give_up` is what a scheduler asks before it takes
  // more work.
  template <typename GiveUp>
  uint64_t SaveJobsFrom(uint64_t first, GiveUp give_up) {
    for (uint64_t id = first; id < first + 10000; ++id) {
      if (give_up()) {
        return id;
      }
      const absl::Status status = SaveJobNumber(id);
      if (!status.ok()) {
        EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
        return id;
      }
    }
    ADD_FAILURE() << "the disk never filled";
    return 0;
  }

  TempDir dir_{FastFolder()};
  const std::string path_ = dir_.File("berth.db");
  bool mounted_ = false;
  std::unique_ptr<Store> store_;
};

TEST_F(DiskFullTest, GoesOnWithTheBallastAndRecovers) {
  EXPECT_FALSE(store_->disk_full());
  FillDisk();
  const uint64_t refused = SaveJobsFrom(1, [this] { return store_->disk_full(); });
  EXPECT_TRUE(store_->disk_full());

  // This turn, and many reports after it, have room.
  EXPECT_TRUE(SaveJobNumber(refused).ok());
  Changes report;
  report.jobs = {MakeJob(refused)};
  for (int i = 0; i < 500; ++i) {
    ++report.jobs[0].version;
    ASSERT_TRUE(SaveTurn(*store_, report).ok()) << i;
  }
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_TRUE(store_->disk_full());

  unlink(dir_.File("filler").c_str());
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_FALSE(store_->disk_full());
  EXPECT_TRUE(SaveJobNumber(refused + 1).ok());
  store_.reset();
  store_ = OpenStore(path_);
  const absl::StatusOr<StoredState> state = store_->Load();
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->nouns.jobs.size(), refused + 1);
  EXPECT_EQ(state->nouns.jobs[refused - 1].version, report.jobs[0].version);
  EXPECT_TRUE(store_->VerifyAudit().ok()) << store_->VerifyAudit();
}

TEST_F(DiskFullTest, LosesNothingWhenTheBallastIsUsedUpToo) {
  FillDisk();
  // On into the ballast, until there is nothing left.
  const uint64_t next = SaveJobsFrom(1, [] { return false; });
  EXPECT_TRUE(store_->disk_full());
  store_.reset();
  unlink(dir_.File("filler").c_str());
  store_ = OpenStore(path_);
  ASSERT_NE(store_, nullptr);
  const absl::StatusOr<StoredState> state = store_->Load();
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->nouns.jobs.size(), next - 1);
  EXPECT_EQ(state->last_job, JobId(next - 1));
  EXPECT_TRUE(SaveJobNumber(next).ok());
  EXPECT_TRUE(store_->VerifyAudit().ok());
}

TEST_F(DiskFullTest, StartsOnAFullDisk) {
  store_.reset();
  FillDisk();
  store_ = OpenStore(path_);
  ASSERT_NE(store_, nullptr);
  EXPECT_EQ(store_->sched_epoch(), 2U);
}

}  // namespace
}  // namespace berth
