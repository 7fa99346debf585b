// What became of a job's attempts, and what was promised and taken back: attempts, certificates,
// bookings.

#include <string>

#include "scheduler/convert.h"
#include "scheduler/convert_enums.h"
#include "scheduler/convert_names.h"

namespace berth {
namespace {

static_assert(SameEnum<v1::Funding>(Funding::kBorrowed) == v1::FUNDING_BORROWED);
static_assert(SameEnum<v1::EndReason>(EndReason::kIdle) == v1::END_REASON_IDLE);
static_assert(RaiseEnum<v1::BookingKind>(BookingKind::kMaintenance) ==
              v1::BOOKING_KIND_MAINTENANCE);
static_assert(RaiseEnum<v1::BookingKind>(BookingKind::kReservation) ==
              v1::BOOKING_KIND_RESERVATION);

// What a tenant's people learn of the others: that they are.
constexpr char kAnotherTenant[] = "another tenant";

std::string VisibleTenant(TenantId tenant, const Actor& actor, const Cluster& cluster) {
  return actor.MaySee(tenant) ? TenantName(tenant, cluster) : kAnotherTenant;
}

v1::ReclaimCandidate ToProto(const ReclaimCandidate& candidate, const Actor& actor,
                             const Cluster& cluster) {
  v1::ReclaimCandidate message;
  message.set_job_id(actor.MaySee(candidate.tenant) ? candidate.job.value() : 0);
  message.set_tenant(VisibleTenant(candidate.tenant, actor, cluster));
  message.set_attempt(candidate.attempt);
  message.set_devices(candidate.devices);
  message.set_members(candidate.members);
  message.set_shrink(candidate.shrink);
  message.set_chosen(candidate.chosen);
  message.set_tenant_excess(candidate.tenant_excess);
  message.set_tenant_weight(candidate.tenant_weight);
  message.set_priority(candidate.priority);
  message.set_lost_work_ms(absl::ToInt64Milliseconds(candidate.lost_work));
  message.set_started_at_us(Micros(candidate.started_at));
  message.set_notice_ms(absl::ToInt64Milliseconds(candidate.notice));
  return message;
}

}  // namespace

v1::JobEnd ToProto(const JobEnd& end) {
  v1::JobEnd message;
  message.set_reason(SameEnum<v1::EndReason>(end.reason));
  message.set_exit_code(end.exit_code);
  message.set_signal(end.signal);
  message.set_failed_rank(end.failed_rank);
  message.set_message(end.message);
  return message;
}

v1::JobNotice ToProto(const JobNotice& notice) {
  v1::JobNotice message;
  message.set_text(notice.text);
  message.set_at_us(Micros(notice.at));
  message.set_checkpoint(notice.checkpoint);
  if (notice.progress_milli.has_value()) {
    message.set_progress_milli(*notice.progress_milli);
  }
  return message;
}

v1::Attempt ToProto(const Attempt& attempt, const Cluster& cluster) {
  v1::Attempt message;
  message.set_number(attempt.number);
  message.set_funding(SameEnum<v1::Funding>(attempt.funding));
  message.set_device_class(cluster.ClassName(attempt.device_class));
  message.set_created_at_us(Micros(attempt.created_at));
  message.set_started_at_us(Micros(attempt.started_at));
  message.set_ended_at_us(Micros(attempt.ended_at));
  message.set_checkpoint_at_us(Micros(attempt.checkpoint_at));
  if (attempt.notice != nullptr) {
    *message.mutable_notice() = ToProto(*attempt.notice);
  }
  *message.mutable_end() = ToProto(attempt.end);
  return message;
}

v1::Reclaim ToProto(const Reclaim& reclaim, const Actor& actor, const Cluster& cluster) {
  v1::Reclaim message;
  message.set_id(reclaim.id.value());
  message.set_at_us(Micros(reclaim.at));
  message.set_claim_job_id(actor.MaySee(reclaim.tenant) ? reclaim.claim.value() : 0);
  message.set_tenant(VisibleTenant(reclaim.tenant, actor, cluster));
  message.set_device_class(cluster.ClassName(reclaim.device_class));
  message.set_within_tenant(reclaim.within_tenant);
  message.set_nodes(reclaim.nodes);
  message.set_devices_per_node(reclaim.devices_per_node);
  message.set_entitlement(reclaim.entitlement);
  message.set_used(reclaim.used);
  message.set_free_devices(reclaim.free_devices);
  message.set_lost_device_seconds(reclaim.lost_device_seconds);
  for (const ReclaimCandidate& candidate : reclaim.candidates) {
    *message.add_candidates() = ToProto(candidate, actor, cluster);
  }
  message.set_due_us(Micros(reclaim.due));
  message.set_settled_at_us(Micros(reclaim.settled_at));
  message.set_given_up(reclaim.settled_at == absl::InfiniteFuture());
  return message;
}

v1::Booking ToProto(const Booking& booking, const Cluster& cluster) {
  v1::Booking message;
  message.set_id(booking.id.value());
  message.set_kind(RaiseEnum<v1::BookingKind>(booking.kind));
  message.set_tenant(TenantName(booking.tenant, cluster));
  for (const NodeId node : booking.nodes) {
    message.add_nodes(NodeName(node, cluster));
  }
  message.set_from_us(Micros(booking.from));
  message.set_to_us(Micros(booking.to));
  message.set_reason(booking.reason);
  message.set_user(UserName(booking.by, cluster));
  message.set_ended(booking.ended);
  return message;
}

}  // namespace berth
