#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"

#include "common/status_macros.h"
#include "scheduler/core/invariants.h"

namespace berth {
namespace {

template <typename... Args>
absl::Status Broken(const absl::FormatSpec<Args...>& format, const Args&... args) {
  return absl::InternalError(absl::StrFormat(format, args...));
}

int64_t Unstarted(const Job& job) {
  return job.is_array() ? job.spec.array.count - job.tasks.next - job.spec.array.cancelled_ahead
                        : 1;
}

bool MayBePlanned(const Cluster& cluster, const Job& job) {
  return job.not_before == absl::InfinitePast() && job.spec.dependencies.empty() &&
         cluster.StartableTasks(job.id) > 0;
}

// The members of a group are queued jobs that know it, among the ready ones exactly those that may
// be planned. Adds how many there are.
absl::Status CheckMembers(const Cluster& cluster, GroupId id, const PendingGroup& group,
                          size_t& grouped) {
  int64_t tasks = 0;
  for (const std::set<JobId>* members : {&group.ready, &group.waiting}) {
    for (JobId member : *members) {
      const Job& job = cluster.GetJob(member);
      if (job.state != JobState::kQueued || job.group != id ||
          MayBePlanned(cluster, job) != (members == &group.ready)) {
        return Broken("groups are broken: job %d is not where it belongs", member.value());
      }
      tasks += Unstarted(job);
    }
    grouped += members->size();
  }
  return tasks == group.tasks ? absl::OkStatus()
                              : Broken("groups are broken: group %d has %d tasks, counted %d",
                                       id.value(), tasks, group.tasks);
}

bool AreSame(const AlikePlaces& a, const AlikePlaces& b) {
  return a.places == b.places && a.told.size() == b.told.size() &&
         std::all_of(a.told.begin(), a.told.end(),
                     [&b](const auto& entry) { return b.Told(entry.first) == entry.second; });
}

bool AreSame(const TenantQueue& a, const TenantQueue& b) {
  return a.places() == b.places() && a.by_age() == b.by_age() &&
         a.submissions() == b.submissions() &&
         std::equal(a.alike().begin(), a.alike().end(), b.alike().begin(), b.alike().end(),
                    [](const auto& of_a, const auto& of_b) {
                      return of_a.first == of_b.first && AreSame(of_a.second, of_b.second);
                    });
}

// Every queued job is in its group; every group with ready jobs has its one place in its tenant's
// queue, and what is known there of those alike is what the groups have.
absl::Status CheckGroups(const Cluster& cluster, size_t queued) {
  size_t grouped = 0;
  std::map<std::pair<ClassId, TenantId>, TenantQueue> expected;
  for (const auto& [id, group] : cluster.groups()) {
    RETURN_IF_ERROR(CheckMembers(cluster, id, group, grouped));
    if (const std::optional<QueuePlace> place = cluster.PlaceOf(id); place.has_value()) {
      const auto& classes = group.key.gang.classes;
      const ClassId first = classes.empty() ? ClassId() : classes.front();
      expected[{first, group.key.tenant}].Insert(*place, group.blocker);
    }
  }
  size_t queues = 0;
  for (const auto& [device_class, tenants] : cluster.queues()) {
    for (const auto& [tenant, queue] : tenants) {
      const auto known = expected.find({device_class, tenant});
      if (known == expected.end() || !AreSame(queue, known->second)) {
        return Broken("queues are broken: class %d, tenant %d", device_class.value(),
                      tenant.value());
      }
      ++queues;
    }
  }
  if (queues != expected.size()) {
    return Broken("queues are broken: %d of %d", queues, expected.size());
  }
  return queued == grouped ? absl::OkStatus()
                           : Broken("groups are broken: %d queued, %d grouped", queued, grouped);
}

absl::Status CheckCounts(const Cluster& cluster, const std::map<TenantId, int64_t>& pending) {
  for (const auto& [id, tenant] : cluster.quota().tenants()) {
    const auto found = pending.find(id);
    const int64_t count = found == pending.end() ? 0 : found->second;
    if (cluster.PendingCount(id) != count) {
      return Broken("pending counts are broken: tenant %d has %d, counted %d", id.value(), count,
                    cluster.PendingCount(id));
    }
  }
  return absl::OkStatus();
}

// What was cancelled before it started are tasks of the array that are no jobs, and not the next
// one to start.
absl::Status CheckCancelledTasks(const Job& array, const std::set<int>& live) {
  const ArrayRange& range = array.spec.array;
  if (range.lists == nullptr) {
    return absl::OkStatus();
  }
  const bool of_array = !FindStrangeIndex(range, range.lists->cancelled).has_value();
  const bool counted = range.cancelled_ahead == range.CancelledFrom(array.tasks.next);
  const bool next_starts =
      array.tasks.next == range.count || !range.IsCancelled(range.IndexAt(array.tasks.next));
  const bool jobless = std::none_of(live.begin(), live.end(),
                                    [&range](int index) { return range.IsCancelled(index); });
  return of_array && counted && next_starts && jobless
             ? absl::OkStatus()
             : Broken("arrays are broken: array %d has cancelled %s, %d of them ahead of %d",
                      array.id.value(), IndexesText(range.lists->cancelled), range.cancelled_ahead,
                      array.tasks.next);
}

// An array's record adds up, its state follows from it, and its bound holds.
absl::Status CheckArray(const Cluster& cluster, const Job& array) {
  const ArrayProgress& tasks = array.tasks;
  const ArrayRange& range = array.spec.array;
  const bool pending = array.state == JobState::kQueued || array.state == JobState::kHeld;
  std::set<int> indexes;
  for (JobId id : cluster.TasksOf(array.id)) {
    const Job* task = cluster.FindJob(id);
    if (task == nullptr || IsTerminal(task->state) || task->array != array.id ||
        task->spec.tenant != array.spec.tenant) {
      return Broken("arrays are broken: job %d is no live task of %d", id.value(),
                    array.id.value());
    }
    const std::optional<int> position = range.PositionOf(task->array_index);
    if (!position.has_value() || *position >= tasks.next) {
      return Broken("arrays are broken: array %d has a task %d", array.id.value(),
                    task->array_index);
    }
    indexes.insert(task->array_index);
  }
  RETURN_IF_ERROR(CheckCancelledTasks(array, indexes));
  const bool adds_up = tasks.live == static_cast<int>(indexes.size()) &&
                       tasks.ended() + tasks.live == tasks.next + range.cancelled_ahead &&
                       tasks.next <= range.count;
  const bool right_state =
      pending ? Unstarted(array) > 0 : tasks.next == range.count && tasks.live > 0;
  const bool within = range.concurrent_max == 0 || tasks.live <= range.concurrent_max;
  const bool goes_on = !pending || range.fails_max == 0 || tasks.failed < range.fails_max;
  return adds_up && right_state && within && goes_on && array.allocations.empty()
             ? absl::OkStatus()
             : Broken("arrays are broken: array %d is %s with %d of %d started, %d live, %d ended",
                      array.id.value(), std::string(Name(array.state)), tasks.next, range.count,
                      tasks.live, tasks.ended());
}

// What a job waits for is live, its own tenant's, and open.
absl::Status CheckDependencies(const Cluster& cluster, const Job& job) {
  for (const Dependency& dependency : job.spec.dependencies) {
    const Job* parent = cluster.FindJob(dependency.job);
    const bool pending = job.state == JobState::kQueued || job.state == JobState::kHeld;
    if (!pending || parent == nullptr || parent->spec.tenant != job.spec.tenant ||
        DependencyHolds(dependency.kind, *parent).has_value() ||
        !cluster.DependentsOf(dependency.job).contains(job.id)) {
      return Broken("dependencies are broken: job %d waits for job %d", job.id.value(),
                    dependency.job.value());
    }
  }
  for (JobId child : cluster.DependentsOf(job.id)) {
    const auto& waits = cluster.GetJob(child).spec.dependencies;
    if (std::none_of(waits.begin(), waits.end(),
                     [&](const Dependency& dependency) { return dependency.job == job.id; })) {
      return Broken("dependencies are broken: job %d does not wait for job %d", child.value(),
                    job.id.value());
    }
  }
  return absl::OkStatus();
}

// A booking has nodes, ends after it begins, and maintenance is nobody's. What is closed, is closed
// by maintenance.
absl::Status CheckBookings(const Cluster& cluster) {
  std::set<NodeId> maintained;
  for (const auto& [id, booking] : cluster.bookings()) {
    const bool ascending =
        std::is_sorted(booking.nodes.begin(), booking.nodes.end()) &&
        std::adjacent_find(booking.nodes.begin(), booking.nodes.end()) == booking.nodes.end();
    const bool known = std::all_of(booking.nodes.begin(), booking.nodes.end(),
                                   [&](NodeId node) { return cluster.FindNode(node) != nullptr; });
    const bool maintenance = booking.kind == BookingKind::kMaintenance;
    if (!ascending || !known || booking.to <= booking.from || (maintenance && booking.tenant)) {
      return Broken("bookings are broken: booking %d", id.value());
    }
    if (maintenance && !booking.ended) {
      maintained.insert(booking.nodes.begin(), booking.nodes.end());
    }
  }
  for (const auto& [id, node] : cluster.nodes()) {
    if (node.booked_out && !maintained.contains(id)) {
      return Broken("bookings are broken: node %d is closed by none", id.value());
    }
  }
  return absl::OkStatus();
}

absl::Status CheckLinks(const Cluster& cluster, const Job& job) {
  if (IsTerminal(job.state)) {
    return absl::OkStatus();
  }
  if (job.is_array()) {
    RETURN_IF_ERROR(CheckArray(cluster, job));
  } else if (job.array && !cluster.TasksOf(job.array).contains(job.id)) {
    return Broken("arrays are broken: job %d is not known to its array", job.id.value());
  }
  return CheckDependencies(cluster, job);
}

}  // namespace

absl::Status CheckPendingInvariants(const Cluster& cluster) {
  // All jobs in one walk: at a start it is the walk that costs.
  absl::Status jobs;
  size_t queued = 0;
  std::map<TenantId, int64_t> pending;
  for (const auto& [id, job] : cluster.jobs()) {
    queued += job.state == JobState::kQueued ? 1 : 0;
    if (job.state == JobState::kQueued || job.state == JobState::kHeld) {
      pending[job.spec.tenant] += Unstarted(job);
    }
    jobs.Update(CheckLinks(cluster, job));
  }
  RETURN_IF_ERROR(CheckGroups(cluster, queued));
  RETURN_IF_ERROR(CheckCounts(cluster, pending));
  RETURN_IF_ERROR(CheckBookings(cluster));
  return jobs;
}

}  // namespace berth
