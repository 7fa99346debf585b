// The real store on SQLite on a disk that loses its power, fails and fills up
// (sim/faults/crash_disk.h): what was acknowledged is there, whole, and nothing else but perhaps
// the turn that was under way.

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "scheduler/store/store.h"
#include "sim/faults/crash_disk.h"
#include "sim/faults/crash_vfs.h"
#include "tests/scheduler/store/store_builders.h"
#include "tests/testing/temp_dir.h"

namespace berth::sim {
namespace {

using Fault = CrashDisk::Fault;

constexpr int kTurnsMost = 30;
constexpr int kLives = 4;
constexpr int64_t kCallsMost = 400;
constexpr int kPayloadMost = 20000;

// What is wrong with the program.
enum class Planted { kNothing, kSyncsIgnored, kAckBeforeCommit };

// A database as the store makes it, on the machine's own disk: the store also looks at the file
// beside SQLite, and finds it there.
class PowerLossTest : public testing::Test {
 protected:
  PowerLossTest() {
    EXPECT_TRUE(SaveTurn(*OpenStore(path_), MakeCenter()).ok());
    std::ifstream file(path_, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    content_ = text.str();
  }

  const TempDir dir_{FastFolder()};
  const std::string path_ = dir_.File("berth.db");
  std::string content_;
};

// One database through several lives of its scheduler.
class History {
 public:
  History(uint64_t seed, const std::string& path, const std::string& content, Planted planted)
      : random_(seed), disk_(seed), path_(path), planted_(planted) {
    disk_.Put(path, content);
    if (planted == Planted::kSyncsIgnored) {
      disk_.IgnoreSyncs();
    }
  }

  CrashDisk& disk() { return disk_; }
  const std::string& broken() const { return broken_; }
  uint64_t acknowledged() const { return acknowledged_; }
  int64_t Between(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random_);
  }

  void Fail(Fault fault, int64_t calls) {
    fault_ = fault;
    disk_.FailAt(fault, calls);
  }

  // What the machine's memory then says of the file is not what is on the disk, and no later sync
  // makes it so: the machine has to begin anew, as the operations guide says.
  bool has_failed_to_sync() const { return fault_ == Fault::kSyncError && disk_.has_failed(); }

  // A scheduler that starts, runs at most so many turns, and stops or is ended by the disk.
  void Live(int turns) {
    const CrashDiskScope scope(disk_);
    absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(Options());
    if (!store.ok()) {
      Excuse("the store does not open", store.status());
      disk_.EndProcess();
      return;
    }
    if ((*store)->sched_epoch() <= epoch_) {
      Broken(absl::StrCat("epoch ", (*store)->sched_epoch(), " follows epoch ", epoch_));
    }
    epoch_ = (*store)->sched_epoch();
    if (!Verify(**store)) {
      disk_.EndProcess();
    }
    for (int turn = 0; turn < turns && broken_.empty(); ++turn) {
      if (!RunTurn(**store)) {
        disk_.EndProcess();  // as the control loop does: memory is ahead of the disk
        break;
      }
    }
    store->reset();
  }

  // To be read again at leisure.
  void Check() {
    disk_.Restart();
    disk_.EndFault();
    Live(2);
    disk_.Restart();
    Live(0);
  }

 private:
  StoreOptions Options() const {
    StoreOptions options;
    options.path = path_;
    options.ballast_bytes = 0;
    options.wal_pages_max = 40;
    return options;
  }

  void Broken(const std::string& what) {
    if (broken_.empty()) {
      broken_ = what;
    }
  }
  // An error is the disk's, if that had one.
  void Excuse(const char* what, const absl::Status& status) {
    if (!disk_.has_failed()) {
      Broken(absl::StrCat(what, ": ", std::string(status.message())));
    }
  }

  // Turn N: job N with its key, its payload and its audit row, the end of the job before the last,
  // and a word about a node.
  static absl::Status Save(Store& store, uint64_t number, const std::string& payload) {
    Changes changes;
    changes.jobs = {MakeJob(number)};
    if (number > 2) {
      changes.jobs.push_back(MakeEndedJob(number - 2));
    }
    changes.nodes = {MakeNode(1, 8)};
    changes.nodes[0].state_detail = absl::StrCat("turn ", number);
    SubmissionRecord submission = MakeSubmission(number, absl::StrCat("key-", number));
    submission.payload = payload;
    RETURN_IF_ERROR(store.SaveChanges(changes));
    RETURN_IF_ERROR(store.SaveSubmission(submission));
    return store.SaveAudit(MakeAudit(absl::StrCat("job ", number)));
  }

  static std::string PayloadOf(uint64_t number) {
    return std::string(number * 977 % kPayloadMost, static_cast<char>('a' + number % 26));
  }

  // Returns: whether the process goes on.
  bool RunTurn(Store& store) {
    const uint64_t number = acknowledged_ + 1;
    absl::Status status = store.Begin();
    status.Update(status.ok() ? Save(store, number, PayloadOf(number)) : status);
    if (planted_ == Planted::kAckBeforeCommit) {
      acknowledged_ = number;
    }
    in_flight_ = status.ok();
    status.Update(status.ok() ? store.Commit() : status);
    if (status.ok()) {
      acknowledged_ = number;
      in_flight_ = false;
      return Between(0, 5) != 0 || Maintain(store);
    }
    Excuse("a turn fails", status);
    if (!absl::IsResourceExhausted(status)) {
      return false;
    }
    in_flight_ = false;
    if (Between(0, 2) == 0) {
      disk_.EndFault();
      return Maintain(store);
    }
    return true;
  }

  // As the idle control loop does. Returns: whether it goes on.
  bool Maintain(Store& store) {
    const absl::Status status = store.Maintain();
    if (!status.ok()) {
      Excuse("the log is not brought in", status);
    }
    return status.ok();
  }

  // Returns: whether it could be read.
  bool Verify(Store& store) {
    const absl::StatusOr<StoredState> state = store.Load();
    absl::Status status = state.ok() ? store.VerifyAudit() : state.status();
    if (!status.ok()) {
      Excuse("what is there cannot be read", status);
      return false;
    }
    const uint64_t last = state->last_job.value();
    if (last < acknowledged_ || last > acknowledged_ + (in_flight_ ? 1 : 0)) {
      Broken(absl::StrCat("turn ", acknowledged_, " was acknowledged, the last that is there is ",
                          last));
    }
    acknowledged_ = last;
    in_flight_ = false;
    const std::string detail = last == 0 ? "" : absl::StrCat("turn ", last);
    if (state->nouns.jobs.size() != std::min<uint64_t>(last, 2) ||
        state->nouns.nodes.at(0).state_detail != detail) {
      Broken(absl::StrCat("turn ", last, " is there in part"));
    }
    for (uint64_t number = 1; number <= last && broken_.empty(); ++number) {
      VerifyTurn(store, number);
    }
    return true;
  }

  void VerifyTurn(Store& store, uint64_t number) {
    const auto known = store.FindSubmission(TenantId(1), absl::StrCat("key-", number));
    const auto payload = store.GetJobPayload(JobId(number));
    if (!known.ok() || !payload.ok()) {
      Excuse("a submission cannot be read", known.ok() ? payload.status() : known.status());
    } else if (!known->has_value() || (*known)->job != JobId(number) ||
               *payload != PayloadOf(number)) {
      Broken(absl::StrCat("the submission of job ", number, " is not what it was"));
    }
  }

  std::mt19937_64 random_;
  CrashDisk disk_;
  const std::string path_;
  const Planted planted_;
  Fault fault_ = Fault::kNone;
  uint64_t acknowledged_ = 0;
  bool in_flight_ = false;
  uint64_t epoch_ = 0;
  std::string broken_;
};

// Several lives, a fault in each. Returns: what is broken.
std::string RunSeed(uint64_t seed, const std::string& path, const std::string& content,
                    Planted planted) {
  constexpr Fault kFaults[] = {Fault::kPowerCut,   Fault::kPowerCut,  Fault::kReadError,
                               Fault::kWriteError, Fault::kSyncError, Fault::kNoRoom};
  History history(seed, path, content, planted);
  for (int life = 0; life < kLives && history.broken().empty(); ++life) {
    history.Fail(kFaults[history.Between(0, std::size(kFaults) - 1)],
                 history.Between(1, kCallsMost));
    history.Live(static_cast<int>(history.Between(1, kTurnsMost)));
    if (history.Between(0, 1) == 0 || history.has_failed_to_sync()) {
      history.disk().CutPower();
    }
    history.disk().Restart();
  }
  if (history.broken().empty()) {
    history.Check();
  }
  return history.broken().empty() ? "" : absl::StrCat("seed ", seed, ": ", history.broken());
}

TEST_F(PowerLossTest, WhatIsAcknowledgedOutlivesEveryFault) {
  constexpr uint64_t kSeeds = 1000;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    ASSERT_EQ(RunSeed(seed, path_, content_, Planted::kNothing), "");
  }
}

// At every call that SQLite makes of the disk, from the start of the store to its end.
TEST_F(PowerLossTest, APowerCutAtEveryCallLosesNothing) {
  constexpr int kTurns = 12;
  int64_t calls = 0;
  {
    History whole(1, path_, content_, Planted::kNothing);
    whole.Live(kTurns);
    ASSERT_EQ(whole.broken(), "");
    ASSERT_EQ(whole.acknowledged(), kTurns);
    calls = whole.disk().calls();
  }
  ASSERT_GT(calls, 200);
  for (int64_t call = 1; call <= calls; ++call) {
    History history(1, path_, content_, Planted::kNothing);
    history.Fail(Fault::kPowerCut, call);
    history.Live(kTurns);
    ASSERT_TRUE(history.disk().has_failed() || call == calls) << "call " << call;
    history.Check();
    ASSERT_EQ(history.broken(), "") << "call " << call << " of " << calls;
  }
}

TEST_F(PowerLossTest, AFailedSyncIsNotAnsweredWithOk) {
  int failed = 0;
  for (int64_t call = 1; call <= kCallsMost; ++call) {
    History history(static_cast<uint64_t>(call), path_, content_, Planted::kNothing);
    history.Fail(Fault::kSyncError, call);
    history.Live(kTurnsMost);
    failed += history.disk().has_failed() && history.acknowledged() < kTurnsMost ? 1 : 0;
    history.disk().CutPower();
    history.Check();
    ASSERT_EQ(history.broken(), "") << "call " << call;
  }
  EXPECT_GT(failed, 100);
}

// Returns: how many seeds it takes to find it; 0: more than there are.
uint64_t SeedsUntilFound(Planted planted, const std::string& path, const std::string& content) {
  constexpr uint64_t kSeeds = 100;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    if (!RunSeed(seed, path, content, planted).empty()) {
      return seed;
    }
  }
  return 0;
}

TEST_F(PowerLossTest, AProgramThatDoesNotSyncIsFound) {
  EXPECT_NE(SeedsUntilFound(Planted::kSyncsIgnored, path_, content_), 0U);
}

TEST_F(PowerLossTest, AProgramThatAnswersBeforeTheCommitIsFound) {
  EXPECT_NE(SeedsUntilFound(Planted::kAckBeforeCommit, path_, content_), 0U);
}

}  // namespace
}  // namespace berth::sim
