#include "sim/virtual_center.h"

#include <climits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/check.h"
#include "common/status_macros.h"

namespace berth::sim {
namespace {

constexpr absl::Duration kYears = absl::Hours(24 * 366 * 300);

Policy VirtualPolicy() {
  Policy policy;
  // Virtual agents are never silent, so they need not be heard.
  policy.suspect_after = absl::InfiniteDuration();
  policy.lost_after = absl::InfiniteDuration();
  policy.time_limit_max = kYears;
  policy.token_lifetime_max = kYears;
  policy.nodes_per_job_max = 1'000'000;
  policy.devices_per_node_max = 100'000'000;
  return policy;
}

const std::string& FakeHash() {
  static const auto* const kHash = new std::string(32, 'h');
  return *kHash;
}

}  // namespace

VirtualCenter::VirtualCenter(const SimCenter& center, int64_t queue_max, absl::Time now)
    : engine_(VirtualPolicy(), 1) {
  operator_.role = Role::kOperator;
  Must(BootstrapOperator{"root", "t0", FakeHash()}, now);
  operator_.user = engine_.cluster().FindUserByName(TenantId(), "root")->id;
  operator_.user_name = "root";
  for (const SimNode& node : center.nodes) {
    AddNode(node, now);
  }
  engine_.TakeCommands();
  for (const SimTenant& tenant : center.tenants) {
    AddTenant(tenant, queue_max, now);
  }
}

Outcome VirtualCenter::Must(const UserEvent& event, absl::Time now) {
  absl::StatusOr<Outcome> outcome = engine_.Apply(operator_, event, now);
  BERTH_CHECK(outcome.ok());
  return *std::move(outcome);
}

void VirtualCenter::AddNode(const SimNode& node, absl::Time now) {
  AddToken token;
  token.id = absl::StrCat("node-", node.name);
  token.secret_hash = FakeHash();
  token.node = node.name;
  const NodeId id = Must(token, now).node;
  BERTH_CHECK(id.value() == sessions_.size());
  sessions_.emplace_back(id.value());
  AgentHello hello;
  hello.node = id;
  hello.session = sessions_.back();
  hello.boot_id = "b";
  hello.facts.facts.capacity = node.capacity;
  hello.facts.facts.topology = node.topology;
  for (int index = 0; index < node.devices; ++index) {
    Device device;
    device.index = index;
    hello.facts.devices.push_back({device, node.device_class});
  }
  engine_.Apply(AgentEvent(std::move(hello)), now);
  capacity_ += node.devices;
}

void VirtualCenter::AddTenant(const SimTenant& tenant, int64_t queue_max, absl::Time now) {
  berth::AddTenant add;
  add.name = tenant.name;
  add.queue_max = queue_max;
  const TenantId id = Must(add, now).tenant;
  tenant_numbers_[id] = static_cast<int>(users_.size());
  Must(AddUser{.name = "user", .tenant = tenant.name, .role = Role::kMember}, now);
  const User* user = engine_.cluster().FindUserByName(id, "user");
  users_.push_back({.user = user->id,
                    .node = {},
                    .tenant = id,
                    .role = Role::kMember,
                    .token_id = "",
                    .user_name = user->name});
  for (const auto& [device_class, limits] : tenant.quotas) {
    SetQuota quota;
    quota.tenant = tenant.name;
    quota.device_class = device_class;
    quota.limits = limits;
    Must(quota, now);
  }
}

absl::StatusOr<JobId> VirtualCenter::Submit(const SimJob& job, absl::Time now) {
  SubmitJob submit;
  submit.spec.name = absl::StrCat("training-run-", ++submitted_);
  submit.spec.gang = job.gang;
  submit.spec.time_limit = job.time_limit;
  submit.spec.grace = job.grace;
  submit.spec.priority = job.priority;
  submit.spec.preemptible = job.preemptible;
  submit.spec.may_borrow = job.may_borrow;
  submit.spec.requeue.max_requeues = INT_MAX;
  submit.device_classes = job.device_classes;
  ASSIGN_OR_RETURN(const Outcome outcome, engine_.Apply(users_[static_cast<size_t>(job.tenant)],
                                                        UserEvent(std::move(submit)), now));
  return outcome.job;
}

void VirtualCenter::Report(NodeId node, const TaskReport& report, absl::Time now) {
  engine_.Apply(AgentEvent(AgentReport{node, sessions_[node.value()], report}), now);
}

}  // namespace berth::sim
