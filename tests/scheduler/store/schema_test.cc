#include "scheduler/store/schema.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"

#include "scheduler/core/job.h"
#include "scheduler/core/lifecycle.h"
#include "tests/scheduler/store/store_builders.h"
#include "tests/testing/temp_dir.h"
#include <sys/stat.h>

namespace berth {
namespace {

constexpr char kAllSql[] =
    "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name";

std::string ReadFixture(const std::string& name) {
  std::ifstream file(std::filesystem::path(BERTH_SOURCE_DIR) / "tests/scheduler/store/fixtures" /
                     name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void Create(const std::string& path, const std::string& sql) {
  RawDatabase raw(path);
  ASSERT_EQ(raw.Run(sql), "");
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
}

// A center with a running job of two devices and an ended one.
class SchemaTest : public testing::Test {
 protected:
  void SetUp() override {
    std::unique_ptr<Store> store = OpenStore(path_);
    Changes changes = MakeCenter();
    changes.jobs = {MakeJob(1), MakeEndedJob(2)};
    changes.jobs[0].state = JobState::kRunning;
    changes.allocations = {MakeAllocation(1, 1, 1, 0), MakeAllocation(2, 1, 1, 1),
                           Released(MakeAllocation(3, 2, 2, 0))};
    ASSERT_TRUE(SaveTurn(*store, changes).ok());
  }
  absl::Status Save(const Allocation& allocation) {
    const std::unique_ptr<Store> store = OpenStore(path_);
    Changes changes;
    changes.allocations = {allocation};
    return SaveTurn(*store, changes);
  }
  // Returns: the refusal.
  std::string Run(const std::string& sql) { return RawDatabase(path_).Run(sql); }

  TempDir dir_{FastFolder()};
  const std::string path_ = dir_.File("berth.db");
};

TEST_F(SchemaTest, ADeviceIsNotGivenOutTwice) {
  const absl::Status twice = Save(MakeAllocation(4, 3, 1, 0));
  EXPECT_EQ(twice.code(), absl::StatusCode::kInternal);
  EXPECT_NE(twice.message().find("a device is not given out twice"), absl::string_view::npos)
      << twice;
  EXPECT_TRUE(Save(MakeAllocation(4, 3, 2, 0)).ok());  // released there
}

// The index holds even where the trigger is gone.
TEST_F(SchemaTest, AWholeDeviceHasOneRow) {
  EXPECT_EQ(Run("DROP TRIGGER allocation_devices_fit"), "");
  EXPECT_NE(Run("INSERT INTO allocation_devices VALUES (2, 0, 1, 'u', 1, 1000, 1, 1, NULL)"), "");
}

TEST_F(SchemaTest, PartsOfADeviceDoNotExceedIt) {
  Allocation part = MakeAllocation(4, 3, 1, 5);
  part.devices[0].milli = 600;
  ASSERT_TRUE(Save(part).ok());
  part.id = AllocationId(5);
  part.rank = 5;
  EXPECT_FALSE(Save(part).ok());
  part.devices[0].milli = 400;
  EXPECT_TRUE(Save(part).ok());
}

TEST_F(SchemaTest, ADeviceMovesBetweenJobsInOneTurn) {
  const std::unique_ptr<Store> store = OpenStore(path_);
  Changes changes;
  changes.allocations = {MakeAllocation(4, 3, 1, 0), Released(MakeAllocation(1, 1, 1, 0))};
  EXPECT_TRUE(SaveTurn(*store, changes).ok());
}

TEST_F(SchemaTest, AReleasedAllocationNeverChanges) {
  Allocation released = Released(MakeAllocation(3, 2, 2, 0));
  EXPECT_TRUE(Save(released).ok());  // the same again
  released.evidence = ReleaseEvidence::kNodeLost;
  EXPECT_FALSE(Save(released).ok());
  EXPECT_NE(Run("UPDATE allocations SET released_us = NULL, state = 'running', evidence = 'none' "
                "WHERE id = 3"),
            "");
  EXPECT_NE(Run("UPDATE allocations SET tenant_id = 2 WHERE id = 1"), "");
  EXPECT_NE(Run("UPDATE allocation_devices SET to_us = 5 WHERE allocation_id = 3"), "");
  EXPECT_NE(Run("UPDATE allocation_devices SET milli = 5 WHERE allocation_id = 1"), "");
  EXPECT_NE(Run("DELETE FROM allocation_devices"), "");
  EXPECT_NE(Run("DELETE FROM allocations"), "");
}

TEST_F(SchemaTest, AnEndedJobNeverChanges) {
  EXPECT_EQ(Run("UPDATE job_history SET exit_code = 0 WHERE id = 2"), "an ended job never changes");
  EXPECT_NE(Run("DELETE FROM job_history"), "");
  EXPECT_NE(Run("DELETE FROM jobs"), "");  // a live one leaves through the history only
  EXPECT_NE(Run("UPDATE jobs SET state = 'succeeded'"), "");
}

TEST_F(SchemaTest, RefusesWordsAndNumbersOutOfRange) {
  EXPECT_NE(Run("UPDATE jobs SET state = 'Running'"), "");
  EXPECT_NE(Run("UPDATE jobs SET requeues = -1"), "");
  EXPECT_NE(Run("UPDATE jobs SET requeues = 'many'"), "");
  EXPECT_NE(Run("UPDATE nodes SET state = ''"), "");
  EXPECT_NE(Run("INSERT INTO projects VALUES (9, 77, 'p', 1)"), "");
  EXPECT_NE(Run("UPDATE meta SET sched_epoch = 0"), "");
  EXPECT_NE(Run("UPDATE meta SET last_job = 1"), "");
}

// The words in the schema are the words of the core.
TEST_F(SchemaTest, TakesEveryStateOfTheCore) {
  const std::unique_ptr<Store> store = OpenStore(path_);
  Job job = MakeJob(10);
  const auto save = [&] {
    Changes changes;
    changes.jobs = {job};
    job.id = JobId(job.id.value() + 1);
    return SaveTurn(*store, changes);
  };
  for (int i = 0; i <= static_cast<int>(JobState::kDependencyFailed); ++i) {
    job.state = static_cast<JobState>(i);
    EXPECT_TRUE(save().ok()) << Name(job.state);
  }
  for (int i = 0; i <= static_cast<int>(AttemptState::kEnded); ++i) {
    job.attempt.state = static_cast<AttemptState>(i);
    EXPECT_TRUE(save().ok()) << Name(job.attempt.state);
  }
  for (int i = 0; i <= static_cast<int>(EndReason::kIdle); ++i) {
    job.attempt.end.reason = static_cast<EndReason>(i);
    EXPECT_TRUE(save().ok()) << Name(job.attempt.end.reason);
  }
  Node node = MakeNode(9, 3);
  for (int i = 0; i <= static_cast<int>(NodeState::kRemoved); ++i) {
    node.state = static_cast<NodeState>(i);
    const int third = i % 3;
    node.facts.devices[0].kind = static_cast<DeviceKind>(third);
    node.facts.devices[0].health = static_cast<DeviceHealth>(third);
    Changes changes;
    changes.nodes = {node};
    EXPECT_TRUE(SaveTurn(*store, changes).ok()) << Name(node.state);
  }
  Allocation allocation = MakeAllocation(10, 10, 1, 7);
  for (int i = 0; i < static_cast<int>(AllocationState::kReleased); ++i) {
    allocation.state = static_cast<AllocationState>(i);
    Changes changes;
    changes.allocations = {allocation};
    EXPECT_TRUE(SaveTurn(*store, changes).ok()) << Name(allocation.state);
  }
  for (int i = 1; i <= static_cast<int>(ReleaseEvidence::kConfirmedDead); ++i) {
    Allocation released = Released(MakeAllocation(20 + static_cast<uint64_t>(i), 10, 1, 6));
    released.evidence = static_cast<ReleaseEvidence>(i);
    Changes changes;
    changes.allocations = {released};
    EXPECT_TRUE(SaveTurn(*store, changes).ok()) << Name(released.evidence);
  }
}

TEST_F(SchemaTest, ViewsAnswerWhoHadWhichDevicesWhen) {
  RawDatabase raw(path_);
  EXPECT_EQ(raw.Query("SELECT * FROM allocation_report WHERE job = 2"),
            "vision|default|2|0|3|node-2|sim-a100-80g|0|GPU-x-0|1000|2023-11-14T22:13:30.000Z|"
            "2023-11-14T22:14:30.000Z|reported\n");
  EXPECT_EQ(raw.Query("SELECT device_index, ended, evidence FROM allocation_report WHERE job = 1"),
            "0|-|none\n1|-|none\n");
  EXPECT_EQ(raw.Query("SELECT job, name, tenant, user, state, end_reason, ended FROM job_report"),
            "1|train-1|vision|ada|running|none|-\n"
            "2|train-2|vision|ada|succeeded|exit|2023-11-14T22:15:00.000Z\n");
}

class SchemaMigrationFrom : public testing::TestWithParam<const char*> {};

// Each fixture was dumped by the last program that wrote its version.
TEST_P(SchemaMigrationFrom, OpensAndIsAsANewOne) {
  const TempDir dir(FastFolder());
  const std::string fixture = ReadFixture(GetParam());
  ASSERT_FALSE(fixture.empty());
  Create(dir.File("old.db"), fixture);
  {
    const std::unique_ptr<Store> store = OpenStore(dir.File("old.db"));
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(store->cluster_id(), "00112233445566778899aabbccddeeff");
    EXPECT_EQ(store->sched_epoch(), 2U);
    const absl::StatusOr<StoredState> state = store->Load();
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(state->nouns.tenants.size(), 2U);
    ASSERT_EQ(state->nouns.jobs.size(), 1U);
    EXPECT_EQ(state->nouns.jobs[0].spec.name, "train-1");
    EXPECT_EQ(state->nouns.jobs[0].attempt.notice, nullptr);
    EXPECT_EQ(state->nouns.allocations.size(), 2U);
    EXPECT_EQ(state->last_job, JobId(2));
    EXPECT_TRUE(store->FindEndedJob(JobId(2))->has_value());
    EXPECT_TRUE(store->VerifyAudit().ok()) << store->VerifyAudit();
  }
  OpenStore(dir.File("new.db"));
  EXPECT_EQ(RawDatabase(dir.File("old.db")).Query(kAllSql),
            RawDatabase(dir.File("new.db")).Query(kAllSql));
}

INSTANTIATE_TEST_SUITE_P(Versions, SchemaMigrationFrom,
                         testing::Values("v1.sql", "v2.sql", "v3.sql", "v4.sql", "v5.sql",
                                         "v6.sql"));

// What fails half-way leaves the version before it, and says which program can still use it.
TEST(SchemaMigration, AFailedStepChangesNothing) {
  const TempDir dir(FastFolder());
  const std::string path = dir.File("old.db");
  Create(path, ReadFixture("v1.sql") + "ALTER TABLE meta ADD COLUMN last_backup_us INTEGER;");
  const std::string before = RawDatabase(path).Query(kAllSql);
  const absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(SmallOptions(path));
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(store.status().message().find("cannot be brought to version 2"),
            absl::string_view::npos)
      << store.status();
  EXPECT_EQ(RawDatabase(path).Query(kAllSql), before);
  EXPECT_EQ(RawDatabase(path).Query("PRAGMA user_version"), "1\n");
}

// The numbers that only grow and the rows that never change are guarded after it as before.
TEST(SchemaMigration, KeepsTheGuardsOfVersion1) {
  const TempDir dir(FastFolder());
  const std::string path = dir.File("old.db");
  Create(path, ReadFixture("v1.sql"));
  OpenStore(path);
  RawDatabase raw(path);
  EXPECT_EQ(raw.Run("UPDATE meta SET last_job = 1"), "identifiers and epochs only grow");
  EXPECT_EQ(raw.Run("DELETE FROM audit"), "the audit record is never deleted");
  EXPECT_EQ(raw.Query("PRAGMA foreign_key_check"), "");
}

}  // namespace
}  // namespace berth
