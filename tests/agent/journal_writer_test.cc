#include "agent/journal_writer.h"

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include <gtest/gtest.h>

#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

TEST(JournalWriter, RecordsAreThereWhenItSaysSoOnTheLoop) {
  const TempDir dir;
  AgentState state;
  auto journal = Journal::Open(dir.path(), state);
  ASSERT_TRUE(journal.ok()) << journal.status();
  const std::vector<JournalRecord> first = {EpochSeen{9}};
  const std::vector<JournalRecord> second = {TombstoneSet{12}};
  EventLoop loop;
  JournalWriter writer(**journal, loop);
  std::vector<absl::Status> told;
  writer.Append(first, std::nullopt, [&](const absl::Status& status) {
    told.push_back(status);
    writer.Append(second, std::nullopt, [&](const absl::Status& later) {
      told.push_back(later);
      loop.Stop();
    });
  });
  EXPECT_TRUE(told.empty());
  loop.Run();

  ASSERT_EQ(told.size(), 2u);
  EXPECT_TRUE(told[0].ok() && told[1].ok());
  journal->reset();
  ASSERT_TRUE(Journal::Open(dir.path(), state).ok());
  EXPECT_EQ(state.sched_epoch_max, 9u);
  EXPECT_TRUE(state.tombstones.contains(12));
}

TEST(JournalWriter, WithTheWholeStateTheJournalSaysJustThat) {
  const TempDir dir;
  AgentState state;
  auto journal = Journal::Open(dir.path(), state);
  ASSERT_TRUE(journal.ok()) << journal.status();
  const std::vector<JournalRecord> records = {EpochSeen{8}, TombstoneSet{12}};
  EventLoop loop;
  JournalWriter writer(**journal, loop);
  writer.Append(records, AgentState{.sched_epoch_max = 9}, [&](const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    loop.Stop();
  });
  loop.Run();

  journal->reset();
  AgentState found;
  ASSERT_TRUE(Journal::Open(dir.path(), found).ok());
  EXPECT_EQ(found.sched_epoch_max, 9u);
  EXPECT_TRUE(found.tombstones.empty());
}

TEST(JournalWriter, ItsEndWaitsForWhatItWrites) {
  const TempDir dir;
  AgentState state;
  auto journal = Journal::Open(dir.path(), state);
  ASSERT_TRUE(journal.ok()) << journal.status();
  const std::vector<JournalRecord> records = {EpochSeen{9}};
  EventLoop loop;
  {
    JournalWriter(**journal, loop).Append(records, std::nullopt, [](const absl::Status&) {});
  }
  journal->reset();
  ASSERT_TRUE(Journal::Open(dir.path(), state).ok());
  EXPECT_EQ(state.sched_epoch_max, 9u);
}

}  // namespace
}  // namespace berth
