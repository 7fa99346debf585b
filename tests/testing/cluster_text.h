#ifndef BERTH_TESTS_TESTING_CLUSTER_TEXT_H_
#define BERTH_TESTS_TESTING_CLUSTER_TEXT_H_

// All of a cluster that a restart must bring back, as text, one noun or index entry per line.
// Nominations and the verdicts of the last round are not: the next round finds them again.

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "scheduler/core/cluster.h"

namespace berth {

template <typename Ids>
std::string IdList(const Ids& ids) {
  return absl::StrJoin(ids, ",",
                       [](std::string* out, const auto& id) { absl::StrAppend(out, id.value()); });
}

inline std::string JobText(const Cluster& cluster, const Job& job) {
  const Attempt& attempt = job.attempt;
  std::string text = absl::StrCat(
      "job ", job.id.value(), " ", Name(job.state), " v", job.version, " ", job.spec.name, " t",
      job.spec.tenant.value(), " ", job.spec.gang.min_nodes, "-", job.spec.gang.nodes, "x",
      job.spec.gang.devices_per_node, " limit ", absl::FormatDuration(job.spec.time_limit));
  absl::StrAppend(&text, " not before ", absl::FormatTime(job.not_before), " requeues ",
                  job.requeues, " cancel ", job.cancel_requested, " array ", job.array.value(), "/",
                  job.array_index, " next ", job.tasks.next, " live ", job.tasks.live, " ended ",
                  job.tasks.succeeded, "+", job.tasks.failed, "+", job.tasks.cancelled);
  if (job.spec.array.lists != nullptr) {
    absl::StrAppend(&text, " unstarted ", IndexesText(job.spec.array.lists->cancelled), " ahead ",
                    job.spec.array.cancelled_ahead);
  }
  absl::StrAppend(&text, " suspects ", IdList(job.suspect_nodes), " attempt ", attempt.number, " ",
                  Name(attempt.state), " ", Name(attempt.funding), " end ",
                  Name(attempt.end.reason), " ", attempt.end.message, " checkpoint ",
                  absl::FormatTime(attempt.checkpoint_at), " members ", IdList(job.allocations));
  if (attempt.notice != nullptr) {
    absl::StrAppend(&text, " notice ", absl::FormatTime(attempt.notice->at), " ",
                    attempt.notice->text, " ", attempt.notice->checkpoint, " ",
                    attempt.notice->progress_milli.value_or(-1));
  }
  for (const Dependency& dependency : job.spec.dependencies) {
    absl::StrAppend(&text, " after ", Name(dependency.kind), ":", dependency.job.value());
  }
  absl::StrAppend(&text, " tasks ", IdList(cluster.TasksOf(job.id)), " dependents ",
                  IdList(cluster.DependentsOf(job.id)), "\n");
  return text;
}

inline std::string QueueText(const Cluster& cluster) {
  std::string text;
  for (const auto& [id, job] : cluster.jobs()) {
    if (job.state == JobState::kQueued) {
      const PendingGroup& group = cluster.GetGroup(job.group);
      absl::StrAppend(&text, "group of ", id.value(), ": ready ", IdList(group.ready), " waiting ",
                      IdList(group.waiting), " tasks ", group.tasks, "\n");
    }
  }
  for (const auto& [device_class, tenants] : cluster.queues()) {
    for (const auto& [tenant, queue] : tenants) {
      absl::StrAppend(&text, "queue ", device_class.value(), "/", tenant.value(), ":");
      for (const QueuePlace& place : queue.places()) {
        absl::StrAppend(&text, " ", place.priority, ":", place.oldest.value());
      }
      absl::StrAppend(&text, "\n");
    }
  }
  return text;
}

inline std::string ClusterText(const Cluster& cluster) {
  std::string text;
  for (const auto& [id, job] : cluster.jobs()) {
    absl::StrAppend(&text, JobText(cluster, job));
  }
  absl::StrAppend(&text, QueueText(cluster), "active ", IdList(cluster.active_jobs()), "\n");
  for (const auto& [id, allocation] : cluster.allocations()) {
    absl::StrAppend(&text, "allocation ", id.value(), " of ", allocation.job.value(), "#",
                    allocation.attempt, "/", allocation.rank, " ", Name(allocation.state), " on ",
                    allocation.node.value(), " devices ", allocation.devices.size(), "\n");
  }
  for (const auto& [id, node] : cluster.nodes()) {
    absl::StrAppend(&text, "node ", node.name, " ", Name(node.state), " booked out ",
                    node.booked_out, " holds ", IdList(cluster.AllocationsOn(id)), " taken ",
                    CountDevices(cluster.free_index().Load(id).busy), "\n");
  }
  for (const auto& [id, name] : cluster.classes()) {
    absl::StrAppend(&text, "class ", name, " ", cluster.UsableDevices(id), " of ",
                    cluster.KnownDevices(id), " holders ", IdList(cluster.HoldersOf(id)), "\n");
    for (const auto& [tenant, record] : cluster.quota().tenants()) {
      const QuotaUse use = cluster.quota().Use({tenant, ProjectId(), id});
      absl::StrAppend(&text, "use of ", record.name, " ", use.owned, "+", use.borrowed, " ",
                      use.non_preemptible, " pending ", cluster.PendingCount(tenant), "\n");
    }
  }
  for (const auto& [id, booking] : cluster.bookings()) {
    absl::StrAppend(&text, "booking ", id.value(), " ", booking.ended, " of ",
                    IdList(booking.nodes), "\n");
  }
  for (const auto& [key, edit] : cluster.quota_edits()) {
    absl::StrAppend(&text, "quota of ", key.tenant.value(), " ", edit.limits.entitlement, " at ",
                    absl::FormatTime(edit.effective_at), "\n");
  }
  return text;
}

}  // namespace berth

#endif  // BERTH_TESTS_TESTING_CLUSTER_TEXT_H_
