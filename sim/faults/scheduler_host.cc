#include "sim/faults/scheduler_host.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/check.h"
#include "common/planted_bug.h"
#include "scheduler/convert.h"
#include "scheduler/core/invariants.h"
#include "scheduler/core/job_requests.h"
#include "scheduler/core/node_protocol.h"

namespace berth::sim {
namespace {

constexpr absl::Duration kPlanInterval = absl::Milliseconds(5);
const absl::Time kWallAtZero = absl::FromUnixSeconds(1'700'000'000);

absl::Status DiskFull() {
  return absl::ResourceExhaustedError("the scheduler's disk is full");
}

}  // namespace

SchedulerHost::SchedulerHost(const Parts& parts, Policy policy)
    : timeline_(parts.timeline),
      observer_(parts.observer),
      network_(parts.network),
      disk_(parts.disk),
      coverage_(parts.coverage),
      policy_(std::move(policy)) {}

void SchedulerHost::Start() {
  BERTH_CHECK(!is_up());
  ++life_;
  const absl::StatusOr<uint64_t> epoch = disk_.Open();
  absl::StatusOr<StoredState> state = epoch.ok() ? disk_.Load() : epoch.status();
  if (!state.ok()) {
    observer_.Broken("storage", absl::StrCat("the scheduler does not start: ",
                                             std::string(state.status().message())));
    return;
  }
  epoch_ = *epoch;
  timeline_.Note("scheduler starts with epoch %d", epoch_);
  observer_.OnBoot(epoch_, disk_);
  clock_ = SimClock(timeline_.now_us(), timeline_.Between(-kRatePpmMax, kRatePpmMax));
  wall_at_start_ = kWallAtZero + absl::Microseconds(timeline_.now_us()) + wall_step_;
  engine_.emplace(policy_, epoch_);
  engine_->Restore(*std::move(state), Now());
  last_session_ = 0;
  fencing_ = Fencing();
  wakes_at_us_ = 0;
  WakeAt(timeline_.now_us());
}

void SchedulerHost::Crash(int64_t away_us) {
  if (!is_up()) {
    return;
  }
  timeline_.Note("scheduler crashes");
  AddCoverage();
  engine_.reset();
  sessions_.clear();
  streams_.clear();
  inbox_.clear();
  crash_at_.reset();
  disk_.Crash();
  network_.ResetAll();
  timeline_.After(away_us, [this] {
    if (!is_up()) {
      Start();
    }
  });
}

void SchedulerHost::AddCoverage() {
  if (is_up()) {
    coverage_.Add(engine_->cluster().transitions());
  }
}

absl::Time SchedulerHost::Now() const {
  return wall_at_start_ + clock_.Read(timeline_.now_us());
}

// ---- What arrives ----

void SchedulerHost::OnMessage(StreamId stream, int node, const v1::AgentMessage& message) {
  if (!is_up()) {
    return;
  }
  if (message.has_hello()) {
    AcceptHello(stream, node, message.hello());
    return;
  }
  const auto session = streams_.find(stream);
  if (session == streams_.end()) {
    return;
  }
  const auto [id, number] = session->second;
  if (message.has_heartbeat()) {
    AgentHeartbeat event = ToAgentHeartbeat(message.heartbeat());
    event.node = id;
    event.session = number;
    Put(AgentEvent(std::move(event)));
  } else if (message.has_report()) {
    Put(AgentEvent(AgentReport{id, number, ToTaskReport(message.report())}));
  }
}

// As rpc/agent_session.cc.
void SchedulerHost::AcceptHello(StreamId stream, int node, const v1::Hello& hello) {
  if (hello.sched_epoch_max() > epoch_) {
    v1::SchedulerMessage refusal;
    refusal.mutable_hello_refused()->set_why(v1::HelloRefused::WHY_EPOCH_BEHIND);
    network_.SendDown(stream, std::move(refusal));
    network_.CloseFromScheduler(stream);
    return;
  }
  absl::StatusOr<AgentHello> event = ToAgentHello(hello);
  BERTH_CHECK(event.ok());
  event->node = NodeId(static_cast<uint64_t>(node) + 1);
  event->session = SessionId(++last_session_);
  streams_[stream] = {event->node, event->session};
  Put(Hello{*std::move(event), stream});
}

void SchedulerHost::OnStreamEnded(StreamId stream) {
  const auto session = streams_.find(stream);
  if (is_up() && session != streams_.end()) {
    const auto [node, number] = session->second;
    streams_.erase(session);
    Put(AgentEvent(AgentGone{node, number}));
  }
}

void SchedulerHost::Ask(UserRequest request) {
  if (is_up()) {
    Put(std::move(request));
  }
}

void SchedulerHost::Resume() {
  if (is_up()) {
    Put(ResumeRequest{});
  }
}

void SchedulerHost::Put(Item item) {
  inbox_.push_back(std::move(item));
  // A turn takes its time, so that several events may meet in the next one.
  WakeAt(timeline_.now_us() + timeline_.Between(100, 3 * kMillisecond));
}

void SchedulerHost::WakeAt(int64_t at_us) {
  at_us = std::max(at_us, paused_until_us_);
  if (wakes_at_us_ > timeline_.now_us() && wakes_at_us_ <= at_us) {
    return;
  }
  wakes_at_us_ = at_us;
  timeline_.At(at_us, [this, at_us, life = life_] {
    if (!is_up() || life != life_ || wakes_at_us_ != at_us) {
      return;
    }
    if (paused_until_us_ > timeline_.now_us()) {
      wakes_at_us_ = 0;
      WakeAt(paused_until_us_);
      return;
    }
    RunTurn();
  });
}

// ---- One turn ----

void SchedulerHost::RunTurn() {
  Turn turn;
  turn.now = Now();
  std::vector<Item> items = std::exchange(inbox_, {});
  turn.submissions.reserve(items.size());
  for (Item& item : items) {
    std::visit([&](auto& kind) { Apply(kind, turn); }, item);
  }
  if (turn.now >= engine_->NextTick()) {
    engine_->Apply(AgentEvent(Tick{}), turn.now);
  }
  if (engine_->PlanDue() && !disk_.recovery()) {
    engine_->RunRound(turn.now);
  }
  if (Planted(PlantedBug::kAckBeforeDurable)) {
    Reply(turn);
  }
  if (!Commit(turn)) {
    return;
  }
  Speak(turn);
  FenceSilentNodes(turn.now);
  const absl::Time next = std::min(
      engine_->PlanDue() && !disk_.recovery() ? turn.now + kPlanInterval : engine_->NextTick(),
      disk_.recovery() ? absl::InfiniteFuture() : fencing_.NextLook(policy_));
  if (next <= turn.now) {
    observer_.Broken("idle", "the scheduler would take one turn after the other for nothing");
  }
  // A busy machine is late.
  wakes_at_us_ = 0;
  const int64_t late_us = timeline_.Between(0, kSecond);
  WakeAt(std::max(clock_.WhenItReads(next - wall_at_start_) + late_us, timeline_.now_us() + 1));
}

// As the control loop does.
void SchedulerHost::FenceSilentNodes(absl::Time now) {
  if (disk_.recovery() || !fence_run_) {
    return;
  }
  for (const FenceOrder& order : fencing_.Look(engine_->cluster(), policy_, now)) {
    fence_run_(static_cast<int>(order.node.value()) - 1,
               [this, order, life = life_](const std::string& failure) {
                 if (!is_up() || life != life_) {
                   return;
                 }
                 UserRequest request;
                 request.actor.role = Role::kOperator;
                 request.event = NoteFence{order.node, order.silent_since, failure};
                 request.reply = [this, order, failure](const absl::StatusOr<Outcome>& outcome) {
                   fencing_.Ended(order.node, outcome.ok() && failure.empty(), Now());
                 };
                 Put(std::move(request));
               });
  }
}

void SchedulerHost::Apply(UserRequest& request, Turn& turn) {
  absl::StatusOr<Outcome> outcome = TryChange(request, turn);
  turn.replies.emplace_back(
      [reply = std::move(request.reply), outcome = std::move(outcome)] { reply(outcome); });
}

// As the control loop does: a known key is answered with its job.
absl::StatusOr<Outcome> SchedulerHost::TryChange(UserRequest& request, Turn& turn) {
  if (!std::holds_alternative<SubmitJob>(request.event)) {
    return engine_->Apply(request.actor, request.event, turn.now);
  }
  const TenantId tenant = request.actor.tenant;
  std::optional<JobId> known = Planted(PlantedBug::kNoIdempotencyKey)
                                   ? std::nullopt
                                   : disk_.FindSubmission(tenant, request.key);
  for (const SubmissionRecord& pending : turn.submissions) {
    if (pending.tenant == tenant && pending.idempotency_key == request.key) {
      known = pending.job;
    }
  }
  if (known.has_value()) {
    return JobOutcome(*known);
  }
  if (disk_full_) {
    return DiskFull();
  }
  absl::StatusOr<Outcome> outcome = engine_->Apply(request.actor, request.event, turn.now);
  if (outcome.ok()) {
    turn.submissions.push_back({.job = outcome->job,
                                .tenant = tenant,
                                .idempotency_key = request.key,
                                .payload_hash = std::string(32, 'h'),
                                .payload = request.payload});
  }
  return outcome;
}

void SchedulerHost::Apply(Hello& hello, Turn& turn) {
  if (IsOutdated(engine_->cluster(), hello.hello)) {
    v1::SchedulerMessage refusal;
    refusal.mutable_hello_refused()->set_why(v1::HelloRefused::WHY_DUPLICATE_NODE);
    network_.SendDown(hello.stream, std::move(refusal));
    network_.CloseFromScheduler(hello.stream);
    streams_.erase(hello.stream);
    return;
  }
  Session& session = sessions_[hello.hello.node];
  if (session.stream != 0) {
    network_.CloseFromScheduler(session.stream);
    streams_.erase(session.stream);
  }
  session = {hello.hello.session, hello.stream};
  timeline_.Note("scheduler hears the hello of node %d, boot %d", hello.hello.node.value() - 1,
                 hello.hello.incarnation);
  engine_->Apply(AgentEvent(std::move(hello.hello)), turn.now);
}

void SchedulerHost::Apply(const AgentEvent& event, Turn& turn) {
  engine_->Apply(event, turn.now);
  if (const auto* report = std::get_if<AgentReport>(&event)) {
    timeline_.Note("scheduler hears report %d of allocation %d",
                   static_cast<uint64_t>(report->report.kind), report->report.allocation.value());
  } else if (const auto* heartbeat = std::get_if<AgentHeartbeat>(&event)) {
    CloseIfLost(*heartbeat, turn.now);
  } else if (const auto* gone = std::get_if<AgentGone>(&event)) {
    const auto session = sessions_.find(gone->node);
    if (session != sessions_.end() && session->second.id == gone->session) {
      sessions_.erase(session);
    }
  }
}

void SchedulerHost::CloseIfLost(const AgentHeartbeat& heartbeat, absl::Time now) {
  const auto session = sessions_.find(heartbeat.node);
  if (session == sessions_.end() || session->second.id != heartbeat.session ||
      engine_->cluster().GetNode(heartbeat.node).state != NodeState::kLost) {
    return;
  }
  network_.CloseFromScheduler(session->second.stream);
  streams_.erase(session->second.stream);
  sessions_.erase(session);
  engine_->Apply(AgentEvent(AgentGone{heartbeat.node, heartbeat.session}), now);
}

void SchedulerHost::Apply(const ResumeRequest& /*request*/, Turn& turn) {
  const bool is_early = turn.now < wall_at_start_ + policy_.lost_after;
  turn.ends_recovery = turn.ends_recovery || (disk_.recovery() && !is_early);
}

bool SchedulerHost::Commit(Turn& turn) {
  turn.changes = engine_->TakeChanges();
  const Changes& changes = turn.changes;
  const DiskTurn record{changes, turn.submissions, turn.ends_recovery};
  const bool writes = !changes.empty() || !turn.submissions.empty() || turn.ends_recovery;
  if (writes && crash_at_ == CrashPoint::kBeforeCommit) {
    Crash(away_us_);
    return false;
  }
  if (writes) {
    const absl::Status status = disk_.Commit(record);
    if (!status.ok()) {
      observer_.Broken("storage", std::string(status.message()));
      return false;
    }
    observer_.OnCommit(record);
    if (crash_at_ == CrashPoint::kAfterCommit) {
      Crash(away_us_);
      return false;
    }
  }
  absl::Status status = CheckInvariants(engine_->cluster());
  if (status.ok() && writes) {
    status = disk_.CheckSame(engine_->cluster());
  }
  if (!status.ok()) {
    observer_.Broken("the scheduler's invariants", std::string(status.message()));
  }
  return status.ok();
}

void SchedulerHost::Reply(Turn& turn) {
  for (const auto& reply : std::exchange(turn.replies, {})) {
    reply();
  }
}

void SchedulerHost::Speak(Turn& turn) {
  Reply(turn);
  for (NodeCommand& command : engine_->TakeCommands()) {
    SendCommand(std::move(command), turn);
  }
}

void SchedulerHost::SendCommand(NodeCommand command, const Turn& turn) {
  const auto session = sessions_.find(command.node);
  if (session == sessions_.end() || session->second.id != command.session) {
    return;
  }
  if (auto* assign = std::get_if<AssignTask>(&command.kind)) {
    Complete(*assign, turn);
  }
  network_.SendDown(session->second.stream, ToProto(command));
}

// As the control loop does: a task has the payload of its array.
void SchedulerHost::Complete(AssignTask& assign, const Turn& turn) {
  const JobId id = assign.allocation.job;
  const Job* job = engine_->cluster().FindJob(id);
  for (const Job& changed : turn.changes.jobs) {
    job = changed.id == id ? &changed : job;  // it may have ended in this very turn
  }
  assign.array = job->array;
  assign.array_index = job->array_index;
  assign.payload = disk_.GetPayload(job->array ? job->array : id);
  timeline_.Note("scheduler assigns job %d as allocation %d, seq %d", id.value(),
                 assign.allocation.id.value(), static_cast<uint64_t>(assign.allocation.assign_seq));
}

Outcome SchedulerHost::Must(const Actor& actor, const UserEvent& event) {
  absl::StatusOr<Outcome> outcome = engine_->Apply(actor, event, Now());
  BERTH_CHECK(outcome.ok());
  Turn turn;
  BERTH_CHECK(Commit(turn));
  return *std::move(outcome);
}

}  // namespace berth::sim
