#include "scheduler/core/booking_requests.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/core/booking_progress.h"
#include "scheduler/core/center_requests.h"
#include "scheduler/core/utc_text.h"

namespace berth {
namespace {

constexpr size_t kJobsNamedMax = 20;

absl::Status Invalid(absl::string_view message, absl::string_view why, absl::string_view fix) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.code = "B1217", .message = message, .why = why, .fix = fix});
}

absl::Status Taken(absl::string_view message, absl::string_view why) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B3402",
                    .message = message,
                    .why = why,
                    .fix = "begin later, or leave the choice of nodes to the scheduler"});
}

absl::Status CheckOperator(const Actor& actor) {
  return actor.role == Role::kOperator ? absl::OkStatus()
                                       : MakeError(absl::StatusCode::kPermissionDenied,
                                                   {.code = "B7206",
                                                    .message = "only an operator may book nodes",
                                                    .why = "",
                                                    .fix = "ask the center's operators"});
}

bool MayBeChosen(const Node& node) {
  return node.state == NodeState::kReady || node.state == NodeState::kSuspect ||
         node.state == NodeState::kJoined || node.state == NodeState::kReconciling;
}

// A live booking of the node in the same time that a reservation cannot share it with.
const Booking* FindConflict(const Cluster& cluster, const Booking& asked, NodeId node) {
  for (const auto& [id, other] : cluster.bookings()) {
    const bool ours = other.kind == BookingKind::kReservation && other.tenant == asked.tenant;
    if (!other.ended && !ours && other.from < asked.to && asked.from < other.to &&
        std::binary_search(other.nodes.begin(), other.nodes.end(), node)) {
      return &other;
    }
  }
  return nullptr;
}

// Of the jobs that a reservation does not want there, the one that may stay longest.
const Job* LastForeigner(const Step& step, const Booking& asked, NodeId node) {
  const Job* last = nullptr;
  for (AllocationId id : step.cluster.AllocationsOn(node)) {
    const Job& job = step.cluster.GetJob(step.cluster.GetAllocation(id).job);
    const bool own = asked.tenant && job.spec.tenant == asked.tenant;
    if (!own && (last == nullptr || LatestEnd(*last, step.now) < LatestEnd(job, step.now))) {
      last = &job;
    }
  }
  return last;
}

absl::Time FreeAt(const Step& step, const Booking& asked, NodeId node) {
  const Job* job = LastForeigner(step, asked, node);
  return job == nullptr ? absl::InfinitePast() : LatestEnd(*job, step.now);
}

absl::Status CheckReservation(const Step& step, const Booking& asked) {
  for (NodeId id : asked.nodes) {
    const std::string& name = step.cluster.GetNode(id).name;
    if (const Booking* other = FindConflict(step.cluster, asked, id); other != nullptr) {
      return Taken(absl::StrFormat("node %s is booked from %s to %s", name, UtcText(other->from),
                                   UtcText(other->to)),
                   absl::StrFormat("booking %d, a %s", other->id.value(), Name(other->kind)));
    }
    const Job* job = LastForeigner(step, asked, id);
    if (job != nullptr && LatestEnd(*job, step.now) > asked.from) {
      return Taken(
          absl::StrFormat("node %s is not surely free at %s", name, UtcText(asked.from)),
          absl::StrFormat("job %d of tenant \"%s\" may run there until %s", job->id.value(),
                          step.cluster.quota().FindTenant(job->spec.tenant)->name,
                          UtcText(LatestEnd(*job, step.now))));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NodeId>> FindNodes(const Cluster& cluster,
                                              const std::vector<std::string>& names) {
  std::set<NodeId> nodes;
  for (const std::string& name : names) {
    const Node* node = cluster.FindNodeByName(name);
    if (node == nullptr || node->state == NodeState::kRemoved) {
      return MakeError(absl::StatusCode::kNotFound,
                       {.code = "B2003",
                        .message = absl::StrCat("no node \"", name, "\""),
                        .why = "",
                        .fix = "berth nodes"});
    }
    nodes.insert(node->id);
  }
  return std::vector<NodeId>(nodes.begin(), nodes.end());
}

// Those that become free first.
absl::StatusOr<std::vector<NodeId>> ChooseNodes(const Step& step, const AddBooking& request,
                                                const Booking& asked) {
  const auto device_class = step.cluster.FindClass(request.device_class);
  if (request.node_count < 1 || !device_class.has_value()) {
    return Invalid(absl::StrFormat("%d nodes of class \"%s\" cannot be chosen", request.node_count,
                                   request.device_class),
                   "name the nodes, or say how many of which known class",
                   "--nodes 4 --model CLASS");
  }
  std::vector<std::pair<absl::Time, NodeId>> order;
  for (const auto& [id, node] : step.cluster.nodes()) {
    if (MayBeChosen(node) && step.cluster.free_index().Site(id).Known(*device_class) != 0 &&
        FindConflict(step.cluster, asked, id) == nullptr) {
      order.emplace_back(FreeAt(step, asked, id), id);
    }
  }
  std::sort(order.begin(), order.end());
  if (order.size() < static_cast<size_t>(request.node_count)) {
    return Taken(absl::StrFormat("%d nodes of %s are asked for, %d can be booked then",
                                 request.node_count, request.device_class, order.size()),
                 "others are booked, drained, or not there");
  }
  std::vector<NodeId> nodes;
  for (int i = 0; i < request.node_count; ++i) {
    nodes.push_back(order[i].second);
  }
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

absl::StatusOr<Booking> ResolveBooking(const Step& step, const Actor& actor,
                                       const AddBooking& request) {
  Booking booking;
  booking.kind = request.kind;
  booking.from = std::max(request.from, step.now);
  booking.to = request.to;
  booking.reason = request.reason;
  booking.by = actor.user;
  const bool reservation = request.kind == BookingKind::kReservation;
  if (booking.to <= booking.from || booking.to == absl::InfiniteFuture()) {
    return Invalid("a booking ends after it begins, and after now",
                   absl::StrCat("from ", UtcText(booking.from), " to ", UtcText(booking.to)), "");
  }
  if (reservation == request.tenant.empty()) {
    return Invalid("a reservation is for a tenant, maintenance for nobody", "",
                   reservation ? "add --tenant NAME" : "leave out --tenant");
  }
  if (reservation) {
    ASSIGN_OR_RETURN(const Tenant* tenant, FindVisibleTenant(step.cluster, actor, request.tenant));
    booking.tenant = tenant->id;
  }
  if (!request.nodes.empty()) {
    ASSIGN_OR_RETURN(booking.nodes, FindNodes(step.cluster, request.nodes));
  } else {
    ASSIGN_OR_RETURN(booking.nodes, ChooseNodes(step, request, booking));
  }
  if (reservation) {
    RETURN_IF_ERROR(CheckReservation(step, booking));
  }
  return booking;
}

// Nodes that this and other bookings take from everybody but the booking's own tenant, at some time
// within it.
std::set<NodeId> ClosedNodes(const Cluster& cluster, const Booking& booking) {
  std::set<NodeId> closed(booking.nodes.begin(), booking.nodes.end());
  for (const auto& [id, other] : cluster.bookings()) {
    if (!other.ended && other.from < booking.to && booking.from < other.to) {
      closed.insert(other.nodes.begin(), other.nodes.end());
    }
  }
  return closed;
}

// Owners who could not all get what they own meanwhile, each with its share of what is left.
void AddEntitlementsAtRisk(const Cluster& cluster, const Booking& booking,
                           std::vector<std::string>& notes) {
  std::map<ClassId, int64_t> closed;
  for (NodeId node : ClosedNodes(cluster, booking)) {
    for (const ClassDevices& devices : cluster.free_index().Site(node).classes) {
      closed[devices.device_class] += CountDevices(devices.known);
    }
  }
  for (const auto& [device_class, count] : closed) {
    const int64_t left = cluster.KnownDevices(device_class) - count;
    int64_t owned = 0;
    for (const auto& [id, tenant] : cluster.quota().tenants()) {
      owned += id == booking.tenant
                   ? 0
                   : cluster.quota().Limits({id, ProjectId(), device_class}).entitlement;
    }
    for (const auto& [id, tenant] : cluster.quota().tenants()) {
      const int64_t own = cluster.quota().Limits({id, ProjectId(), device_class}).entitlement;
      if (owned > left && own > 0 && id != booking.tenant) {
        notes.push_back(absl::StrFormat(
            "tenant \"%s\" owns %d %s, of which %d can be had at the same time as the others'",
            tenant.name, own, cluster.ClassName(device_class), own * left / owned));
      }
    }
  }
}

void AddJobs(const Step& step, const Booking& booking, Outcome& outcome) {
  const std::set<JobId> jobs = OverlappingJobs(step.cluster, booking, step.now);
  outcome.jobs.assign(jobs.begin(), jobs.end());
  const bool stops = booking.kind == BookingKind::kMaintenance;
  for (size_t i = 0; i < std::min(jobs.size(), kJobsNamedMax); ++i) {
    const Job& job = step.cluster.GetJob(outcome.jobs[i]);
    const absl::Time stop = std::max(booking.from - job.spec.grace, step.now);
    outcome.notes.push_back(absl::StrFormat(
        "job %d of tenant \"%s\" may run until %s%s", job.id.value(),
        step.cluster.quota().FindTenant(job.spec.tenant)->name, UtcText(LatestEnd(job, step.now)),
        stops ? absl::StrCat(": it is asked to stop at ", UtcText(stop)) : ""));
  }
  if (jobs.size() > kJobsNamedMax) {
    outcome.notes.push_back(absl::StrFormat("and %d jobs more", jobs.size() - kJobsNamedMax));
  }
}

void AddDevices(const Cluster& cluster, const Booking& booking, std::vector<std::string>& notes) {
  std::map<ClassId, int64_t> devices;
  for (NodeId node : booking.nodes) {
    for (const ClassDevices& known : cluster.free_index().Site(node).classes) {
      devices[known.device_class] += CountDevices(known.known);
    }
  }
  const bool closes = booking.kind == BookingKind::kMaintenance;
  for (const auto& [device_class, count] : devices) {
    notes.push_back(absl::StrFormat(
        "%s %d of %d %s on %d %s from %s to %s", closes ? "closes" : "keeps", count,
        cluster.KnownDevices(device_class), cluster.ClassName(device_class), booking.nodes.size(),
        booking.nodes.size() == 1 ? "node" : "nodes", UtcText(booking.from), UtcText(booking.to)));
  }
}

}  // namespace

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const AddBooking& request) {
  RETURN_IF_ERROR(CheckOperator(actor));
  ASSIGN_OR_RETURN(Booking booking, ResolveBooking(step, actor, request));
  Outcome outcome;
  outcome.tenant = booking.tenant;
  AddDevices(step.cluster, booking, outcome.notes);
  AddJobs(step, booking, outcome);
  AddEntitlementsAtRisk(step.cluster, booking, outcome.notes);
  if (!request.dry_run) {
    outcome.booking = step.cluster.AddBooking(std::move(booking), step.now);
  }
  return outcome;
}

absl::StatusOr<Outcome> HandleRequest(const Step& step, const Actor& actor,
                                      const EndBooking& request) {
  RETURN_IF_ERROR(CheckOperator(actor));
  const auto booking = step.cluster.bookings().find(request.booking);
  if (booking == step.cluster.bookings().end() || booking->second.ended) {
    return MakeError(absl::StatusCode::kNotFound,
                     {.code = "B2005",
                      .message = absl::StrFormat("no booking %d", request.booking.value()),
                      .why = "it is over, or there never was one",
                      .fix = "berth maintenance list; berth reserve list"});
  }
  Outcome outcome;
  outcome.booking = request.booking;
  outcome.tenant = booking->second.tenant;
  step.cluster.EndBooking(request.booking, step.now);
  return outcome;
}

}  // namespace berth
