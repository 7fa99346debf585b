#include "agent/journal.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include <gtest/gtest.h>

#include "common/error_detail.h"
#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

AssignmentAccepted Accepted(uint64_t allocation, int64_t seq) {
  AssignmentAccepted record;
  record.assignment.set_allocation_id(allocation);
  record.assignment.set_assign_seq(seq);
  record.assignment.set_job_name("job with blanks\nand lines");
  return record;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteAll(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes;
}

class JournalTest : public testing::Test {
 protected:
  std::unique_ptr<Journal> Open() {
    state_ = {};
    auto journal = Journal::Open(dir_.path(), state_);
    EXPECT_TRUE(journal.ok()) << journal.status();
    return journal.ok() ? *std::move(journal) : nullptr;
  }
  absl::Status TryOpen() {
    AgentState state;
    return Journal::Open(dir_.path(), state).status();
  }
  // Opened, written and closed.
  void Write(const std::vector<JournalRecord>& records) {
    ASSERT_TRUE(Open()->Append(records, true).ok());
  }
  std::string path() const { return dir_.File("journal"); }

  TempDir dir_;
  AgentState state_;
};

TEST_F(JournalTest, BeginsEmpty) {
  Open();
  EXPECT_EQ(state_.incarnation, 0u);
  EXPECT_TRUE(state_.tasks.empty());
}

TEST_F(JournalTest, EveryKindOfRecordComesBack) {
  Write({
      AgentStarted{3,      "boot-id"},
      EpochSeen{9     },
      Accepted(11, 5), RendezvousReserved{11, 20007},
      TombstoneSet{12},
      Accepted(13, 7), TaskForgotten{13    },
      AssignSeqSeen{40    },
      RecordsLost{2    }
  });
  Open();
  EXPECT_EQ(state_.incarnation, 3u);
  EXPECT_EQ(state_.whole_since, 2u);
  EXPECT_EQ(state_.boot_id, "boot-id");
  EXPECT_EQ(state_.sched_epoch_max, 9u);
  EXPECT_EQ(state_.assign_seq_max, 40);
  ASSERT_EQ(state_.tasks.size(), 1u);
  EXPECT_EQ(state_.tasks.at(11).assignment.job_name(), "job with blanks\nand lines");
  EXPECT_EQ(state_.tasks.at(11).rendezvous_port, 20007);
  EXPECT_EQ(state_.tombstones.count(12), 1u);
}

TEST_F(JournalTest, SaysWhenRecordsMayBeLost) {
  EXPECT_TRUE(Open()->records_lost()) << "it is new";
  Write({Accepted(11, 1)});
  EXPECT_FALSE(Open()->records_lost());
  const std::string good = ReadAll(path());
  WriteAll(path(), good.substr(0, good.size() - 1));
  EXPECT_TRUE(Open()->records_lost()) << "its end is torn";
  WriteAll(path(), std::string(good.size(), '\0'));
  EXPECT_TRUE(Open()->records_lost()) << "it was overwritten with zeros";
  EXPECT_TRUE(state_.tasks.empty());
}

TEST_F(JournalTest, FileIsForItsOwnerAlone) {
  Write({EpochSeen{9}});
  const auto mode = std::filesystem::status(path()).permissions();
  EXPECT_EQ(mode & (std::filesystem::perms::group_all | std::filesystem::perms::others_all),
            std::filesystem::perms::none);
}

// Wherever the crash came: what was whole before stays, the rest is cut, and writing goes on.
TEST_F(JournalTest, TornTailIsCutAtEveryLength) {
  Write({Accepted(11, 1)});
  const std::string first = ReadAll(path());
  Write({Accepted(12, 2)});
  const std::string both = ReadAll(path());
  for (size_t length = first.size(); length < both.size(); ++length) {
    WriteAll(path(), both.substr(0, length));
    auto journal = Open();
    ASSERT_NE(journal, nullptr) << "length " << length;
    EXPECT_EQ(state_.tasks.count(11), 1u);
    EXPECT_EQ(state_.tasks.count(12), 0u);
    ASSERT_EQ(ReadAll(path()), first) << "length " << length;
    ASSERT_TRUE(journal->Append({Accepted(13, 3)}, true).ok());
    journal.reset();
    Open();
    EXPECT_EQ(state_.tasks.count(13), 1u) << "length " << length;
  }
}

TEST_F(JournalTest, ZerosThatACrashLeftAtTheEndAreCut) {
  Write({Accepted(11, 1)});
  WriteAll(path(), ReadAll(path()) + std::string(4096, '\0'));
  Open();
  EXPECT_EQ(state_.tasks.count(11), 1u);
}

TEST_F(JournalTest, DamageInTheMiddleIsRefusedAtEveryByte) {
  Write({Accepted(11, 1)});
  const size_t first = ReadAll(path()).size();
  Write({Accepted(12, 2), Accepted(13, 3)});
  const std::string good = ReadAll(path());
  for (size_t at = 0; at < first; ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    WriteAll(path(), bad);
    const absl::Status status = TryOpen();
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << "byte " << at << ": " << status;
    EXPECT_EQ(ReadAll(path()), bad) << "a refused journal must stay as it is";
    const auto detail = FindDetail(status);
    ASSERT_TRUE(detail.has_value());
    EXPECT_FALSE(detail->fix.empty());
  }
}

TEST_F(JournalTest, SecondAgentOnTheFolderIsRefused) {
  auto journal = Open();
  const absl::Status status = TryOpen();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find(dir_.path()), absl::string_view::npos) << status;
  journal.reset();
  EXPECT_TRUE(TryOpen().ok());
}

TEST_F(JournalTest, CompactionKeepsTheSumAndNothingElse) {
  auto journal = Open();
  std::vector<JournalRecord> records = {
      AgentStarted{3,      "boot-id"},
      EpochSeen{9     },
      Accepted(11, 1),
      RendezvousReserved{11, 20007},
      TombstoneSet{12},
      RecordsLost{2    }
  };
  for (int i = 0; i < 200; ++i) {
    records.push_back(Accepted(100 + static_cast<uint64_t>(i), 10 + i));
    records.push_back(TaskForgotten{100 + static_cast<uint64_t>(i)});
  }
  for (const JournalRecord& record : records) {
    ApplyRecord(record, state_);
  }
  ASSERT_TRUE(journal->Append(records, true).ok());
  const size_t before = ReadAll(path()).size();
  ASSERT_TRUE(journal->Compact(state_).ok());
  EXPECT_LT(ReadAll(path()).size(), before / 10);
  ASSERT_TRUE(journal->Append({Accepted(500, 300)}, true).ok());
  journal.reset();
  Open();
  EXPECT_EQ(state_.incarnation, 3u);
  EXPECT_EQ(state_.boot_id, "boot-id");
  EXPECT_EQ(state_.sched_epoch_max, 9u);
  EXPECT_EQ(state_.tasks.size(), 2u);
  EXPECT_EQ(state_.tasks.at(11).rendezvous_port, 20007);
  EXPECT_EQ(state_.tasks.count(500), 1u);
  EXPECT_EQ(state_.tombstones.count(12), 1u);
  EXPECT_EQ(state_.assign_seq_max, 300);
  EXPECT_EQ(state_.whole_since, 2u);
}

// The numbers of tasks that are gone must not be accepted again.
TEST_F(JournalTest, CompactionKeepsTheHighestNumberOfForgottenTasks) {
  auto journal = Open();
  state_.assign_seq_max = 209;
  ASSERT_TRUE(journal->Compact(state_).ok());
  journal.reset();
  Open();
  EXPECT_EQ(state_.assign_seq_max, 209);
}

TEST_F(JournalTest, AJournalIsLargeUntilItIsCompacted) {
  auto journal = Open();
  ASSERT_TRUE(journal->Append({Accepted(11, 1), TaskForgotten{11}}, true).ok());
  EXPECT_FALSE(journal->IsLarge());
  AssignmentAccepted large = Accepted(12, 2);
  large.assignment.set_job_spec(std::string(16 << 20, 'x'));
  ASSERT_TRUE(journal->Append({large, TaskForgotten{12}}, true).ok());
  EXPECT_TRUE(journal->IsLarge());
  ASSERT_TRUE(journal->Compact(state_).ok());
  EXPECT_FALSE(journal->IsLarge());
}

TEST_F(JournalTest, LockStaysThroughACompaction) {
  auto journal = Open();
  ASSERT_TRUE(journal->Compact(state_).ok());
  EXPECT_EQ(TryOpen().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace berth
