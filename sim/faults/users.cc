#include "sim/faults/users.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/check.h"

namespace berth::sim {
namespace {

constexpr int64_t kCallMost = 300 * kMillisecond;
constexpr int64_t kCallAgain = 5 * kSecond;
// How long tasks run: a moment, a while, and longer than it takes to give up a silent node.
constexpr int64_t kBriefMost = 5 * kSecond;
constexpr int64_t kUsualMost = 60 * kSecond;
constexpr int64_t kLongLeast = 70 * kSecond;
constexpr int64_t kLongMost = 180 * kSecond;
constexpr int64_t kLaunch = 30 * kMillisecond;
constexpr int64_t kSlowLaunch = 4 * kSecond;
// One call in so many is lost on its way, and as many answers.
constexpr int64_t kLost = 12;

const std::string& FakeHash() {
  static const auto* const kHash = new std::string(32, 'h');
  return *kHash;
}

// Whether the same call may have another answer later.
bool IsPassing(const absl::Status& status) {
  return absl::IsResourceExhausted(status) || absl::IsUnavailable(status);
}

}  // namespace

Users::Users(Timeline& timeline, Observer& observer, SchedulerHost& scheduler, bool asks_more)
    : timeline_(timeline), observer_(observer), scheduler_(scheduler), asks_more_(asks_more) {}

void Users::SetUp(int nodes, int devices) {
  nodes_ = nodes;
  devices_ = devices;
  operator_.role = Role::kOperator;
  operator_.user_name = "root";
  operator_.user = scheduler_.Must(operator_, BootstrapOperator{"root", "t0", FakeHash()}).user;
  for (const char* name : {"a", "b"}) {
    tenants_.emplace_back(name);
    const TenantId tenant =
        scheduler_.Must(operator_, AddTenant{name, name, absl::ZeroDuration(), 1000}).tenant;
    const UserId user =
        scheduler_.Must(operator_, AddUser{absl::StrCat("user-", name), name, Role::kMember}).user;
    users_.push_back({.user = user,
                      .node = {},
                      .tenant = tenant,
                      .role = Role::kMember,
                      .token_id = "",
                      .user_name = name});
    SetQuota quota;
    quota.tenant = name;
    quota.device_class = "sim";
    quota.limits.entitlement = nodes * devices / 2;
    quota.allow_oversell = true;
    scheduler_.Must(operator_, quota);
  }
  for (int node = 0; node < nodes; ++node) {
    AddToken token;
    token.id = absl::StrCat("node-", node);
    token.secret_hash = FakeHash();
    token.node = absl::StrCat("n", node);
    BERTH_CHECK(scheduler_.Must(operator_, token).node.value() == static_cast<uint64_t>(node) + 1);
  }
}

void Users::Begin(int64_t until_us) {
  until_us_ = until_us;
  const int64_t jobs = timeline_.Between(3, 9);
  for (int64_t i = 0; i < jobs; ++i) {
    timeline_.After(timeline_.Between(kSecond, until_us), [this] { SubmitOne(); });
  }
  if (timeline_.Once(2)) {
    LookAtNodes();
  }
  if (asks_more_) {
    timeline_.After(timeline_.Between(kSecond, until_us), [this] { SuspendSomeTenant(); });
  }
  if (timeline_.Once(3)) {
    timeline_.After(timeline_.Between(kSecond, until_us), [this] { DrainSomeNode(); });
  }
}

void Users::LookAtNodes() {
  if (scheduler_.is_up()) {
    for (const auto& [id, node] : scheduler_.cluster().nodes()) {
      if (node.state == NodeState::kQuarantined) {
        Ask(operator_, UndrainNode{node.name});
      }
    }
  }
  if (timeline_.now_us() < until_us_) {
    timeline_.After(timeline_.Between(10 * kSecond, 60 * kSecond), [this] { LookAtNodes(); });
  }
}

void Users::SubmitStorm() {
  for (int64_t jobs = timeline_.Between(2, 4); jobs > 0; --jobs) {
    SubmitOne();
  }
}

// ---- Jobs ----

void Users::MakeShape(JobSpec& spec) {
  spec.gang.nodes = timeline_.Once(2) ? static_cast<int>(timeline_.Between(1, nodes_)) : 1;
  spec.gang.devices_per_node = static_cast<int>(timeline_.Between(1, devices_));
  if (spec.gang.nodes > 1 && timeline_.Once(4)) {
    spec.gang.min_nodes = static_cast<int>(timeline_.Between(1, spec.gang.nodes));
  }
  if (spec.gang.nodes == 1 && timeline_.Once(8)) {
    spec.array.count = static_cast<int>(timeline_.Between(1, 3));
  }
  if (asks_more_ && spec.gang.nodes == 1 && timeline_.Once(2)) {
    MakeArray(spec);
  }
}

void Users::MakeRules(JobSpec& spec) {
  spec.time_limit = absl::Seconds(timeline_.Between(20, 200));
  // Some outlast a lease.
  const int64_t grace = timeline_.Once(3) ? timeline_.Between(30, 120) : timeline_.Between(1, 10);
  spec.grace = std::min(absl::Seconds(grace), spec.time_limit / 2);
  spec.preemptible = !timeline_.Once(6);
  spec.may_borrow = !timeline_.Once(8);
  spec.priority = static_cast<int>(timeline_.Between(0, 2));
  spec.hold = timeline_.Once(12);
  spec.requeue.on_error = timeline_.Once(8);
  if (timeline_.Once(4)) {
    spec.on_node_loss = timeline_.Once(2) ? NodeLossPolicy::kHold : NodeLossPolicy::kFail;
  }
  if (timeline_.Once(6)) {
    spec.lease_ms = timeline_.Between(20, 60) * 1000;
  }
}

SubmitJob Users::MakeJob() {
  SubmitJob submit;
  submit.spec.name = "job";
  submit.device_classes = {"sim"};
  MakeShape(submit.spec);
  MakeRules(submit.spec);
  return submit;
}

TaskScript Users::MakeScript() const {
  TaskScript script;
  script.stop_us = timeline_.Once(4) ? -1 : timeline_.Between(kMillisecond, 4 * kSecond);
  script.run_us =
      timeline_.Once(script.stop_us < 0 ? 2 : 8)
          ? timeline_.Between(kLongLeast, kLongMost)
          : timeline_.Between(100 * kMillisecond, timeline_.Once(2) ? kUsualMost : kBriefMost);
  script.launch_us = timeline_.Between(kMillisecond, timeline_.Once(6) ? kSlowLaunch : kLaunch);
  script.is_program = !timeline_.Once(16);
  script.exit_code = timeline_.Once(8) ? static_cast<int>(timeline_.Between(1, 100)) : 0;
  return script;
}

void Users::SubmitOne() {
  const auto tenant = static_cast<size_t>(timeline_.Between(0, 1));
  UserRequest request;
  request.actor = users_[tenant];
  SubmitJob submit = MakeJob();
  for (const auto& [owner, job] : jobs_) {
    if (owner == tenant && timeline_.Once(10) && submit.spec.dependencies.empty()) {
      const auto kind = static_cast<DependencyKind>(timeline_.Between(0, 3));
      submit.spec.dependencies.push_back({kind, job});
      // The caller looks up what has ended; whatever it finds, the rest follows.
      submit.ended_dependencies[job] = JobState::kSucceeded;
    }
  }
  request.event = std::move(submit);
  request.key = absl::StrCat("key-", ++submitted_);
  request.payload = MakeScript().Encode();
  ++unanswered_;
  Call(request, [this, tenant, key = request.key](const absl::StatusOr<Outcome>& outcome) {
    --unanswered_;
    if (outcome.ok()) {
      timeline_.Note("job %d is acknowledged", outcome->job.value());
      observer_.OnSubmitted(key, outcome->job);
      jobs_.emplace_back(tenant, outcome->job);
      OnSubmitted(key, outcome->job);
    }
  });
}

// What somebody does about his job later.
void Users::OnSubmitted(const std::string& key, JobId job) {
  static_cast<void>(key);
  const Actor actor = users_[jobs_.back().first];
  if (asks_more_ && timeline_.Once(3)) {
    timeline_.After(timeline_.Between(10 * kMillisecond, 60 * kSecond),
                    [this, tenant = jobs_.back().first, job] { CancelTasksOf(tenant, job); });
  }
  const int64_t later_us = timeline_.Between(10 * kMillisecond, 60 * kSecond);
  switch (timeline_.Between(0, 9)) {
    case 0:
    case 1:
      timeline_.After(later_us, [this, actor, job] {
        UserRequest request;
        request.actor = actor;
        request.event = CancelJob{job, "", timeline_.Once(3)};
        Call(request, [this, job](const absl::StatusOr<Outcome>& outcome) {
          if (outcome.ok()) {
            timeline_.Note("the cancel of job %d is acknowledged", job.value());
            observer_.OnCancelled(job);
          }
        });
      });
      return;
    case 2:
      timeline_.After(later_us, [this, actor, job] { Ask(actor, HoldJob{job}); });
      timeline_.After(2 * later_us, [this, actor, job] { Ask(actor, ReleaseJob{job}); });
      return;
    case 3:
      timeline_.After(later_us, [this, actor, job] {
        UpdateJob update;
        update.job = job;
        update.time_limit = absl::Seconds(20);
        Ask(actor, update);
      });
      return;
    default:
      return;
  }
}

// ---- The operator ----

void Users::EditQuota() {
  SetQuota quota;
  quota.tenant = tenants_[static_cast<size_t>(timeline_.Between(0, 1))];
  quota.device_class = "sim";
  quota.limits.entitlement = timeline_.Between(0, nodes_ * devices_);
  quota.allow_oversell = true;
  Ask(operator_, quota);
}

void Users::DrainSomeNode() {
  const std::string node = absl::StrCat("n", timeline_.Between(0, nodes_ - 1));
  Ask(operator_, DrainNode{node, "test"});
  timeline_.After(timeline_.Between(kSecond, 60 * kSecond),
                  [this, node] { Ask(operator_, UndrainNode{node}); });
}

void Users::ConfirmDead(int node, std::function<void()> confirmed) {
  UserRequest request;
  request.actor = operator_;
  request.event = ConfirmNodeDead{absl::StrCat("n", node), "its plug is pulled"};
  Call(request, [this, node, confirmed = std::move(confirmed)](const auto& outcome) {
    if (outcome.ok()) {
      confirmed();
      return;
    }
    timeline_.After(kCallAgain, [this, node, confirmed] { ConfirmDead(node, confirmed); });
  });
}

void Users::EndHold() {
  observer_.OnHoldEnded();
  Ask(operator_, EndLossHold{});
}

void Users::RequeueSomeJob() {
  if (!jobs_.empty()) {
    const auto pick =
        static_cast<size_t>(timeline_.Between(0, static_cast<int64_t>(jobs_.size()) - 1));
    Ask(operator_, RequeueRunningJob{jobs_[pick].second, "test"});
  }
}

void Users::Settle() {
  if (!scheduler_.is_up()) {
    return;
  }
  if (scheduler_.recovery()) {
    scheduler_.Resume();
  }
  ResumeAll();
  for (const std::string& tenant : tenants_) {
    SetQuota quota;
    quota.tenant = tenant;
    quota.device_class = "sim";
    quota.limits.entitlement = nodes_ * devices_;
    quota.allow_oversell = true;
    Ask(operator_, quota);
  }
  for (const auto& [id, node] : scheduler_.cluster().nodes()) {
    if (node.drain_requested || node.state == NodeState::kQuarantined) {
      Ask(operator_, UndrainNode{node.name});
    }
  }
  for (const auto& [id, job] : scheduler_.cluster().jobs()) {
    if (job.state == JobState::kHeld) {
      Ask(operator_, ReleaseJob{id});
    }
  }
}

// ---- Calls ----

void Users::Ask(const Actor& actor, UserEvent event) {
  UserRequest request;
  request.actor = actor;
  request.event = std::move(event);
  Call(std::move(request), [](const absl::StatusOr<Outcome>&) {});
}

void Users::Call(UserRequest request, Reply reply) {
  CallOnce(request, std::make_shared<Reply>(std::move(reply)));
}

void Users::CallOnce(const UserRequest& request, const std::shared_ptr<Reply>& reply) {
  UserRequest call = request;
  const bool answer_is_lost = timeline_.Once(kLost);
  call.reply = [this, reply, answer_is_lost](const absl::StatusOr<Outcome>& outcome) {
    if (answer_is_lost || (!outcome.ok() && IsPassing(outcome.status()))) {
      return;
    }
    // A restore takes back what was promised; who hears of it later has to ask again.
    const int restores = observer_.restores();
    timeline_.After(timeline_.Between(100, kCallMost), [this, reply, outcome, restores] {
      if (*reply && observer_.restores() == restores) {
        std::exchange(*reply, nullptr)(outcome);
      }
    });
  };
  if (!timeline_.Once(kLost)) {
    timeline_.After(timeline_.Between(100, kCallMost), [this, call] { scheduler_.Ask(call); });
  }
  timeline_.After(kCallAgain, [this, request, reply] {
    if (*reply) {
      CallOnce(request, reply);
    }
  });
}

}  // namespace berth::sim
