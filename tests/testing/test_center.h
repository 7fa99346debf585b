#ifndef BERTH_TESTS_TESTING_TEST_CENTER_H_
#define BERTH_TESTS_TESTING_TEST_CENTER_H_

// An engine with nodes, tenants and obedient agents, driven by hand in virtual time.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"

#include "common/check.h"
#include "scheduler/core/engine.h"
#include "scheduler/core/invariants.h"
#include "scheduler/core/job_progress.h"
#include "scheduler/core/step.h"
#include "sim/faults/memory_store.h"

namespace berth {

struct TestJob {
  std::string tenant = "acme";
  int nodes = 1;
  int devices = 1;
  std::vector<std::string> classes = {"sim"};
  int priority = 0;
  bool preemptible = true;
  bool may_borrow = true;
  bool hold = false;
  absl::Duration time_limit = absl::Hours(1);
  RequeuePolicy requeue = {};
  NodeLossPolicy on_node_loss = NodeLossPolicy::kRequeue;
  int min_nodes = 0;
  ArrayRange array = {};
  std::vector<Dependency> after = {};
  absl::Time begin_at = absl::InfinitePast();
  absl::Duration grace = absl::ZeroDuration();  // zero: the default
  HostResources per_node = {};
};

class EngineAccess {
 public:
  static Step StepAt(Engine& engine, absl::Time now) {
    return {engine.cluster_, engine.policy_, engine.sched_epoch_, now, engine.commands_};
  }
  static Cluster& ClusterOf(Engine& engine) { return engine.cluster_; }
};

class TestCenter {
 public:
  // Agents that nobody expects to hear of, for tests of what time does to jobs.
  static Policy PatientPolicy() {
    Policy policy;
    policy.suspect_after = absl::Hours(1000);
    policy.lost_after = absl::Hours(2000);
    return policy;
  }

  explicit TestCenter(const Policy& policy = Policy()) : engine_(policy, 1) {
    operator_.role = Role::kOperator;
    BERTH_CHECK(
        engine_.Apply(operator_, BootstrapOperator{"root", "t0", std::string(32, 'h')}, now_).ok());
    operator_.user = engine_.cluster().FindUserByName(TenantId(), "root")->id;
    operator_.user_name = "root";
  }

  const Cluster& cluster() const { return engine_.cluster(); }
  Engine& engine() { return engine_; }
  absl::Time now() const { return now_; }
  // Time alone: nobody looks at the clock.
  void Pass(absl::Duration step) { now_ += step; }
  void Advance(absl::Duration step) {
    now_ += step;
    engine_.Apply(AgentEvent(Tick{}), now_);
  }

  void AddTenant(const std::string& name) {
    Must(berth::AddTenant{name, name, absl::ZeroDuration(), 0});
    Must(berth::AddUser{"user-" + name, name, Role::kMember});
  }
  Actor UserOf(const std::string& tenant) const {
    const TenantId id = cluster().quota().FindTenantByName(tenant)->id;
    const User* user = cluster().FindUserByName(id, "user-" + tenant);
    return {.user = user->id,
            .node = {},
            .tenant = id,
            .role = Role::kMember,
            .token_id = "",
            .user_name = user->name};
  }
  const Actor& Operator() const { return operator_; }

  absl::StatusOr<Outcome> Try(const UserEvent& event) {
    return engine_.Apply(operator_, event, now_);
  }
  absl::StatusOr<Outcome> TryAs(const Actor& actor, const UserEvent& event) {
    return engine_.Apply(actor, event, now_);
  }
  Outcome Must(const UserEvent& event) {
    absl::StatusOr<Outcome> outcome = Try(event);
    if (!outcome.ok()) {
      std::fprintf(stderr, "%s\n", outcome.status().ToString().c_str());
    }
    BERTH_CHECK(outcome.ok());
    return *std::move(outcome);
  }
  void SetQuota(const std::string& tenant, QuotaLimits limits,
                const std::string& device_class = "sim") {
    Must(berth::SetQuota{tenant, "", device_class, limits, true, false});
  }

  // A node that says hello with `devices` devices of a class.
  NodeId AddNode(const std::string& name, int devices = 8,
                 const std::string& device_class = "sim") {
    const std::string token = absl::StrCat("node-", name);
    AddToken request;
    request.id = token;
    request.secret_hash = std::string(32, 'h');
    request.node = name;
    const NodeId id = Must(request).node;
    facts_[id].facts.address = "127.0.0.1";
    facts_[id].facts.capacity = {64000, 256000};
    for (int i = 0; i < devices; ++i) {
      Device device;
      device.index = i;
      device.uuid = absl::StrCat("SIM-", name, "-", i);
      facts_[id].devices.push_back({device, device_class});
    }
    Hello(id);
    return id;
  }
  SessionId session(NodeId id) const { return sessions_.at(id); }
  // The agent starts again, perhaps with a new journal; its next hello tells.
  void NextLife(NodeId id, bool journal_lost) {
    auto& [incarnation, journal_since] = lives_[id];
    journal_since = journal_lost ? incarnation + 1 : journal_since;
    ++incarnation;
  }
  // A new session; the node's boot id changes with `reboot`.
  void Hello(NodeId id, std::vector<RunningTask> tasks = {}, int64_t assign_seq_max = 0,
             bool reboot = false) {
    sessions_[id] = SessionId(++last_session_);
    boots_[id] += reboot ? 1 : 0;
    AgentHello hello;
    hello.node = id;
    hello.session = sessions_[id];
    hello.boot_id = absl::StrCat("boot-", boots_[id]);
    hello.facts = facts_[id];
    hello.tasks = std::move(tasks);
    hello.assign_seq_max = assign_seq_max;
    hello.incarnation = lives_[id].first;
    hello.journal_since = lives_[id].second;
    engine_.Apply(AgentEvent(hello), now_);
  }

  // Its next hello tells of these devices.
  void SetDevices(NodeId id, std::vector<ReportedDevice> devices) {
    facts_[id].devices = std::move(devices);
  }
  // The agent tells that it has these devices now.
  void TellDevices(NodeId id, std::vector<ReportedDevice> devices) {
    SetDevices(id, std::move(devices));
    engine_.Apply(AgentEvent(AgentFacts{id, sessions_.at(id), facts_[id]}), now_);
  }

  absl::StatusOr<Outcome> TrySubmit(const TestJob& job) {
    SubmitJob submit;
    submit.spec.name = "job";
    submit.spec.gang.nodes = job.nodes;
    submit.spec.gang.devices_per_node = job.devices;
    submit.spec.priority = job.priority;
    submit.spec.preemptible = job.preemptible;
    submit.spec.may_borrow = job.may_borrow;
    submit.spec.hold = job.hold;
    submit.spec.time_limit = job.time_limit;
    submit.spec.requeue = job.requeue;
    submit.spec.on_node_loss = job.on_node_loss;
    submit.spec.gang.min_nodes = job.min_nodes;
    submit.spec.array = job.array;
    submit.spec.dependencies = job.after;
    submit.spec.begin_at = job.begin_at;
    submit.spec.grace = job.grace;
    submit.spec.gang.per_node = job.per_node;
    submit.device_classes = job.devices > 0 ? job.classes : std::vector<std::string>();
    return TryAs(UserOf(job.tenant), submit);
  }
  JobId Submit(const TestJob& job) {
    absl::StatusOr<Outcome> outcome = TrySubmit(job);
    if (!outcome.ok()) {
      std::fprintf(stderr, "%s\n", outcome.status().ToString().c_str());
    }
    BERTH_CHECK(outcome.ok());
    return outcome->job;
  }

  // Runs a function of core that is no event of its own.
  template <typename Part>
  void Change(Part part) {
    part(EngineAccess::StepAt(engine_, now_));
  }
  void Round() { engine_.RunRound(now_); }
  // Rounds until nothing more starts; returns the live tasks of the array.
  std::vector<JobId> StartTasks(JobId array) {
    size_t active = 0;
    do {
      active = cluster().active_jobs().size();
      Round();
    } while (cluster().active_jobs().size() > active);
    const std::set<JobId>& tasks = cluster().TasksOf(array);
    return {tasks.begin(), tasks.end()};
  }
  // Takes what became durable: ended jobs are remembered for state().
  Changes Commit() {
    Changes changes = engine_.TakeChanges();
    store_.Apply(changes);
    for (const Job& job : changes.jobs) {
      last_seen_[job.id] = job;
    }
    return changes;
  }
  const sim::MemoryStore& store() const { return store_; }
  // Another life of the scheduler, from what is durable; every stream is gone.
  void Restart() {
    Commit();
    engine_ = Engine(engine_.policy(), ++sched_epoch_);
    engine_.Restore(store_.Load(), now_);
  }
  std::vector<NodeCommand> TakeCommands() {
    Commit();
    return engine_.TakeCommands();
  }

  // As of now, or of its last durable change.
  Job GetJob(JobId id) const {
    const Job* live = cluster().FindJob(id);
    return live != nullptr ? *live : last_seen_.at(id);
  }
  JobState state(JobId id) const { return GetJob(id).state; }

  void Report(AllocationId id, ReportKind kind, int exit_code = 0) {
    const Allocation* allocation = cluster().FindAllocation(id);
    BERTH_CHECK(allocation != nullptr);
    TaskReport report;
    report.kind = kind;
    report.allocation = id;
    report.job = allocation->job;
    report.attempt = allocation->attempt;
    report.exit_code = exit_code;
    report.rendezvous_address = "127.0.0.1";
    report.rendezvous_port = 20000;
    engine_.Apply(AgentEvent(AgentReport{allocation->node, sessions_.at(allocation->node), report}),
                  now_);
  }
  // Prepares and starts every member of a dispatched job.
  void RunJob(JobId id) {
    const std::vector<AllocationId> members = cluster().GetJob(id).allocations;
    if (members.size() > 1) {
      for (AllocationId member : members) {
        Report(member, ReportKind::kPrepared);
      }
    }
    for (AllocationId member : members) {
      Report(member, ReportKind::kStarted);
    }
    Commit();
  }
  // Submits it and runs it. Requires: it starts in the next round.
  JobId SubmitRunning(const TestJob& job) {
    const JobId id = Submit(job);
    Round();
    RunJob(id);
    BERTH_CHECK(state(id) == JobState::kRunning);
    return id;
  }
  void ExitJob(JobId id, int exit_code = 0) {
    // A copy: the last report ends the job, and its list with it.
    const std::vector<AllocationId> members = cluster().GetJob(id).allocations;
    for (AllocationId member : members) {
      if (cluster().FindJob(id) != nullptr &&
          cluster().GetAllocation(member).state != AllocationState::kReleased) {
        Report(member, ReportKind::kExited, exit_code);
      }
    }
    Commit();
  }

  template <typename Command>
  static std::vector<Command> Of(const std::vector<NodeCommand>& commands) {
    std::vector<Command> result;
    for (const NodeCommand& command : commands) {
      if (const auto* kind = std::get_if<Command>(&command.kind)) {
        result.push_back(*kind);
      }
    }
    return result;
  }

 private:
  Engine engine_;
  uint64_t sched_epoch_ = 1;
  sim::MemoryStore store_;
  absl::Time now_ = absl::FromUnixSeconds(1000000);
  Actor operator_;
  std::map<NodeId, ReportedFacts> facts_;
  std::map<NodeId, SessionId> sessions_;
  std::map<NodeId, std::pair<uint64_t, uint64_t>> lives_;  // incarnation, journal since
  std::map<NodeId, int> boots_;
  std::map<JobId, Job> last_seen_;
  uint64_t last_session_ = 0;
};

}  // namespace berth

#endif  // BERTH_TESTS_TESTING_TEST_CENTER_H_
