// What the center promised and took back: bookings, dated quotas, certificates, labels, arrays.

#include <random>

#include "gtest/gtest.h"

#include "scheduler/store/store.h"
#include "tests/scheduler/store/store_builders.h"
#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

class PromisesTest : public testing::Test {
 protected:
  void SetUp() override {
    store_ = OpenStore(path_);
    ASSERT_NE(store_, nullptr);
    ASSERT_TRUE(SaveTurn(*store_, MakeCenter()).ok());
  }
  StoredState Reload() {
    store_.reset();
    store_ = OpenStore(path_);
    absl::StatusOr<StoredState> state = store_->Load();
    EXPECT_TRUE(state.ok()) << state.status();
    return state.ok() ? *std::move(state) : StoredState();
  }
  void Save(const Changes& changes) {
    const absl::Status status = SaveTurn(*store_, changes);
    ASSERT_TRUE(status.ok()) << status;
  }

  TempDir dir_{FastFolder()};
  const std::string path_ = dir_.File("data/berth.db");
  std::unique_ptr<Store> store_;
};

// Values that a random center could have. The same seed gives the same ones.
class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}
  int64_t Number(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random_);
  }
  bool Flip() { return Number(0, 1) == 1; }
  absl::Time Time() { return Flip() ? At(Number(0, 1000000)) : absl::InfinitePast(); }
  absl::Duration Length() { return absl::Microseconds(Number(0, 1000000000)); }
  template <typename Id>
  Id One(uint64_t most) {
    return Id(static_cast<typename Id::value_type>(Number(1, static_cast<int64_t>(most))));
  }
  template <typename Id>
  std::vector<Id> Some(int most) {
    std::vector<Id> ids(static_cast<size_t>(Number(0, most)));
    for (Id& id : ids) {
      id = One<Id>(1000);
    }
    return ids;
  }

  Booking MakeBooking(uint64_t id) {
    Booking booking;
    booking.id = BookingId(id);
    booking.kind = Flip() ? BookingKind::kMaintenance : BookingKind::kReservation;
    booking.tenant = Flip() ? One<TenantId>(2) : TenantId();
    booking.nodes = Some<NodeId>(5);
    booking.from = At(Number(0, 1000));
    booking.to = booking.from + Length();
    booking.reason = std::string(static_cast<size_t>(Number(0, 9)), 'r');
    booking.by = Flip() ? One<UserId>(2) : UserId();
    return booking;
  }

  ReclaimCandidate MakeCandidate() {
    ReclaimCandidate candidate;
    candidate.job = One<JobId>(50);
    candidate.attempt = static_cast<int>(Number(0, 3));
    candidate.tenant = One<TenantId>(2);
    candidate.devices = Number(1, 512);
    candidate.members = static_cast<int>(Number(1, 64));
    candidate.shrink = Flip();
    candidate.chosen = Flip();
    candidate.tenant_excess = Number(0, 512);
    candidate.tenant_weight = Number(1, 512);
    candidate.priority = static_cast<int>(Number(-1000, 1000));
    candidate.lost_work = Length();
    candidate.started_at = Time();
    candidate.notice = Length();
    return candidate;
  }

  Reclaim MakeReclaim(uint64_t id) {
    Reclaim reclaim;
    reclaim.id = ReclaimId(id);
    reclaim.at = At(Number(0, 1000));
    reclaim.claim = One<JobId>(50);
    reclaim.tenant = One<TenantId>(2);
    reclaim.device_class = ClassId(1);
    reclaim.within_tenant = Flip();
    reclaim.nodes = static_cast<int>(Number(1, 64));
    reclaim.devices_per_node = static_cast<int>(Number(1, 8));
    reclaim.entitlement = Number(0, 512);
    reclaim.used = Number(0, 512);
    reclaim.free_devices = Number(0, 512);
    reclaim.lost_device_seconds = Number(0, 1 << 30);
    reclaim.due = Time();
    for (int64_t i = Number(0, 6); i > 0; --i) {
      reclaim.candidates.push_back(MakeCandidate());
    }
    return reclaim;
  }

  QuotaEdit MakeEdit() {
    QuotaEdit edit;
    edit.key = {One<TenantId>(2), Flip() ? One<ProjectId>(2) : ProjectId(), ClassId(1)};
    edit.limits.entitlement = Number(0, 512);
    edit.limits.limit = Flip() ? std::make_optional(Number(0, 512)) : std::nullopt;
    edit.limits.non_lendable = Number(0, 512);
    edit.limits.weight = Flip() ? std::make_optional(Number(0, 512)) : std::nullopt;
    edit.limits.block_level = static_cast<TopologyLevel>(Number(0, 4));
    edit.limits.block_count = static_cast<int>(Number(0, 9));
    edit.effective_at = At(Number(0, 1000));
    edit.by = One<UserId>(2);
    return edit;
  }

 private:
  std::mt19937_64 random_;
};

void ExpectSame(const Booking& a, const Booking& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.tenant, b.tenant);
  EXPECT_TRUE(a.nodes == b.nodes);
  EXPECT_EQ(a.from, b.from);
  EXPECT_EQ(a.to, b.to);
  EXPECT_EQ(a.reason, b.reason);
  EXPECT_EQ(a.by, b.by);
  EXPECT_EQ(a.ended, b.ended);
}

void ExpectSame(const ReclaimCandidate& a, const ReclaimCandidate& b) {
  EXPECT_EQ(a.job, b.job);
  EXPECT_EQ(a.attempt, b.attempt);
  EXPECT_EQ(a.tenant, b.tenant);
  EXPECT_EQ(a.devices, b.devices);
  EXPECT_EQ(a.members, b.members);
  EXPECT_EQ(a.shrink, b.shrink);
  EXPECT_EQ(a.chosen, b.chosen);
  EXPECT_EQ(a.tenant_excess, b.tenant_excess);
  EXPECT_EQ(a.tenant_weight, b.tenant_weight);
  EXPECT_EQ(a.priority, b.priority);
  EXPECT_EQ(a.lost_work, b.lost_work);
  EXPECT_EQ(a.started_at, b.started_at);
  EXPECT_EQ(a.notice, b.notice);
}

void ExpectSame(const Reclaim& a, const Reclaim& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.at, b.at);
  EXPECT_EQ(a.claim, b.claim);
  EXPECT_EQ(a.tenant, b.tenant);
  EXPECT_EQ(a.device_class, b.device_class);
  EXPECT_EQ(a.within_tenant, b.within_tenant);
  EXPECT_EQ(a.nodes, b.nodes);
  EXPECT_EQ(a.devices_per_node, b.devices_per_node);
  EXPECT_EQ(a.entitlement, b.entitlement);
  EXPECT_EQ(a.used, b.used);
  EXPECT_EQ(a.free_devices, b.free_devices);
  EXPECT_EQ(a.lost_device_seconds, b.lost_device_seconds);
  EXPECT_EQ(a.due, b.due);
  EXPECT_EQ(a.settled_at, b.settled_at);
  ASSERT_EQ(a.candidates.size(), b.candidates.size());
  for (size_t i = 0; i < a.candidates.size(); ++i) {
    ExpectSame(a.candidates[i], b.candidates[i]);
  }
}

void ExpectSame(const QuotaEdit& a, const QuotaEdit& b) {
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.limits, b.limits);
  EXPECT_EQ(a.effective_at, b.effective_at);
  EXPECT_EQ(a.by, b.by);
}

template <typename Noun>
void ExpectSameList(const std::vector<Noun>& found, const std::vector<Noun>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    ExpectSame(found[i], expected[i]);
  }
}

// Rule: what was saved last is what a restart finds, whatever the values and the order of turns.
TEST_F(PromisesTest, RandomPromisesSurviveARestart) {
  const auto seed = static_cast<uint64_t>(testing::UnitTest::GetInstance()->random_seed());
  SCOPED_TRACE(testing::Message() << "--gtest_random_seed=" << seed);
  Dice dice(seed);
  std::vector<Booking> bookings;
  std::vector<Reclaim> reclaims;
  Changes last;
  for (uint64_t id = 1; id <= 40; ++id) {
    last = Changes();
    last.bookings = {dice.MakeBooking(id)};
    last.reclaims = {dice.MakeReclaim(id)};
    for (int64_t i = dice.Number(0, 3); i > 0; --i) {
      last.quota_edits.push_back(dice.MakeEdit());
    }
    last.quota_edits_changed = true;
    Save(last);
    bookings.push_back(last.bookings[0]);
    reclaims.push_back(last.reclaims[0]);
  }
  Changes ends;
  for (size_t i = bookings.size(); i > 0; --i) {
    if (dice.Flip()) {
      bookings[i - 1].ended = true;
      ends.bookings.push_back(bookings[i - 1]);
      bookings.erase(bookings.begin() + static_cast<ptrdiff_t>(i - 1));
    }
    if (dice.Flip()) {
      reclaims[i - 1].settled_at = dice.Flip() ? absl::InfiniteFuture() : At(5);
      ends.reclaims.push_back(reclaims[i - 1]);
      reclaims.erase(reclaims.begin() + static_cast<ptrdiff_t>(i - 1));
    }
  }
  Save(ends);
  const StoredState state = Reload();
  ExpectSameList(state.nouns.bookings, bookings);
  ExpectSameList(state.nouns.reclaims, reclaims);
  ExpectSameList(state.nouns.quota_edits, last.quota_edits);
  EXPECT_EQ(state.last_booking, BookingId(40));
  EXPECT_EQ(state.last_reclaim, ReclaimId(40));
}

TEST_F(PromisesTest, CertificatesAreFoundByClaimAndByVictim) {
  Dice dice(1);
  Changes changes;
  for (const uint64_t id : {1, 2, 3}) {
    Reclaim reclaim = dice.MakeReclaim(id);
    reclaim.claim = JobId(100 + id);
    reclaim.candidates = {dice.MakeCandidate(), dice.MakeCandidate()};
    reclaim.candidates[0].job = JobId(7);
    reclaim.candidates[0].chosen = id != 2;
    reclaim.candidates[1].job = JobId(8);
    reclaim.settled_at = id == 3 ? absl::InfiniteFuture() : At(9);
    changes.reclaims.push_back(reclaim);
  }
  Save(changes);
  ExpectSameList(store_->ListReclaims(JobId(7), 10).value(),
                 {changes.reclaims[2], changes.reclaims[0]});
  ExpectSameList(store_->ListReclaims(JobId(7), 1).value(), {changes.reclaims[2]});
  ExpectSameList(store_->ListReclaims(JobId(102), 10).value(), {changes.reclaims[1]});
  EXPECT_TRUE(store_->ListReclaims(JobId(9), 10)->empty());
}

TEST_F(PromisesTest, WhatIsSettledNeverChanges) {
  Dice dice(2);
  Changes changes;
  changes.bookings = {dice.MakeBooking(1)};
  changes.bookings[0].ended = true;
  changes.reclaims = {dice.MakeReclaim(1)};
  changes.reclaims[0].settled_at = At(3);
  Save(changes);
  Changes again;
  again.bookings = changes.bookings;
  again.bookings[0].ended = false;
  EXPECT_FALSE(SaveTurn(*store_, again).ok());
  again = Changes();
  again.reclaims = changes.reclaims;
  again.reclaims[0].settled_at = At(4);
  EXPECT_FALSE(SaveTurn(*store_, again).ok());
}

// Rule: an allocation shows the label that its attempt had, live, requeued and ended.
TEST_F(PromisesTest, AllocationsKeepTheLabelOfTheirAttempt) {
  const auto label = [this](int attempt) {
    return store_->ListAllocations({.job = JobId(1), .attempt = attempt})->at(0).funding;
  };
  Job job = MakeJob(1);
  job.state = JobState::kRunning;
  job.attempt.funding = Funding::kBorrowed;
  Changes changes;
  changes.jobs = {job};
  changes.allocations = {MakeAllocation(1, 1, 1, 0)};
  Save(changes);
  EXPECT_EQ(label(0), Funding::kBorrowed);

  Allocation second = MakeAllocation(2, 1, 1, 0);
  second.attempt = 1;
  changes = Changes();
  changes.allocations = {Released(MakeAllocation(1, 1, 1, 0)), second};
  changes.attempts = {
      {JobId(1), job.attempt}
  };
  job.attempt.number = 1;
  job.attempt.funding = Funding::kOwned;
  changes.jobs = {job};
  Save(changes);
  EXPECT_EQ(label(0), Funding::kBorrowed);
  EXPECT_EQ(label(1), Funding::kOwned);

  changes = Changes();
  changes.allocations = {Released(second)};
  job.state = JobState::kSucceeded;
  job.ended_at = At(99);
  changes.jobs = {job};
  Save(changes);
  EXPECT_EQ(label(0), Funding::kBorrowed);
  EXPECT_EQ(label(1), Funding::kOwned);
  const std::vector<Attempt> ended = store_->ListEndedAttempts(JobId(1)).value();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].funding, Funding::kBorrowed);
}

TEST_F(PromisesTest, ATaskIsFoundByArrayAndIndexLiveOrEnded) {
  Changes changes;
  Job live = MakeJob(11);
  live.array = JobId(10);
  live.array_index = 4;
  Job ended = MakeEndedJob(12);
  ended.array = JobId(10);
  ended.array_index = 6;
  changes.jobs = {MakeJob(10), live, ended};
  Save(changes);
  EXPECT_EQ(store_->FindArrayTask(JobId(10), 4).value(), JobId(11));
  EXPECT_EQ(store_->FindArrayTask(JobId(10), 6).value(), JobId(12));
  EXPECT_FALSE(store_->FindArrayTask(JobId(10), 5).value());
  EXPECT_FALSE(store_->FindArrayTask(JobId(11), 4).value());
}

}  // namespace
}  // namespace berth
