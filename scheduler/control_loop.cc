#include "scheduler/control_loop.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/check.h"
#include "common/error_detail.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "scheduler/control_loop_turn.h"
#include "scheduler/core/invariants.h"
#include "scheduler/core/job_requests.h"
#include "scheduler/core/node_protocol.h"

namespace berth {
namespace {

absl::Status Stopping() {
  return MakeError(absl::StatusCode::kUnavailable, {.code = "B8101",
                                                    .message = "the scheduler is stopping",
                                                    .why = "",
                                                    .fix = "try again in a moment"});
}

absl::Status Overloaded() {
  return WithDetail(
      absl::ResourceExhaustedError("the scheduler has too many requests waiting"),
      {.code = "B8102", .why = {}, .fix = {"try again in a moment"}, .retryable = true});
}

absl::Status DiskFull() {
  return WithDetail(
      absl::ResourceExhaustedError("the scheduler's disk is full: nothing new is accepted"),
      {.code = "B8208",
       .why = {"what runs goes on, and its results are still recorded"},
       .fix = {"the center's operators must free space under the scheduler's data folder: 32 MiB "
               "must be free"},
       .retryable = true});
}

// Memory is ahead of disk: going on would tell somebody what a restart does not know.
[[noreturn]] void StopProcess(const absl::Status& status) {
  LogError("commit failed, stopping the scheduler; nothing acknowledged is lost",
           {
               {"error", status.ToString()}
  });
  std::_Exit(EXIT_FAILURE);
}

// The job that a change of one job is about; none for the others.
JobId JobOf(const UserEvent& event) {
  return std::visit(
      [](const auto& request) {
        if constexpr (requires { JobId(request.job); }) {
          return request.job;
        } else {
          return JobId();
        }
      },
      event);
}

// What only takes things back is possible on a full disk, too.
bool NeedsRoom(const UserEvent& event) {
  return !JobOf(event) && !std::holds_alternative<RevokeToken>(event) &&
         !std::holds_alternative<DrainNode>(event) &&
         !std::holds_alternative<ConfirmNodeDead>(event) &&
         !std::holds_alternative<NoteFence>(event) && !std::holds_alternative<EndLossHold>(event);
}

bool ChangesAccess(const Changes& changes) {
  return !changes.tokens.empty() || !changes.users.empty() || !changes.tenants.empty();
}

}  // namespace

ControlLoop::ControlLoop(std::unique_ptr<Store> store, Policy policy, ControlLoopOptions options,
                         const Clock& clock)
    : options_(options),
      clock_(clock),
      cluster_id_(store->cluster_id()),
      sched_epoch_(store->sched_epoch()),
      store_(std::move(store)),
      engine_(std::move(policy), sched_epoch_),
      wall_at_start_(clock.Now()),
      boot_at_start_(clock.SinceBoot()) {
  if (!options_.fence_command.empty()) {
    fence_command_ = std::make_unique<FenceCommand>(options_.fence_command, options_.fence_timeout);
  }
}

ControlLoop::~ControlLoop() {
  Stop();
}

absl::Status ControlLoop::Start(AccessCallback on_access) {
  ASSIGN_OR_RETURN(StoredState state, store_->Load());
  engine_.Restore(std::move(state), Now());
  RETURN_IF_ERROR(CheckInvariants(engine_.cluster()));
  if (store_->recovery()) {
    LogWarning("restored from a backup: nothing is started until `berth admin resume`", {});
  }
  on_access_ = std::move(on_access);
  PublishAccess();
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void ControlLoop::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  if (thread_.joinable()) {
    thread_.join();
  }
  if (backup_thread_.joinable()) {
    backup_thread_.join();
  }
  fence_command_.reset();
}

// ---- Any thread ----

bool ControlLoop::Push(Item item) {
  absl::MutexLock lock(&mu_);
  if (stopping_ || queue_.size() >= static_cast<size_t>(options_.queue_max)) {
    return false;
  }
  queue_.push_back(std::move(item));
  return true;
}

void ControlLoop::Post(ChangeRequest request) {
  auto done = request.done;
  if (!Push(std::move(request))) {
    done(IsStopping() ? Stopping() : Overloaded());
  }
}

void ControlLoop::PostRead(std::function<void(const ReadView&)> read) {
  Push(std::move(read));
}

void ControlLoop::PostWait(JobWait wait) {
  auto done = wait.done;
  if (!Push(std::move(wait))) {
    done(IsStopping() ? Stopping() : Overloaded(), false);
  }
}

SessionId ControlLoop::PostHello(AgentHello hello, std::shared_ptr<AgentLink> link) {
  absl::MutexLock lock(&mu_);
  const SessionId session(++last_session_);
  hello.session = session;
  // Agents are few and known: their events are never refused, their streams are bounded instead.
  queue_.push_back(HelloRequest{std::move(hello), std::move(link)});
  return session;
}

void ControlLoop::PostAgent(AgentEvent event) {
  absl::MutexLock lock(&mu_);
  queue_.push_back(std::move(event));
}

void ControlLoop::PostToAgent(NodeId node, std::function<void(std::shared_ptr<AgentLink>)> use) {
  if (!Push(LinkUse{node, use})) {
    use(nullptr);
  }
}

bool ControlLoop::IsStopping() {
  absl::MutexLock lock(&mu_);
  return stopping_;
}

// ---- The loop's thread ----

absl::Time ControlLoop::Now() const {
  return wall_at_start_ + (clock_.SinceBoot() - boot_at_start_);
}

std::vector<ControlLoop::Item> ControlLoop::Drain(absl::Time deadline) {
  const absl::Duration wait = std::max(deadline - Now(), absl::ZeroDuration());
  absl::MutexLock lock(&mu_);
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopping_ || !queue_.empty();
  };
  mu_.AwaitWithTimeout(absl::Condition(&ready), wait);
  const size_t count = std::min(queue_.size(), static_cast<size_t>(options_.events_per_turn_max));
  std::vector<Item> items(std::make_move_iterator(queue_.begin()),
                          std::make_move_iterator(queue_.begin() + static_cast<ptrdiff_t>(count)));
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(count));
  return items;
}

void ControlLoop::Run() {
  while (true) {
    std::vector<Item> items = Drain(NextWork());
    if (items.empty() && IsStopping()) {
      break;
    }
    const bool idle = items.empty();
    RunTurn(std::move(items));
    if (idle) {
      store_->Maintain();
    }
  }
  waiters_.FailAll(Stopping());
  for (const auto& [node, session] : sessions_) {
    session.link->Close();
  }
  sessions_.clear();
}

absl::Time ControlLoop::NextWork() const {
  absl::Time next = engine_.NextTick();
  if (fence_command_ != nullptr && !store_->recovery()) {
    next = std::min(next, fencing_.NextLook(engine_.policy()));
  }
  if (PlanDue()) {
    next = std::min(next, last_round_ + options_.plan_interval);
  }
  return std::min(next, waiters_.NextDeadline().value_or(next));
}

void ControlLoop::RunTurn(std::vector<Item> items) {
  Turn turn;
  turn.now = Now();
  turn.submissions.reserve(items.size());
  for (Item& item : items) {
    ApplyItem(item, turn);
  }
  if (turn.now >= engine_.NextTick()) {
    engine_.Apply(Tick{}, turn.now);
  }
  PlanIfDue(turn.now);
  CommitTurn(turn);
  Speak(turn);
  FenceSilentNodes(turn.now);
}

void ControlLoop::ApplyItem(Item& item, Turn& turn) {
  if (auto* change = std::get_if<ChangeRequest>(&item)) {
    ApplyChange(*change, turn);
  } else if (auto* event = std::get_if<AgentEvent>(&item)) {
    ApplyAgent(*event, turn.now);
  } else if (auto* hello = std::get_if<HelloRequest>(&item)) {
    OpenSession(*hello, turn);
  } else if (auto* read = std::get_if<std::function<void(const ReadView&)>>(&item)) {
    turn.reads.push_back(std::move(*read));
  } else if (auto* wait = std::get_if<JobWait>(&item)) {
    turn.waits.push_back(std::move(*wait));
  } else if (auto* use = std::get_if<LinkUse>(&item)) {
    turn.link_uses.push_back(std::move(*use));
  } else {
    std::get<Task>(item)(turn);
  }
}

void ControlLoop::OpenSession(HelloRequest& request, Turn& turn) {
  if (IsOutdated(engine_.cluster(), request.hello)) {
    request.link->Send({
        request.hello.node, request.hello.session,
        RefuseHello{HelloRefusal::kDuplicateNode,
                    "a later start of this node's agent has said hello already"}
    });
    request.link->Close();
    return;
  }
  Session& session = sessions_[request.hello.node];
  if (session.link != nullptr) {
    session.link->Close();
  }
  session = {request.hello.session, std::move(request.link)};
  LogInfo("agent connected", {
                                 {"node",    engine_.cluster().GetNode(request.hello.node).name},
                                 {"session", session.id.value()                                },
                                 {"tasks",   request.hello.tasks.size()                        }
  });
  engine_.Apply(AgentEvent(std::move(request.hello)), turn.now);
}

void ControlLoop::ApplyAgent(const AgentEvent& event, absl::Time now) {
  engine_.Apply(event, now);
  if (const auto* heartbeat = std::get_if<AgentHeartbeat>(&event)) {
    CloseIfLost(*heartbeat, now);
    return;
  }
  const auto* gone = std::get_if<AgentGone>(&event);
  if (gone == nullptr) {
    return;
  }
  const auto session = sessions_.find(gone->node);
  if (session != sessions_.end() && session->second.id == gone->session) {
    LogWarning("agent disconnected", {
                                         {"node", engine_.cluster().GetNode(gone->node).name}
    });
    sessions_.erase(session);
  }
}

// A connection that only stood still goes on where it stopped. What the node holds has been given
// away meanwhile: only a hello, which tells all, brings it back.
void ControlLoop::CloseIfLost(const AgentHeartbeat& heartbeat, absl::Time now) {
  const auto session = sessions_.find(heartbeat.node);
  if (session == sessions_.end() || session->second.id != heartbeat.session ||
      engine_.cluster().GetNode(heartbeat.node).state != NodeState::kLost) {
    return;
  }
  LogWarning("a lost node speaks again, it must say hello",
             {
                 {"node", engine_.cluster().GetNode(heartbeat.node).name}
  });
  session->second.link->Close();
  sessions_.erase(session);
  engine_.Apply(AgentEvent(AgentGone{heartbeat.node, heartbeat.session}), now);
}

void ControlLoop::ApplyChange(ChangeRequest& request, Turn& turn) {
  absl::StatusOr<ChangeResult> result = TryChange(request, turn);
  if (result.ok() || absl::IsPermissionDenied(result.status())) {
    const JobId job = result.ok() ? result->outcome.job : JobId();
    turn.audits.push_back({.at = turn.now,
                           .user = request.actor.user,
                           .token_id = request.actor.token_id,
                           .peer = request.audit.peer,
                           .action = request.audit.action,
                           .object = job ? absl::StrCat("job ", job.value()) : request.audit.object,
                           .tenant = request.actor.tenant,
                           .decision = result.ok() ? "ok" : "permission-denied",
                           .digest = request.audit.digest});
  }
  turn.replies.emplace_back(
      [done = std::move(request.done), result = std::move(result)] { done(result); });
}

absl::StatusOr<ChangeResult> ControlLoop::TryChange(ChangeRequest& request, Turn& turn) {
  const bool keyed = request.submit.has_value() && !request.submit->idempotency_key.empty();
  auto* const submit = std::get_if<SubmitJob>(&request.event);
  const TenantId key_tenant =
      keyed ? SubmitTenant(engine_.cluster(), request.actor, *submit) : TenantId();
  if (keyed) {
    ASSIGN_OR_RETURN(std::optional<ChangeResult> existing, FindExisting(request, key_tenant, turn));
    if (existing.has_value()) {
      return *std::move(existing);
    }
  }
  if (store_->disk_full() && NeedsRoom(request.event)) {
    return DiskFull();
  }
  if (submit != nullptr) {
    const ReadView view(engine_, *store_, turn.now);
    RETURN_IF_ERROR(view.FindEndedDependencies(request.actor, *submit));
  }
  absl::StatusOr<Outcome> outcome = engine_.Apply(request.actor, request.event, turn.now);
  if (!outcome.ok()) {
    return ExplainMissing(request, outcome.status());
  }
  if (request.submit.has_value()) {
    turn.submissions.push_back({.job = outcome->job,
                                .tenant = engine_.cluster().GetJob(outcome->job).spec.tenant,
                                .idempotency_key = request.submit->idempotency_key,
                                .payload_hash = std::move(request.submit->payload_hash),
                                .payload = std::move(request.submit->payload)});
    if (keyed) {
      // Stable: the vector was reserved for all items of the turn.
      turn.keys[{key_tenant, turn.submissions.back().idempotency_key}] = &turn.submissions.back();
    }
  }
  return ChangeResult{.outcome = *std::move(outcome), .existing = false};
}

absl::StatusOr<std::optional<ChangeResult>> ControlLoop::FindExisting(const ChangeRequest& request,
                                                                      TenantId tenant,
                                                                      const Turn& turn) {
  const std::string& key = request.submit->idempotency_key;
  std::optional<Store::KnownSubmission> known;
  if (const auto pending = turn.keys.find({tenant, key}); pending != turn.keys.end()) {
    known = {pending->second->job, pending->second->payload_hash};
  } else {
    ASSIGN_OR_RETURN(known, store_->FindSubmission(tenant, key));
  }
  if (!known.has_value()) {
    return std::optional<ChangeResult>();
  }
  if (known->payload_hash != request.submit->payload_hash) {
    return MakeError(
        absl::StatusCode::kAlreadyExists,
        {.code = "B4003",
         .message = absl::StrCat("this idempotency key belongs to job ", known->job.value(),
                                 ", which was submitted with another specification"),
         .why = "a key names one submission for ever",
         .fix = absl::StrCat("berth show ", known->job.value())});
  }
  ChangeResult result;
  result.outcome.job = known->job;
  result.existing = true;
  return std::optional<ChangeResult>(std::move(result));
}

absl::Status ControlLoop::ExplainMissing(const ChangeRequest& request,
                                         const absl::Status& status) const {
  const JobId id = JobOf(request.event);
  if (!absl::IsNotFound(status) || !id) {
    return status;
  }
  const auto ended = store_->FindEndedJob(id);
  if (!ended.ok() || !ended->has_value() || !request.actor.MaySee((*ended)->spec.tenant)) {
    return status;
  }
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B4002",
                    .message = absl::StrCat("job ", id.value(), " has already ended (",
                                            Name((*ended)->state), ")"),
                    .why = "",
                    .fix = absl::StrCat("berth show ", id.value())});
}

void ControlLoop::PlanIfDue(absl::Time now) {
  if (PlanDue() && now >= last_round_ + options_.plan_interval) {
    engine_.RunRound(now);
    last_round_ = now;
  }
}

void ControlLoop::CommitTurn(Turn& turn) {
  turn.changes = engine_.TakeChanges();
  AuditDroppedEdits(turn);
  if (!turn.HasWrites()) {
    return;
  }
  absl::Status status = WriteTurn(turn);
  if (absl::IsResourceExhausted(status)) {
    LogError("disk full: submissions are refused until there is room",
             {
                 {"error", std::string(status.message())}
    });
    status = WriteTurn(turn);  // with the ballast's room
  }
  if (!status.ok()) {
    StopProcess(status);
  }
  node_log_.Note(turn.changes, engine_.cluster());
}

// A dated change of a quota that had become impossible is no request, but somebody's decision that
// came to nothing.
void ControlLoop::AuditDroppedEdits(Turn& turn) const {
  for (const DroppedQuotaEdit& dropped : turn.changes.dropped_quota_edits) {
    const QuotaEdit& edit = dropped.edit;
    const Tenant* tenant = engine_.cluster().quota().FindTenant(edit.key.tenant);
    turn.audits.push_back(
        {.at = turn.now,
         .user = edit.by,
         .token_id = "",
         .peer = "",
         .action = "dated quota",
         .object = absl::StrCat("quota/", tenant == nullptr ? "" : tenant->name, "/",
                                edit.key.project.value(), "/",
                                engine_.cluster().ClassName(edit.key.device_class)),
         .tenant = edit.key.tenant,
         .decision = absl::StrCat("dropped: ", dropped.why),
         .digest = ""});
  }
}

absl::Status ControlLoop::WriteTurn(const Turn& turn) {
  RETURN_IF_ERROR(store_->Begin());
  RETURN_IF_ERROR(store_->SaveChanges(turn.changes));
  for (const SubmissionRecord& submission : turn.submissions) {
    RETURN_IF_ERROR(store_->SaveSubmission(submission));
  }
  for (const AuditEntry& entry : turn.audits) {
    RETURN_IF_ERROR(store_->SaveAudit(entry));
  }
  if (turn.ends_recovery) {
    RETURN_IF_ERROR(store_->EndRecovery());
  }
  return store_->Commit();
}

void ControlLoop::Speak(Turn& turn) {
  if (ChangesAccess(turn.changes)) {
    PublishAccess();
  }
  for (const auto& reply : turn.replies) {
    reply();
  }
  SendCommands(engine_.TakeCommands());
  const ReadView view(engine_, *store_, turn.now);
  for (const Job& job : turn.changes.jobs) {
    waiters_.Notify(job.id, view);
  }
  for (const auto& read : turn.reads) {
    read(view);
  }
  for (JobWait& wait : turn.waits) {
    waiters_.Add(std::move(wait), view);
  }
  waiters_.Expire(view);
  for (const LinkUse& use : turn.link_uses) {
    const auto session = sessions_.find(use.node);
    use.use(session == sessions_.end() ? nullptr : session->second.link);
  }
}

void ControlLoop::SendCommands(std::vector<NodeCommand> commands) {
  for (NodeCommand& command : commands) {
    const auto session = sessions_.find(command.node);
    if (session == sessions_.end() || session->second.id != command.session) {
      continue;
    }
    if (auto* assign = std::get_if<AssignTask>(&command.kind)) {
      CompleteAssignment(*assign);
    }
    session->second.link->Send(command);
  }
}

// A task has the payload of its array.
void ControlLoop::CompleteAssignment(AssignTask& assign) {
  const JobId id = assign.allocation.job;
  if (const Job* live = engine_.cluster().FindJob(id); live != nullptr) {
    assign.array = live->array;
    assign.array_index = live->array_index;
  } else if (const auto ended = store_->FindEndedJob(id); ended.ok() && ended->has_value()) {
    // It ended in the very turn in which it was assigned.
    assign.array = (*ended)->array;
    assign.array_index = (*ended)->array_index;
  }
  absl::StatusOr<std::string> payload = store_->GetJobPayload(assign.array ? assign.array : id);
  if (!payload.ok()) {
    StopProcess(payload.status());
  }
  assign.payload = *std::move(payload);
}

void ControlLoop::PublishAccess() {
  const Cluster& cluster = engine_.cluster();
  auto directory = std::make_shared<AccessDirectory>();
  directory->tokens = cluster.tokens();
  directory->users = cluster.users();
  for (const auto& [id, tenant] : cluster.quota().tenants()) {
    directory->tenants[id] = tenant.name;
    directory->suspended[id] = tenant.suspended;
  }
  for (const auto& [id, node] : cluster.nodes()) {
    directory->nodes[id] = node.name;
  }
  on_access_(std::move(directory));
}

}  // namespace berth
