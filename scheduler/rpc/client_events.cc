#include "scheduler/rpc/client_events.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

#include "common/status_macros.h"
#include "scheduler/convert.h"
#include "scheduler/convert_text.h"
#include "scheduler/core/names.h"

namespace berth {
namespace {

constexpr size_t kReasonBytesMax = 256;
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

}  // namespace

absl::StatusOr<UserEvent> ToEvent(const v1::CancelJobRequest& request) {
  RETURN_IF_ERROR(CheckPlainText("reason", request.reason(), kReasonBytesMax));
  return CancelJob{
      .job = JobId(request.job_id()), .reason = request.reason(), .now = request.now()};
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
  return SetQuota{.tenant = request.tenant(),
                  .project = request.project(),
                  .device_class = request.device_class(),
                  .limits = limits,
                  .allow_oversell = request.allow_oversell(),
                  .dry_run = request.dry_run()};
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

}  // namespace berth
