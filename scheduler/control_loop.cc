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

bool ChangesAccess(const Changes& changes) {
  return !changes.tokens.empty() || !changes.users.empty() || !changes.tenants.empty();
}

}  // namespace

void StopProcess(const absl::Status& status) {
  LogError("commit failed, stopping the scheduler; nothing acknowledged is lost",
           {
               {"error", status.ToString()}
  });
  std::_Exit(EXIT_FAILURE);
}

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

// The database is checked beside the rebuilding of what it holds: both take their time at a start
// after which everybody waits.
absl::Status ControlLoop::Restore() {
  absl::StatusOr<StoredState> state = store_->Load();
  if (!state.ok()) {
    RETURN_IF_ERROR(store_->FinishOpening());  // it says what is damaged
    return state.status();
  }
  absl::Status opened;
  std::thread checking([this, &opened] { opened = store_->FinishOpening(); });
  engine_.Restore(*std::move(state), Now());
  const absl::Status sound = CheckInvariants(engine_.cluster());
  checking.join();
  RETURN_IF_ERROR(opened);
  return sound;
}

absl::Status ControlLoop::Start(AccessCallback on_access, AllocationCallback on_allocations) {
  RETURN_IF_ERROR(Restore());
  if (store_->recovery()) {
    LogWarning("restored from a backup: nothing is started until `berth admin resume`", {});
  }
  on_access_ = std::move(on_access);
  PublishAccess();
  on_allocations_ = std::move(on_allocations);
  std::vector<Allocation> live;
  for (const auto& [id, allocation] : engine_.cluster().allocations()) {
    live.push_back(allocation);
  }
  on_allocations_(live, engine_.cluster());
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
      if (const absl::Status status = store_->Maintain(); !status.ok()) {
        StopProcess(status);
      }
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
  if (!turn.changes.allocations.empty()) {
    on_allocations_(turn.changes.allocations, engine_.cluster());
  }
  for (const auto& reply : turn.replies) {
    reply();
  }
  SendCommands(engine_.TakeCommands());
  const ReadView view(engine_, *store_, turn.now);
  for (const Job& job : turn.changes.jobs) {
    waiters_.Notify(job.id, view);
  }
  for (const Token& token : turn.changes.tokens) {
    waiters_.Recall(token.id, view);
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
