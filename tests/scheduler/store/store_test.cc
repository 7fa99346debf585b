#include "scheduler/store/store.h"

#include <filesystem>

#include "gtest/gtest.h"

#include "tests/scheduler/store/store_builders.h"
#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    store_ = OpenStore(path_);
    ASSERT_NE(store_, nullptr);
    ASSERT_TRUE(SaveTurn(*store_, MakeCenter()).ok());
  }
  // As a restart of the scheduler finds it.
  StoredState Reload() {
    store_.reset();
    store_ = OpenStore(path_);
    absl::StatusOr<StoredState> state = store_->Load();
    EXPECT_TRUE(state.ok()) << state.status();
    return state.ok() ? *std::move(state) : StoredState();
  }
  absl::Status Save(const Changes& changes) { return SaveTurn(*store_, changes); }
  absl::Status Save(const SubmissionRecord& submission) {
    RETURN_IF_ERROR(store_->Begin());
    if (absl::Status status = store_->SaveSubmission(submission); !status.ok()) {
      store_->Rollback();
      return status;
    }
    return store_->Commit();
  }
  std::vector<uint64_t> EndedIds(const EndedJobQuery& query) {
    std::vector<uint64_t> ids;
    const absl::StatusOr<std::vector<Job>> jobs = store_->ListEndedJobs(query);
    EXPECT_TRUE(jobs.ok()) << jobs.status();
    for (const Job& job : jobs.ok() ? *jobs : std::vector<Job>()) {
      ids.push_back(job.id.value());
    }
    return ids;
  }

  TempDir dir_{FastFolder()};
  const std::string path_ = dir_.File("data/berth.db");
  std::unique_ptr<Store> store_;
};

using Ids = std::vector<uint64_t>;

std::vector<IndexRange> CancelledOf(const ArrayRange& array) {
  return array.lists == nullptr ? std::vector<IndexRange>() : array.lists->cancelled;
}

void ExpectSameSpec(const JobSpec& a, const JobSpec& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.tenant, b.tenant);
  EXPECT_EQ(a.project, b.project);
  EXPECT_EQ(a.user, b.user);
  EXPECT_TRUE(a.gang == b.gang);
  EXPECT_EQ(a.time_limit, b.time_limit);
  EXPECT_EQ(a.grace, b.grace);
  EXPECT_EQ(a.priority, b.priority);
  EXPECT_EQ(a.preemptible, b.preemptible);
  EXPECT_EQ(a.may_borrow, b.may_borrow);
  EXPECT_EQ(a.hold, b.hold);
  EXPECT_EQ(a.launch_per_device, b.launch_per_device);
  EXPECT_EQ(a.on_node_loss, b.on_node_loss);
  EXPECT_EQ(a.lease_ms, b.lease_ms);
  EXPECT_EQ(a.requeue.on_node_fault, b.requeue.on_node_fault);
  EXPECT_EQ(a.requeue.on_preempt, b.requeue.on_preempt);
  EXPECT_EQ(a.requeue.on_error, b.requeue.on_error);
  EXPECT_EQ(a.requeue.max_requeues, b.requeue.max_requeues);
  EXPECT_EQ(a.requeue.exit_codes, b.requeue.exit_codes);
  EXPECT_EQ(a.begin_at, b.begin_at);
  EXPECT_TRUE(a.dependencies == b.dependencies);
  EXPECT_EQ(a.array.first, b.array.first);
  EXPECT_EQ(a.array.count, b.array.count);
  EXPECT_EQ(a.array.step, b.array.step);
  EXPECT_EQ(a.array.concurrent_max, b.array.concurrent_max);
  EXPECT_EQ(a.array.fails_max, b.array.fails_max);
  EXPECT_EQ(RangesOf(a.array), RangesOf(b.array));
  EXPECT_EQ(CancelledOf(a.array), CancelledOf(b.array));
}

void ExpectSameAttempt(const Attempt& a, const Attempt& b) {
  EXPECT_EQ(a.number, b.number);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.funding, b.funding);
  EXPECT_EQ(a.device_class, b.device_class);
  EXPECT_EQ(a.created_at, b.created_at);
  EXPECT_EQ(a.started_at, b.started_at);
  EXPECT_EQ(a.ended_at, b.ended_at);
  EXPECT_EQ(a.end.reason, b.end.reason);
  EXPECT_EQ(a.end.exit_code, b.end.exit_code);
  EXPECT_EQ(a.end.signal, b.end.signal);
  EXPECT_EQ(a.end.failed_rank, b.end.failed_rank);
  EXPECT_EQ(a.end.message, b.end.message);
  EXPECT_EQ(a.rendezvous_address, b.rendezvous_address);
  EXPECT_EQ(a.rendezvous_port, b.rendezvous_port);
  EXPECT_EQ(a.checkpoint_at, b.checkpoint_at);
  ASSERT_EQ(a.notice == nullptr, b.notice == nullptr);
  EXPECT_TRUE(a.notice == nullptr || *a.notice == *b.notice);
}

void ExpectSameJob(const Job& a, const Job& b) {
  EXPECT_EQ(a.id, b.id);
  ExpectSameSpec(a.spec, b.spec);
  EXPECT_EQ(a.state, b.state);
  ExpectSameAttempt(a.attempt, b.attempt);
  EXPECT_EQ(a.allocations, b.allocations);
  EXPECT_EQ(a.submitted_at, b.submitted_at);
  EXPECT_EQ(a.ended_at, b.ended_at);
  EXPECT_EQ(a.not_before, b.not_before);
  EXPECT_EQ(a.requeues, b.requeues);
  EXPECT_EQ(a.cancel_requested, b.cancel_requested);
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.array, b.array);
  EXPECT_EQ(a.array_index, b.array_index);
  EXPECT_EQ(a.tasks.next, b.tasks.next);
  EXPECT_EQ(a.tasks.succeeded, b.tasks.succeeded);
  EXPECT_EQ(a.tasks.failed, b.tasks.failed);
  EXPECT_EQ(a.tasks.cancelled, b.tasks.cancelled);
  EXPECT_TRUE(a.suspect_nodes == b.suspect_nodes);
}

void ExpectSameAllocation(const Allocation& a, const Allocation& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.job, b.job);
  EXPECT_EQ(a.attempt, b.attempt);
  EXPECT_EQ(a.rank, b.rank);
  EXPECT_EQ(a.node, b.node);
  EXPECT_EQ(a.tenant, b.tenant);
  EXPECT_EQ(a.project, b.project);
  EXPECT_EQ(a.device_class, b.device_class);
  ASSERT_EQ(a.devices.size(), b.devices.size());
  for (size_t i = 0; i < a.devices.size(); ++i) {
    EXPECT_EQ(a.devices[i].index, b.devices[i].index);
    EXPECT_EQ(a.devices[i].milli, b.devices[i].milli);
    EXPECT_EQ(a.devices[i].uuid, b.devices[i].uuid);
  }
  EXPECT_TRUE(a.host == b.host);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.assign_seq, b.assign_seq);
  EXPECT_EQ(a.reserved_at, b.reserved_at);
  EXPECT_EQ(a.released_at, b.released_at);
  EXPECT_EQ(a.evidence, b.evidence);
}

Attempt FullAttempt() {
  Attempt attempt;
  attempt.number = 2;
  attempt.state = AttemptState::kStopping;
  attempt.funding = Funding::kBorrowed;
  attempt.device_class = ClassId(1);
  attempt.created_at = At(20);
  attempt.started_at = At(21);
  attempt.ended_at = At(22);
  attempt.end.reason = EndReason::kSignal;
  attempt.end.exit_code = 1;
  attempt.end.signal = 11;
  attempt.end.failed_rank = 2;
  attempt.end.message = "rank 2 died";
  attempt.rendezvous_address = "10.0.0.1";
  attempt.rendezvous_port = 29500;
  attempt.checkpoint_at = At(25);
  attempt.notice = std::make_shared<const JobNotice>(
      JobNotice{.at = At(26), .text = "half", .checkpoint = "step=7", .progress_milli = 500});
  return attempt;
}

// Every field differs from its default; the texts hold what the column codec must escape.
Job FullJob() {
  Job job = MakeJob(7);
  JobSpec& spec = job.spec;
  spec.name = "a'b\";--\n\xff";
  spec.gang = {
      .nodes = 3,
      .min_nodes = 2,
      .devices_per_node = 4,
      .device_share_milli = 250,
      .per_node = {.cpu_milli = 8000, .memory_mib = 64000},
      .classes = {                 ClassId(1),       ClassId(9)                   },
      .node_labels = { {"pool=x", "a=b"},         {"\\n", "line\nbreak"},                            {"", ""}},
      .excluded_nodes = {          "node-1",        "",                           "node\n2"}
  };
  spec.gang.topology = TopologyLevel::kBlock;
  spec.gang.topology_required = true;
  spec.begin_at = At(40);
  spec.dependencies = {
      {DependencyKind::kOk,   JobId(3)},
      {DependencyKind::kFail, JobId(4)}
  };
  spec.array = MakeArrayRange({
      IndexRange{10, 4, 2},
      IndexRange{30, 1, 1}
  });
  SetCancelled(spec.array, {
                               IndexRange{12, 1, 1 },
                               IndexRange{16, 2, 14}
  });
  spec.array.concurrent_max = 3;
  spec.array.fails_max = 2;
  spec.priority = -5;
  spec.preemptible = false;
  spec.may_borrow = false;
  spec.hold = true;
  spec.launch_per_device = true;
  spec.on_node_loss = NodeLossPolicy::kHold;
  spec.lease_ms = 180'000;
  spec.requeue = {
      .on_node_fault = false,
      .on_preempt = false,
      .on_error = true,
      .max_requeues = 2,
      .exit_codes = {3, 75}
  };
  job.state = JobState::kStopping;
  job.attempt = FullAttempt();
  job.not_before = At(30);
  job.requeues = 2;
  job.cancel_requested = true;
  job.version = 9;
  job.array = JobId(5);
  job.array_index = 11;
  job.tasks = {.next = 4, .succeeded = 1, .failed = 2, .cancelled = 3};
  job.suspect_nodes = {NodeId(1), NodeId(300)};
  return job;
}

TEST_F(StoreTest, KeepsEveryFieldOfAJob) {
  Changes changes;
  changes.jobs.push_back(FullJob());
  ASSERT_TRUE(Save(changes).ok());
  const StoredState state = Reload();
  ASSERT_EQ(state.nouns.jobs.size(), 1U);
  ExpectSameJob(state.nouns.jobs[0], FullJob());
  EXPECT_EQ(state.last_job, JobId(7));
}

TEST_F(StoreTest, ChangesWhatMovesInAJob) {
  Changes changes;
  changes.jobs.push_back(MakeJob(7));
  ASSERT_TRUE(Save(changes).ok());
  Job moved = FullJob();
  moved.array = JobId();
  moved.array_index = -1;
  moved.spec = MakeJob(7).spec;  // but for these, immutable once acknowledged
  moved.spec.name = "renamed";
  moved.spec.gang.nodes = 5;
  moved.spec.gang.min_nodes = 2;
  moved.spec.gang.devices_per_node = 2;
  moved.spec.gang.classes = {ClassId(3)};
  moved.spec.time_limit = absl::Minutes(7);
  moved.spec.grace = absl::Seconds(7);
  moved.spec.priority = 3;
  moved.spec.may_borrow = false;
  moved.spec.dependencies = {
      {DependencyKind::kAny, JobId(3)}
  };
  SetCancelled(moved.spec.array, {
                                     IndexRange{1, 3, 1}
  });
  changes.jobs = {moved};
  ASSERT_TRUE(Save(changes).ok());
  const StoredState state = Reload();
  ASSERT_EQ(state.nouns.jobs.size(), 1U);
  ExpectSameJob(state.nouns.jobs[0], moved);
}

TEST_F(StoreTest, KeepsEveryFieldOfANode) {
  Node node = MakeNode(3, 2);
  node.state = NodeState::kDraining;
  node.state_detail = "disk swap";
  node.drain_requested = true;
  node.boot_id = "boot";
  node.incarnation = 0xfedcba9876543210;
  node.assign_seq = 5;
  node.report_seq = 6;
  node.last_seen_at = At(9);
  node.facts.address = "10.0.0.3";
  node.facts.topology = {.pod = "p", .block = "b", .rack = "r"};
  node.facts.labels = {
      {"zone", "a"}
  };
  node.facts.agent_version = "0.1";
  node.facts.kernel = "6.1";
  node.facts.facilities = {"cgroup2", "seccomp"};
  node.facts.devices[1].kind = DeviceKind::kNvidia;
  node.facts.devices[1].ring = "0";
  node.facts.devices[1].health = DeviceHealth::kSuspect;
  node.facts.devices[1].health_detail = "xid 79";
  node.facts.devices[1].minor_number = 4;
  Changes changes;
  changes.nodes = {node};
  ASSERT_TRUE(Save(changes).ok());
  const StoredState state = Reload();
  ASSERT_EQ(state.nouns.nodes.size(), 3U);
  const Node& read = state.nouns.nodes[2];
  EXPECT_EQ(read.name, "node-3");
  EXPECT_EQ(read.state, NodeState::kDraining);
  EXPECT_EQ(read.state_detail, "disk swap");
  EXPECT_TRUE(read.drain_requested);
  EXPECT_EQ(read.boot_id, "boot");
  EXPECT_EQ(read.incarnation, 0xfedcba9876543210);
  EXPECT_EQ(read.assign_seq, 5);
  EXPECT_EQ(read.report_seq, 6);
  EXPECT_EQ(read.last_seen_at, At(9));
  EXPECT_EQ(read.facts.hostname, "host-3");
  EXPECT_EQ(read.facts.address, "10.0.0.3");
  EXPECT_TRUE(read.facts.capacity == node.facts.capacity);
  EXPECT_EQ(read.facts.topology.rack, "r");
  EXPECT_EQ(read.facts.labels, node.facts.labels);
  EXPECT_EQ(read.facts.agent_version, "0.1");
  EXPECT_EQ(read.facts.kernel, "6.1");
  EXPECT_EQ(read.facts.facilities, node.facts.facilities);
  ASSERT_EQ(read.facts.devices.size(), 2U);
  EXPECT_EQ(read.facts.devices[1].uuid, "GPU-3-1");
  EXPECT_EQ(read.facts.devices[1].kind, DeviceKind::kNvidia);
  EXPECT_EQ(read.facts.devices[1].ring, "0");
  EXPECT_EQ(read.facts.devices[1].health, DeviceHealth::kSuspect);
  EXPECT_EQ(read.facts.devices[1].health_detail, "xid 79");
  EXPECT_EQ(read.facts.devices[1].minor_number, 4);
  EXPECT_EQ(read.facts.devices[1].memory_mib, 81920);
}

TEST_F(StoreTest, WritesNewFactsOfANodeAndAgainAfterARollback) {
  Node node = MakeNode(1, 8);
  node.facts.devices.resize(4);
  Changes changes;
  changes.nodes = {node};
  ASSERT_TRUE(store_->Begin().ok());
  ASSERT_TRUE(store_->SaveChanges(changes).ok());
  store_->Rollback();
  ASSERT_TRUE(Save(changes).ok());
  EXPECT_EQ(Reload().nouns.nodes[0].facts.devices.size(), 4U);
}

TEST_F(StoreTest, KeepsIdentitiesAndTheirLastChange) {
  Token token;
  token.id = "abcdefghijkl";
  token.secret_hash = std::string(31, '\0') + "x";
  token.user = UserId(1);
  token.node = NodeId(2);
  token.tenant = TenantId(1);
  token.role = Role::kTenantAdmin;
  token.created_by = UserId(2);
  token.created_at = At(3);
  token.expires_at = At(4);
  Token endless;
  endless.id = "endless";
  endless.secret_hash = std::string(32, 'h');
  endless.role = Role::kOperator;
  Changes changes = MakeCenter();
  changes.tokens = {token, endless};
  changes.tenants[0].suspended = true;
  changes.tenants[0].queue_max = 5;
  changes.tenants[0].queue_preset = QueuePreset::kStepped;
  changes.tenants[0].stepped_timeout = absl::Minutes(9);
  QuotaRecord quota;
  quota.key = {TenantId(1), ProjectId(1), ClassId(1)};
  quota.limits = {.entitlement = 4,
                  .limit = 6,
                  .non_lendable = 1,
                  .weight = 3,
                  .block_level = TopologyLevel::kRack,
                  .block_count = 2};
  changes.quotas = {quota};
  ASSERT_TRUE(Save(changes).ok());
  changes = Changes();
  token.revoked = true;
  changes.tokens = {token};
  ASSERT_TRUE(Save(changes).ok());
  const Changes nouns = Reload().nouns;
  ASSERT_EQ(nouns.tenants.size(), 2U);
  EXPECT_TRUE(nouns.tenants[0].suspended);
  EXPECT_EQ(nouns.tenants[0].queue_max, 5);
  EXPECT_EQ(nouns.tenants[0].queue_preset, QueuePreset::kStepped);
  EXPECT_EQ(nouns.tenants[0].stepped_timeout, absl::Minutes(9));
  EXPECT_EQ(nouns.tenants[1].name, "speech");
  EXPECT_EQ(nouns.projects[1].created_at, At(1));
  EXPECT_EQ(nouns.users[1].tenant, TenantId(2));
  EXPECT_EQ(nouns.classes[0].name, "sim-a100-80g");
  ASSERT_EQ(nouns.quotas.size(), 3U);
  EXPECT_FALSE(nouns.quotas[0].limits.limit.has_value());
  EXPECT_EQ(nouns.quotas[1].key.project, ProjectId(1));
  EXPECT_EQ(nouns.quotas[1].limits, quota.limits);
  ASSERT_EQ(nouns.tokens.size(), 2U);
  EXPECT_EQ(nouns.tokens[0].secret_hash, token.secret_hash);
  EXPECT_EQ(nouns.tokens[0].user, UserId(1));
  EXPECT_EQ(nouns.tokens[0].node, NodeId(2));
  EXPECT_EQ(nouns.tokens[0].role, Role::kTenantAdmin);
  EXPECT_EQ(nouns.tokens[0].created_by, UserId(2));
  EXPECT_EQ(nouns.tokens[0].expires_at, At(4));
  EXPECT_TRUE(nouns.tokens[0].revoked);
  EXPECT_EQ(nouns.tokens[1].expires_at, absl::InfiniteFuture());
  EXPECT_FALSE(nouns.tokens[1].user);
}

TEST_F(StoreTest, KeepsAllocationsWithTheJobThatHoldsThem) {
  Changes changes;
  changes.jobs.push_back(MakeJob(1));
  changes.jobs[0].state = JobState::kRunning;
  Allocation first = MakeAllocation(2, 1, 1, 0);
  first.devices.push_back({3, 250, "GPU-x-3"});
  first.host = {.cpu_milli = 4000, .memory_mib = 100};
  first.state = AllocationState::kRunning;
  first.assign_seq = 8;
  first.rank = 1;
  Allocation second = MakeAllocation(3, 1, 2, 0);
  second.rank = 0;
  changes.allocations = {first, second};
  ASSERT_TRUE(Save(changes).ok());
  const StoredState state = Reload();
  ASSERT_EQ(state.nouns.allocations.size(), 2U);
  ExpectSameAllocation(state.nouns.allocations[0], first);
  EXPECT_EQ(state.last_allocation, AllocationId(3));
  EXPECT_EQ(state.nouns.jobs[0].allocations,
            (std::vector<AllocationId>{AllocationId(3), AllocationId(2)}));
}

// The cluster keeps a released member of a gang until the attempt is over.
TEST_F(StoreTest, LoadsReleasedMembersOnlyWhileTheirAttemptGoesOn) {
  Changes changes;
  changes.jobs.push_back(MakeJob(1));
  changes.jobs[0].state = JobState::kStopping;
  changes.allocations = {MakeAllocation(1, 1, 1, 0), MakeAllocation(2, 1, 2, 0)};
  ASSERT_TRUE(Save(changes).ok());
  changes.allocations = {Released(MakeAllocation(1, 1, 1, 0))};
  ASSERT_TRUE(Save(changes).ok());
  const StoredState stopping = Reload();
  ASSERT_EQ(stopping.nouns.allocations.size(), 2U);
  ExpectSameAllocation(stopping.nouns.allocations[0], changes.allocations[0]);

  changes.jobs[0].state = JobState::kQueued;
  changes.attempts = {
      {JobId(1), changes.jobs[0].attempt}
  };
  changes.allocations.push_back(Released(MakeAllocation(2, 1, 2, 0)));
  ASSERT_TRUE(Save(changes).ok());
  const StoredState queued = Reload();
  EXPECT_TRUE(queued.nouns.allocations.empty());
  EXPECT_TRUE(queued.nouns.jobs[0].allocations.empty());
}

TEST_F(StoreTest, MovesAnEndedJobToHistory) {
  Changes changes;
  changes.jobs = {MakeJob(1), MakeJob(2)};
  ASSERT_TRUE(Save(changes).ok());
  Job ended = FullJob();
  ended.id = JobId(1);
  ended.state = JobState::kTimedOut;
  ended.ended_at = At(50);
  changes.jobs = {ended};
  ASSERT_TRUE(Save(changes).ok());
  const StoredState state = Reload();
  ASSERT_EQ(state.nouns.jobs.size(), 1U);
  EXPECT_EQ(state.nouns.jobs[0].id, JobId(2));
  const absl::StatusOr<std::optional<Job>> found = store_->FindEndedJob(JobId(1));
  ASSERT_TRUE(found.ok() && found->has_value());
  ExpectSameJob(**found, ended);
  EXPECT_FALSE(store_->FindEndedJob(JobId(2))->has_value());
}

TEST_F(StoreTest, NeverReusesTheIdOfAnEndedJob) {
  Changes changes;
  changes.jobs = {MakeEndedJob(41)};
  changes.allocations = {Released(MakeAllocation(17, 41, 1, 0))};
  ASSERT_TRUE(Save(changes).ok());
  const StoredState state = Reload();
  EXPECT_TRUE(state.nouns.jobs.empty());
  EXPECT_TRUE(state.nouns.allocations.empty());
  EXPECT_EQ(state.last_job, JobId(41));
  EXPECT_EQ(state.last_allocation, AllocationId(17));
}

TEST_F(StoreTest, RefusesToChangeAnEndedJob) {
  Changes changes;
  changes.jobs = {MakeEndedJob(1)};
  ASSERT_TRUE(Save(changes).ok());
  EXPECT_EQ(Save(changes).code(), absl::StatusCode::kInternal);
  changes.jobs = {MakeJob(1)};
  EXPECT_EQ(Save(changes).code(), absl::StatusCode::kInternal);
}

TEST_F(StoreTest, ListsEndedJobsByFilterAndPage) {
  Changes changes;
  for (uint64_t id = 1; id <= 6; ++id) {
    changes.jobs.push_back(
        MakeEndedJob(id, 1 + id % 2, id == 6 ? JobState::kFailed : JobState::kSucceeded));
  }
  ASSERT_TRUE(Save(changes).ok());
  EXPECT_EQ(EndedIds({}), (Ids{6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(EndedIds({.limit = 2}), (Ids{6, 5}));
  EXPECT_EQ(EndedIds({.before = JobId(5), .limit = 2}), (Ids{4, 3}));
  EXPECT_EQ(EndedIds({.tenant = TenantId(1)}), (Ids{6, 4, 2}));
  EXPECT_EQ(EndedIds({.tenant = TenantId(1), .before = JobId(6)}), (Ids{4, 2}));
  EXPECT_EQ(EndedIds({.user = UserId(2)}), (Ids{5, 3, 1}));
  EXPECT_EQ(EndedIds({.project = ProjectId(2)}), (Ids{5, 3, 1}));
  EXPECT_EQ(EndedIds({.name = "train-4"}), (Ids{4}));
  EXPECT_EQ(EndedIds({.name = "train-4' OR '1"}), Ids{});
  EXPECT_EQ(EndedIds({
                .states = {JobState::kFailed, JobState::kCancelled}
  }),
            (Ids{6}));
  EXPECT_EQ(EndedIds({.tenant = TenantId(2), .user = UserId(1)}), Ids{});
}

TEST_F(StoreTest, ListsAllocationsByAttemptAndRank) {
  Changes changes;
  changes.jobs = {MakeEndedJob(1), MakeEndedJob(2, 2)};
  for (const uint64_t id : {1, 2, 3, 4}) {
    Allocation allocation = Released(MakeAllocation(id, id <= 2 ? 1 : 2, 1, 0));
    allocation.tenant = TenantId(id <= 2 ? 1 : 2);
    changes.allocations.push_back(allocation);
  }
  ASSERT_TRUE(Save(changes).ok());
  const auto list = [this](const AllocationQuery& query) {
    Ids ids;
    const std::vector<AllocationRecord> found = store_->ListAllocations(query).value();
    for (const AllocationRecord& record : found) {
      ids.push_back(record.allocation.id.value());
    }
    return ids;
  };
  EXPECT_EQ(list({}), (Ids{3, 4, 1, 2}));
  EXPECT_EQ(list({.job = JobId(1)}), (Ids{1, 2}));
  EXPECT_EQ(list({.tenant = TenantId(1)}), (Ids{1, 2}));
  EXPECT_EQ(list({.tenant = TenantId(1), .job = JobId(2)}), Ids{});
  EXPECT_EQ(list({.job = JobId(1), .attempt = 1}), Ids{});
  EXPECT_EQ(store_->ListAllocations({.job = JobId(1)})->at(0).allocation.devices.size(), 1U);
}

TEST_F(StoreTest, AnIdempotencyKeyHasOneJob) {
  SubmissionRecord first = MakeSubmission(1, "key");
  first.payload = std::string("spec\0\xff", 6);
  ASSERT_TRUE(Save(first).ok());
  SubmissionRecord again = first;
  again.job = JobId(2);
  EXPECT_FALSE(Save(again).ok());
  again.tenant = TenantId(2);  // another tenant's key is another key
  EXPECT_TRUE(Save(again).ok());
  for (const uint64_t id : {3, 4}) {
    SubmissionRecord without_key = first;
    without_key.job = JobId(id);
    without_key.idempotency_key = "";
    EXPECT_TRUE(Save(without_key).ok());
  }
  const auto known = store_->FindSubmission(TenantId(1), "key");
  ASSERT_TRUE(known.ok() && known->has_value());
  EXPECT_EQ((*known)->job, JobId(1));
  EXPECT_EQ((*known)->payload_hash, first.payload_hash);
  EXPECT_FALSE(store_->FindSubmission(TenantId(1), "other")->has_value());
  EXPECT_FALSE(store_->FindSubmission(TenantId(1), "")->has_value());
  EXPECT_EQ(store_->GetJobPayload(JobId(1)).value(), first.payload);
  EXPECT_EQ(store_->GetJobPayload(JobId(9)).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(StoreTest, SeesItsOwnTurnBeforeTheCommit) {
  ASSERT_TRUE(store_->Begin().ok());
  ASSERT_TRUE(store_->SaveSubmission(MakeSubmission(1, "k")).ok());
  EXPECT_TRUE(store_->FindSubmission(TenantId(1), "k")->has_value());
  store_->Rollback();
  EXPECT_FALSE(store_->FindSubmission(TenantId(1), "k")->has_value());
}

TEST_F(StoreTest, EveryOpenRaisesTheEpochAndKeepsTheCluster) {
  const std::string cluster_id = store_->cluster_id();
  EXPECT_EQ(cluster_id.size(), 32U);
  for (uint64_t epoch = 2; epoch <= 4; ++epoch) {
    Reload();
    EXPECT_EQ(store_->sched_epoch(), epoch);
    EXPECT_EQ(store_->cluster_id(), cluster_id);
  }
}

TEST_F(StoreTest, TheLogStaysWithinItsBound) {
  for (uint64_t id = 1; id <= 2000; ++id) {
    Changes changes;
    changes.jobs = {MakeJob(id)};
    ASSERT_TRUE(Save(changes).ok());
  }
  // wal_pages_max is 256 pages of 4 KiB; a turn adds a few more.
  EXPECT_LT(std::filesystem::file_size(path_ + "-wal"), 300U * 4200U);
}

}  // namespace
}  // namespace berth
