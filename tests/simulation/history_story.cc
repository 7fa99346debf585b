#include "tests/simulation/history_story.h"

#include <array>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace berth {
namespace {

constexpr std::array<const char*, std::variant_size_v<UserEvent>> kRequestNames = {
    "submit",     "cancel",     "hold",         "release",    "update",      "requeue",
    "checkpoint", "add tenant", "add project",  "add user",   "add token",   "revoke token",
    "bootstrap",  "set quota",  "set queue",    "suspend",    "add booking", "end booking",
    "drain",      "undrain",    "confirm dead", "note fence", "end hold"};

std::string Seconds(absl::Duration duration) {
  return duration == absl::InfiniteDuration() ? "never"
                                              : absl::StrCat(absl::ToInt64Seconds(duration), "s");
}

std::string Places(const std::vector<Placement>& members) {
  std::string text;
  for (const Placement& member : members) {
    absl::StrAppend(&text, " n", member.node.value(), ":");
    for (const DeviceShare& share : member.devices) {
      absl::StrAppend(&text, share.index,
                      share.milli < kWholeDeviceMilli ? absl::StrCat("/", share.milli) : "", ",");
    }
  }
  return text;
}

std::string Shape(const JobSpec& spec) {
  const GangShape& gang = spec.gang;
  std::string classes;
  for (ClassId device_class : gang.classes) {
    absl::StrAppend(&classes, device_class.value(), ",");
  }
  return absl::StrFormat(
      "tenant %d project %d %d(min %d)x%d%s classes %s priority %d%s%s limit %s grace %s",
      spec.tenant.value(), spec.project.value(), gang.nodes, gang.min_nodes, gang.devices_per_node,
      gang.device_share_milli > 0 ? absl::StrCat(" share ", gang.device_share_milli) : "", classes,
      spec.priority, spec.preemptible ? "" : " non-preemptible",
      spec.may_borrow ? "" : " never-borrows", Seconds(spec.time_limit), Seconds(spec.grace));
}

void DescribeWaiting(const Job& job, std::string& text) {
  for (NodeId node : job.suspect_nodes) {
    absl::StrAppend(&text, " avoids n", node.value());
  }
  for (const std::string& node : job.spec.gang.excluded_nodes) {
    absl::StrAppend(&text, " excludes ", node);
  }
  for (const Dependency& dependency : job.spec.dependencies) {
    absl::StrAppend(&text, " waits for job ", dependency.job.value());
  }
}

void DescribeJob(const PlanView& view, const Job& job, std::string& text) {
  absl::StrAppendFormat(&text, "  job %d %s %s", job.id.value(), std::string(Name(job.state)),
                        Shape(job.spec));
  if (job.is_array()) {
    absl::StrAppendFormat(&text, " array %d at most %d next %d", job.spec.array.count,
                          job.spec.array.concurrent_max, job.tasks.next);
  }
  if (!job.allocations.empty()) {
    absl::StrAppendFormat(&text, " %s class %d ends in %s on",
                          std::string(Name(job.attempt.funding)), job.attempt.device_class.value(),
                          Seconds(job.ends_by - view.now));
    for (AllocationId id : job.allocations) {
      const Allocation& allocation = view.cluster.GetAllocation(id);
      if (allocation.state != AllocationState::kReleased) {
        absl::StrAppend(&text,
                        Places({
                            {allocation.node, allocation.devices}
        }),
                        allocation.state == AllocationState::kReleasing ? "(returning)" : "");
      }
    }
  } else {
    absl::StrAppendFormat(&text, " submitted %s ago, not before %s",
                          Seconds(view.now - job.submitted_at),
                          job.not_before <= view.now ? "now" : Seconds(job.not_before - view.now));
    DescribeWaiting(job, text);
  }
  absl::StrAppend(&text, "\n");
}

void DescribePlan(const PlanView& view, std::string& text) {
  for (JobId job : view.plan.lapsed) {
    absl::StrAppendFormat(&text, "  > lapse job %d\n", job.value());
  }
  for (const Start& start : view.plan.starts) {
    absl::StrAppendFormat(&text, "  > start job %d class %d %s on%s\n", start.job.value(),
                          start.device_class.value(), std::string(Name(start.funding)),
                          Places(start.members));
  }
  for (const Recall& recall : view.plan.recalls) {
    absl::StrAppendFormat(
        &text, "  > recall for job %d class %d %s%s on%s due %s:", recall.claim.job.value(),
        recall.claim.device_class.value(), std::string(Name(recall.claim.funding)),
        recall.certificate.within_tenant ? " within its tenant" : "", Places(recall.claim.members),
        Seconds(recall.certificate.due - view.now));
    for (const ReclaimCandidate& row : recall.certificate.candidates) {
      absl::StrAppendFormat(&text, " %sjob %d (%d members%s, lost %s)", row.chosen ? "+" : "-",
                            row.job.value(), row.members, row.shrink ? ", shrinks" : "",
                            Seconds(row.lost_work));
    }
    absl::StrAppend(&text, "\n");
  }
  for (const Anchor& anchor : view.plan.anchors) {
    absl::StrAppendFormat(&text, "  > anchor job %d class %d in %s on%s\n", anchor.job.value(),
                          anchor.device_class.value(), Seconds(anchor.shadow - view.now),
                          Places(anchor.members));
  }
  if (view.plan.next_look != absl::InfiniteFuture()) {
    absl::StrAppendFormat(&text, "  > next look in %s\n", Seconds(view.plan.next_look - view.now));
  }
}

}  // namespace

std::string DescribeCenter(const Cluster& cluster) {
  std::string text;
  for (const auto& [id, node] : cluster.nodes()) {
    absl::StrAppendFormat(&text, "node n%d class %d devices %d rack %s block %s\n", id.value(),
                          node.facts.devices.front().device_class.value(),
                          node.facts.devices.size(), node.facts.topology.rack,
                          node.facts.topology.block);
  }
  for (const auto& [key, limits] : cluster.quota().limits()) {
    absl::StrAppendFormat(
        &text, "tenant %d (%s) project %d class %d: E %d L %s N %d w %s blocks %d of %s\n",
        key.tenant.value(), std::string(Name(cluster.quota().FindTenant(key.tenant)->queue_preset)),
        key.project.value(), key.device_class.value(), limits.entitlement,
        limits.limit.has_value() ? absl::StrCat(*limits.limit) : "-", limits.non_lendable,
        limits.weight.has_value() ? absl::StrCat(*limits.weight) : "-", limits.block_count,
        std::string(Name(limits.block_level)));
  }
  return text;
}

std::string DescribeRequest(const UserEvent& event, const absl::StatusOr<Outcome>& outcome) {
  std::string text = kRequestNames.at(event.index());
  std::visit(
      [&text](const auto& request) {
        if constexpr (requires { request.job.value(); }) {
          absl::StrAppend(&text, " ", request.job.value());
        }
        if constexpr (requires { request.tasks; }) {
          absl::StrAppend(&text, request.tasks.empty() ? "" : " tasks ",
                          IndexesText(request.tasks));
        }
        if constexpr (requires { request.suspended; }) {
          absl::StrAppend(&text, " ", request.tenant,
                          request.suspended ? " suspended" : " resumed");
        }
      },
      event);
  return absl::StrCat(text, ": ", outcome.ok() ? "done" : std::string(outcome.status().message()),
                      "\n");
}

std::string DescribeRound(const PlanView& view) {
  std::string text = absl::StrFormat("round at %s\n", Seconds(view.now - absl::UnixEpoch()));
  for (const auto& [id, node] : view.cluster.nodes()) {
    if (!node.IsUsable()) {
      absl::StrAppendFormat(&text, "  node n%d is not usable\n", id.value());
    }
    for (const Device& device : node.facts.devices) {
      if (device.health == DeviceHealth::kQuarantined) {
        absl::StrAppendFormat(&text, "  device %d of n%d is not usable\n", device.index,
                              id.value());
      }
    }
  }
  for (const auto& [id, job] : view.cluster.jobs()) {
    DescribeJob(view, job, text);
  }
  for (const auto& [id, claim] : view.cluster.nominations()) {
    absl::StrAppendFormat(&text, "  kept for job %d:%s\n", id.value(), Places(claim.members));
  }
  DescribePlan(view, text);
  return text;
}

}  // namespace berth
