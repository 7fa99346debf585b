#include "sim/faults/world.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/planted_bug.h"
#include "sim/faults/memory_disk.h"

namespace berth::sim {
namespace {

constexpr int64_t kFaultsEnd = 150 * kSecond;
// Long enough for every job to be lost, and to run again as often as it may.
constexpr int64_t kPatience = 4000 * kSecond;
constexpr int64_t kLook = 2 * kSecond;
// In one seed in so many people also ask for what is asked less often.
constexpr uint64_t kMoreIsAskedOnce = 4;
// One seed in so many has the real store.
constexpr uint64_t kRealStoreOnce = 50;

// Leases of about a minute, as close to what the bound allows as whole seconds are.
Policy FaultPolicy(bool has_fence_command) {
  Policy policy;
  policy.lease_timeout = absl::Seconds(60);
  policy.kill_timeout = absl::Seconds(5);
  policy.lost_after = Planted(PlantedBug::kLostAfterLease) ? absl::Seconds(60) : absl::Seconds(67);
  policy.suspect_after = absl::Seconds(20);
  policy.heartbeat_interval = absl::Seconds(6);
  policy.mass_loss_window = absl::Seconds(8);
  policy.prepare_timeout = absl::Seconds(30);
  policy.requeue_delay_max = absl::Seconds(10);
  policy.time_limit_slack = absl::Seconds(10);
  policy.nomination_timeout = absl::Seconds(30);
  if (has_fence_command) {
    policy.fence_after = absl::Seconds(30);
  }
  return policy;
}

std::unique_ptr<SchedulerDisk> MakeDisk(uint64_t seed, const NewDatabase& database) {
  if (seed % kRealStoreOnce == 0) {
    return std::make_unique<SqliteDisk>(database, seed);
  }
  return std::make_unique<MemoryDisk>();
}

}  // namespace

World::World(uint64_t seed, const NewDatabase& database)
    : seed_(seed),
      timeline_(seed),
      observer_(timeline_),
      nodes_(static_cast<int>(timeline_.Between(1, 3))),
      network_(timeline_, nodes_),
      disk_(MakeDisk(seed, database)),
      scheduler_({timeline_, observer_, network_, *disk_, coverage_},
                 FaultPolicy(timeline_.Once(4))),
      fence_command_(timeline_, machines_),
      users_(timeline_, observer_, scheduler_, seed % kMoreIsAskedOnce == 0),
      faults_({timeline_, observer_, network_, *disk_, scheduler_, users_, machines_}) {}

void World::Connect() {
  network_.Connect({
      .scheduler_listens = [this] { return scheduler_.is_up(); },
      .to_scheduler =
          [this](StreamId stream, int node, const v1::AgentMessage& message) {
            scheduler_.OnMessage(stream, node, message);
          },
      .scheduler_side_ended = [this](StreamId stream) { scheduler_.OnStreamEnded(stream); },
      .to_agent =
          [this](int node, StreamId stream, const v1::SchedulerMessage& message) {
            machines_[static_cast<size_t>(node)]->OnMessage(stream, message);
          },
      .agent_side_ended =
          [this](int node, StreamId stream) {
            machines_[static_cast<size_t>(node)]->OnStreamEnded(stream);
          },
  });
}

SeedResult World::Run() {
  Connect();
  scheduler_.SetFenceCommand(
      [this](int node, FenceCommand::Ended ended) { fence_command_.Run(node, std::move(ended)); });
  scheduler_.Start();
  if (!observer_.broken()) {
    Play();
  }
  scheduler_.AddCoverage();
  for (const auto& machine : machines_) {
    machine->AddCoverage();
  }
  return Result();
}

void World::Play() {
  const int devices = static_cast<int>(timeline_.Between(1, 3));
  users_.SetUp(nodes_, devices);
  for (int node = 0; node < nodes_; ++node) {
    machines_.push_back(std::make_unique<Machine>(
        Machine::Parts{timeline_, observer_, network_, coverage_}, node, devices));
    machines_.back()->Boot();
  }
  users_.Begin(kFaultsEnd);
  faults_.Begin(kFaultsEnd);
  RunUntil(kFaultsEnd);
  if (!observer_.broken()) {
    faults_.Stop();
    Settle();
  }
}

SeedResult World::Result() const {
  SeedResult result;
  result.seed = seed_;
  result.invariant = observer_.invariant();
  result.detail = observer_.detail();
  if (observer_.broken()) {
    result.last_events = timeline_.history().Lines();
  }
  result.events = timeline_.history().events();
  result.executions = observer_.executions();
  result.hash = timeline_.history().hash();
  result.coverage = coverage_;
  return result;
}

void World::RunUntil(int64_t until_us) {
  while (!observer_.broken() && timeline_.RunNext(until_us)) {
  }
}

void World::Settle() {
  for (int64_t at_us = kFaultsEnd + kLook; !observer_.broken(); at_us += kLook) {
    RunUntil(at_us);
    if (IsSettled()) {
      return;
    }
    if (at_us > kFaultsEnd + kPatience) {
      observer_.Broken("L1", WhatIsLeft());
      return;
    }
    if (at_us / kLook % 5 == 0) {
      users_.Settle();
    }
  }
}

bool World::IsSettled() const {
  if (!users_.IsDone() || !scheduler_.is_up() || !scheduler_.cluster().jobs().empty()) {
    return false;
  }
  return std::all_of(scheduler_.cluster().nodes().begin(), scheduler_.cluster().nodes().end(),
                     [](const auto& entry) { return entry.second.state == NodeState::kReady; }) &&
         std::all_of(machines_.begin(), machines_.end(),
                     [](const auto& machine) { return machine->IsQuiet(); });
}

std::string World::WhatIsLeft() const {
  std::string left = "long after the last fault";
  if (!scheduler_.is_up()) {
    return left + " the scheduler is down";
  }
  for (const auto& [id, job] : scheduler_.cluster().jobs()) {
    absl::StrAppend(&left, absl::StrFormat(" job %d is %s;", id.value(), Name(job.state)));
  }
  for (const auto& [id, node] : scheduler_.cluster().nodes()) {
    absl::StrAppend(&left, absl::StrFormat(" node %s is %s%s;", node.name, Name(node.state),
                                           machines_[id.value() - 1]->IsQuiet() ? "" : ", busy"));
  }
  return users_.IsDone() ? left : left + " a submission is not answered;";
}

}  // namespace berth::sim
