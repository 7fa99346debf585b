// A scheduler that dies at any moment: what was acknowledged is there.

#include <csignal>
#include <random>

#include "gtest/gtest.h"

#include "scheduler/store/store.h"
#include "tests/scheduler/store/store_builders.h"
#include "tests/testing/temp_dir.h"
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int kTurnsMax = 100000;

// Runs in the child: one job, submission and audit row per turn; acknowledges each on `pipe`.
[[noreturn]] void SubmitUntilKilled(const std::string& path, int pipe, uint64_t first) {
  absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(SmallOptions(path));
  for (uint64_t id = first; store.ok() && id < first + kTurnsMax; ++id) {
    Changes changes;
    changes.jobs = {MakeJob(id)};
    const bool durable =
        (*store)->Begin().ok() && (*store)->SaveChanges(changes).ok() &&
        (*store)->SaveSubmission(MakeSubmission(id, "key-" + std::to_string(id))).ok() &&
        (*store)->SaveAudit(MakeAudit("job " + std::to_string(id))).ok() && (*store)->Commit().ok();
    if (!durable || write(pipe, &id, sizeof(id)) != sizeof(id)) {
      break;
    }
  }
  _exit(1);
}

// Returns: the last id that was acknowledged.
uint64_t RunAndKill(const std::string& path, uint64_t first, int acks_until_kill) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    SubmitUntilKilled(path, ends[1], first);
  }
  close(ends[1]);
  uint64_t last = first - 1;
  int acks = 0;
  uint64_t id = 0;
  while (read(ends[0], &id, sizeof(id)) == sizeof(id)) {
    last = id;
    if (++acks == acks_until_kill) {
      kill(child, SIGKILL);
    }
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  return last;
}

TEST(StoreCrash, KeepsEveryAcknowledgedTurn) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const TempDir dir;
  const std::string path = dir.File("berth.db");
  ASSERT_TRUE(SaveTurn(*OpenStore(path), MakeCenter()).ok());
  uint64_t last = 0;
  for (int round = 0; round < 5; ++round) {
    const uint64_t first = last + 1;
    const uint64_t acknowledged =
        RunAndKill(path, first, std::uniform_int_distribution<int>(1, 400)(random));
    const std::unique_ptr<Store> store = OpenStore(path);
    const absl::StatusOr<StoredState> state = store->Load();
    ASSERT_TRUE(state.ok()) << state.status();
    // The turn after the last acknowledged one may be there too; then all of it is.
    last = state->last_job.value();
    ASSERT_GE(last, acknowledged);
    ASSERT_LE(last, acknowledged + 1);
    ASSERT_EQ(state->nouns.jobs.size(), last);
    for (uint64_t id = first; id <= last; ++id) {
      const auto known = store->FindSubmission(TenantId(1), "key-" + std::to_string(id));
      ASSERT_TRUE(known.ok() && known->has_value()) << id;
      EXPECT_EQ((*known)->job, JobId(id));
      EXPECT_EQ(store->GetJobPayload(JobId(id)).value(), "p");
    }
    EXPECT_TRUE(store->VerifyAudit().ok()) << store->VerifyAudit();
  }
}

}  // namespace
}  // namespace berth
