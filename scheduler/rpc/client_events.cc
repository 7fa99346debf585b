#include "scheduler/rpc/client_events.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

#include "common/status_macros.h"
#include "scheduler/convert.h"
#include "scheduler/convert_array.h"
#include "scheduler/convert_enums.h"
#include "scheduler/convert_gang.h"
#include "scheduler/convert_text.h"
#include "scheduler/core/names.h"

namespace berth {
namespace {

constexpr size_t kReasonBytesMax = 256;
constexpr size_t kJobNameBytesMax = 128;
constexpr int kPriorityMax = 1000;
constexpr int kNodesMax = 4096;
constexpr int kBookedNodesMax = 10 * 1000;
constexpr int kDevicesAskedMax = 64;
constexpr int kClassesMax = 16;
constexpr size_t kDisplayNameBytesMax = 128;
constexpr size_t kTokenIdBytesMax = 32;
constexpr int64_t kQueueMax = int64_t{10} * 1000 * 1000;
constexpr absl::Duration kTimeLimitMax = absl::Hours(24 * 365);
constexpr absl::Duration kLifetimeMax = absl::Hours(24 * 3650);

// "" stands for the caller's own.
absl::Status CheckOptionalName(absl::string_view noun, const std::string& name) {
  return name.empty() ? absl::OkStatus() : CheckName(noun, name);
}

absl::Status CheckDuration(absl::string_view noun, int64_t milliseconds, absl::Duration most) {
  if (milliseconds >= 0 && absl::Milliseconds(milliseconds) <= most) {
    return absl::OkStatus();
  }
  return Refused("B1224", absl::StrCat(noun, " cannot be ", milliseconds, " ms"),
                 absl::StrCat("the most is ", absl::ToInt64Milliseconds(most), " ms"),
                 "leave it out for the default");
}

absl::Status CheckMoment(absl::string_view noun, int64_t micros) {
  return CheckRange(absl::StrCat(noun, " in microseconds since 1970"), micros, 0, kTimeMicrosMax);
}

}  // namespace

absl::StatusOr<UserEvent> ToEvent(const v1::CancelJobRequest& request) {
  RETURN_IF_ERROR(CheckPlainText("reason", request.reason(), kReasonBytesMax));
  CancelJob event{.job = JobId(request.job_id()), .reason = request.reason(), .now = request.now()};
  if (request.array_id() != 0 || request.tasks_size() > 0) {
    event.job = JobId(request.array_id());
    ASSIGN_OR_RETURN(event.tasks, ToIndexRanges(request.tasks()));
  }
  return event;
}

absl::StatusOr<UserEvent> ToEvent(const v1::HoldJobRequest& request) {
  return HoldJob{.job = JobId(request.job_id())};
}

absl::StatusOr<UserEvent> ToEvent(const v1::ReleaseJobRequest& request) {
  return ReleaseJob{.job = JobId(request.job_id())};
}

absl::StatusOr<UserEvent> ToEvent(const v1::DrainNodeRequest& request) {
  RETURN_IF_ERROR(CheckName("node", request.name()));
  RETURN_IF_ERROR(CheckPlainText("reason", request.reason(), kReasonBytesMax));
  return DrainNode{.node = request.name(), .reason = request.reason()};
}

absl::StatusOr<UserEvent> ToEvent(const v1::UndrainNodeRequest& request) {
  RETURN_IF_ERROR(CheckName("node", request.name()));
  return UndrainNode{.node = request.name()};
}

absl::StatusOr<UserEvent> ToEvent(const v1::ConfirmNodeDeadRequest& request) {
  RETURN_IF_ERROR(CheckName("node", request.name()));
  RETURN_IF_ERROR(CheckPlainText("reason", request.reason(), kReasonBytesMax));
  return ConfirmNodeDead{.node = request.name(), .reason = request.reason()};
}

absl::StatusOr<UserEvent> ToEvent(const v1::EndLossHoldRequest& request) {
  if (!request.name().empty()) {
    RETURN_IF_ERROR(CheckName("node", request.name()));
  }
  return EndLossHold{.node = request.name()};
}

absl::StatusOr<UserEvent> ToEvent(const v1::AddTenantRequest& request) {
  RETURN_IF_ERROR(CheckName("tenant", request.name()));
  RETURN_IF_ERROR(CheckPlainText("display name", request.display_name(), kDisplayNameBytesMax));
  RETURN_IF_ERROR(
      CheckDuration("the default time limit", request.default_time_limit_ms(), kTimeLimitMax));
  if (request.queue_max() < 0 || request.queue_max() > kQueueMax) {
    return Refused("B1206",
                   absl::StrCat("a tenant cannot have ", request.queue_max(), " pending jobs"),
                   absl::StrCat("the most is ", kQueueMax), "leave it out for the default");
  }
  return AddTenant{.name = request.name(),
                   .display_name = request.display_name(),
                   .default_time_limit = absl::Milliseconds(request.default_time_limit_ms()),
                   .queue_max = request.queue_max()};
}

absl::StatusOr<UserEvent> ToEvent(const v1::AddProjectRequest& request) {
  RETURN_IF_ERROR(CheckOptionalName("tenant", request.tenant()));
  RETURN_IF_ERROR(CheckName("project", request.name()));
  return AddProject{.tenant = request.tenant(), .name = request.name()};
}

absl::StatusOr<UserEvent> ToEvent(const v1::AddUserRequest& request) {
  RETURN_IF_ERROR(CheckOptionalName("tenant", request.tenant()));
  RETURN_IF_ERROR(CheckName("user", request.name()));
  const bool by_default = request.role() == v1::ROLE_UNSPECIFIED;
  const std::optional<Role> role = by_default ? Role::kMember : ToRole(request.role());
  if (!role.has_value() || *role == Role::kNode) {
    return Refused("B1218", "a user cannot have this role",
                   "the roles are member, tenant-admin, auditor and operator",
                   "for a node's agent make a token: berth token create --node NAME");
  }
  return AddUser{.name = request.name(), .tenant = request.tenant(), .role = *role};
}

absl::StatusOr<UserEvent> ToEvent(const v1::RevokeTokenRequest& request) {
  RETURN_IF_ERROR(CheckPlainText("token id", request.id(), kTokenIdBytesMax));
  return RevokeToken{.id = request.id()};
}

absl::StatusOr<UserEvent> ToEvent(const v1::SetQuotaRequest& request) {
  RETURN_IF_ERROR(CheckOptionalName("tenant", request.tenant()));
  RETURN_IF_ERROR(CheckOptionalName("project", request.project()));
  RETURN_IF_ERROR(CheckName("device class", request.device_class()));
  ASSIGN_OR_RETURN(QuotaLimits limits, ToQuotaLimits(request.limits()));
  RETURN_IF_ERROR(CheckMoment("the time of the change", request.effective_at_us()));
  return SetQuota{.tenant = request.tenant(),
                  .project = request.project(),
                  .device_class = request.device_class(),
                  .limits = limits,
                  .allow_oversell = request.allow_oversell(),
                  .dry_run = request.dry_run(),
                  .effective_at = request.effective_at_us() == 0
                                      ? absl::InfinitePast()
                                      : absl::FromUnixMicros(request.effective_at_us())};
}

absl::StatusOr<AddToken> ToAddToken(const v1::CreateTokenRequest& request) {
  RETURN_IF_ERROR(CheckOptionalName("user", request.user()));
  RETURN_IF_ERROR(CheckOptionalName("tenant", request.tenant()));
  RETURN_IF_ERROR(CheckOptionalName("node", request.node()));
  RETURN_IF_ERROR(CheckDuration("the lifetime", request.lifetime_ms(), kLifetimeMax));
  if (!request.node().empty() && !request.user().empty()) {
    return Refused("B1219", "a token is either a user's or a node's", "both were named",
                   "name only one of them");
  }
  AddToken event;
  event.user = request.user();
  event.tenant = request.tenant();
  event.node = request.node();
  event.lifetime = absl::Milliseconds(request.lifetime_ms());
  return event;
}

absl::StatusOr<UserEvent> ToEvent(const v1::UpdateJobRequest& request) {
  return ToUpdateJob(request);
}

absl::StatusOr<UpdateJob> ToUpdateJob(const v1::UpdateJobRequest& request) {
  UpdateJob event{.job = JobId(request.job_id())};
  if (request.has_time_limit_ms()) {
    RETURN_IF_ERROR(CheckRange("the time limit in milliseconds", request.time_limit_ms(), 1,
                               absl::ToInt64Milliseconds(kTimeLimitMax)));
    event.time_limit = absl::Milliseconds(request.time_limit_ms());
  }
  if (request.has_priority()) {
    RETURN_IF_ERROR(CheckRange("the priority", request.priority(), -kPriorityMax, kPriorityMax));
    event.priority = request.priority();
  }
  if (request.has_nodes()) {
    RETURN_IF_ERROR(CheckRange("the number of nodes", request.nodes(), 1, kNodesMax));
    event.nodes = request.nodes();
  }
  if (request.has_devices_per_node()) {
    RETURN_IF_ERROR(CheckRange("the number of devices per node", request.devices_per_node(), 0,
                               kDevicesAskedMax));
    event.devices_per_node = request.devices_per_node();
  }
  if (request.has_no_borrow()) {
    event.may_borrow = !request.no_borrow();
  }
  if (request.has_name()) {
    RETURN_IF_ERROR(CheckPlainText("job's name", request.name(), kJobNameBytesMax));
    if (request.name().empty()) {
      return Refused("B1225", "a job's name cannot be empty", "", "leave it out to keep the name");
    }
    event.name = request.name();
  }
  if (request.device_classes_size() > 0) {
    RETURN_IF_ERROR(
        CheckRange("the number of device classes", request.device_classes_size(), 0, kClassesMax));
    for (const std::string& name : request.device_classes()) {
      RETURN_IF_ERROR(CheckName("device class", name));
    }
    event.device_classes = {request.device_classes().begin(), request.device_classes().end()};
  }
  return event;
}

absl::StatusOr<UserEvent> ToEvent(const v1::RequeueJobRequest& request) {
  RETURN_IF_ERROR(CheckPlainText("reason", request.reason(), kReasonBytesMax));
  return RequeueRunningJob{.job = JobId(request.job_id()), .reason = request.reason()};
}

absl::StatusOr<UserEvent> ToEvent(const v1::NotifyCheckpointRequest& request) {
  // The engine takes the present for a time to come.
  return NoteCheckpoint{.job = JobId(request.job_id()), .at = absl::InfiniteFuture()};
}

absl::StatusOr<UserEvent> ToEvent(const v1::SetTenantQueueRequest& request) {
  RETURN_IF_ERROR(CheckName("tenant", request.tenant()));
  if (!v1::QueuePreset_IsValid(request.queue()) ||
      request.queue() == v1::QUEUE_PRESET_UNSPECIFIED) {
    return Refused("B1218", "there is no such queue",
                   "the queues are easy, fifo, traverse, stepped", "choose one of them");
  }
  RETURN_IF_ERROR(
      CheckDuration("the timeout of a stepped queue", request.stepped_timeout_ms(), kTimeLimitMax));
  SetTenantQueue event{.tenant = request.tenant(),
                       .preset = LowerEnum<QueuePreset>(request.queue())};
  if (request.stepped_timeout_ms() > 0) {
    event.stepped_timeout = absl::Milliseconds(request.stepped_timeout_ms());
  }
  return event;
}

absl::StatusOr<UserEvent> ToEvent(const v1::SuspendTenantRequest& request) {
  RETURN_IF_ERROR(CheckName("tenant", request.tenant()));
  return SuspendTenant{.tenant = request.tenant(), .suspended = request.suspended()};
}

absl::StatusOr<UserEvent> ToEvent(const v1::AddBookingRequest& request) {
  if (!v1::BookingKind_IsValid(request.kind()) || request.kind() == v1::BOOKING_KIND_UNSPECIFIED) {
    return Refused("B1218", "there is no such kind of booking",
                   "the kinds are maintenance and reservation", "choose one of them");
  }
  RETURN_IF_ERROR(CheckOptionalName("tenant", request.tenant()));
  RETURN_IF_ERROR(CheckOptionalName("device class", request.device_class()));
  RETURN_IF_ERROR(CheckPlainText("reason", request.reason(), kReasonBytesMax));
  RETURN_IF_ERROR(CheckRange("the number of nodes", request.node_count(), 0, kBookedNodesMax));
  RETURN_IF_ERROR(CheckRange("the number of nodes", request.nodes_size(), 0, kBookedNodesMax));
  for (const std::string& name : request.nodes()) {
    RETURN_IF_ERROR(CheckName("node", name));
  }
  RETURN_IF_ERROR(CheckMoment("the begin", request.from_us()));
  RETURN_IF_ERROR(CheckMoment("the end", request.to_us()));
  return AddBooking{
      .kind = LowerEnum<BookingKind>(request.kind()),
      .tenant = request.tenant(),
      .nodes = {request.nodes().begin(), request.nodes().end()},
      .node_count = request.node_count(),
      .device_class = request.device_class(),
      .from = absl::FromUnixMicros(request.from_us()),
      .to = absl::FromUnixMicros(request.to_us()),
      .reason = request.reason(),
      .dry_run = request.dry_run()
  };
}

absl::StatusOr<UserEvent> ToEvent(const v1::EndBookingRequest& request) {
  return EndBooking{.booking = BookingId(request.id())};
}

}  // namespace berth
