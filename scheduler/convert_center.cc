// The nouns of the center: quotas, tenants, projects, users, tokens.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/convert.h"
#include "scheduler/convert_enums.h"
#include "scheduler/convert_names.h"
#include "scheduler/convert_text.h"

namespace berth {
namespace {

constexpr int64_t kQuotaMax = int64_t{1000} * 1000;

static_assert(RaiseEnum<v1::Role>(Role::kMember) == v1::ROLE_MEMBER);
static_assert(RaiseEnum<v1::Role>(Role::kNode) == v1::ROLE_NODE);
static_assert(RaiseEnum<v1::QueuePreset>(QueuePreset::kEasy) == v1::QUEUE_PRESET_EASY);
static_assert(RaiseEnum<v1::QueuePreset>(QueuePreset::kStepped) == v1::QUEUE_PRESET_STEPPED);

// A block of the level kNone is a whole node.
constexpr std::array<std::pair<TopologyLevel, const char*>, 4> kBlockLevels = {
    {
     {TopologyLevel::kNone, "node"},
     {TopologyLevel::kRack, "rack"},
     {TopologyLevel::kBlock, "block"},
     {TopologyLevel::kPod, "pod"},
     }
};

v1::QuotaLimits ToProto(const QuotaLimits& limits) {
  v1::QuotaLimits message;
  message.set_entitlement(limits.entitlement);
  if (limits.limit.has_value()) {
    message.set_limit(*limits.limit);
  }
  message.set_non_lendable(limits.non_lendable);
  if (limits.weight.has_value()) {
    message.set_weight(*limits.weight);
  }
  message.set_block_level_count(limits.block_count);
  for (const auto& [level, word] : kBlockLevels) {
    if (limits.block_count > 0 && level == limits.block_level) {
      message.set_block_level(word);
    }
  }
  return message;
}

absl::Status ReadBlocks(const v1::QuotaLimits& limits, QuotaLimits& result) {
  if (limits.block_level_count() == 0 && limits.block_level().empty()) {
    return absl::OkStatus();
  }
  if (limits.block_level_count() < 1 || limits.block_level_count() > kQuotaMax) {
    return Refused("B1206",
                   absl::StrCat("an entitlement cannot be ", limits.block_level_count(), " blocks"),
                   absl::StrCat("the least is 1 and the most is ", kQuotaMax),
                   "leave level and number out for an entitlement in devices alone");
  }
  for (const auto& [level, word] : kBlockLevels) {
    if (limits.block_level() == word) {
      result.block_level = level;
      result.block_count = limits.block_level_count();
      return absl::OkStatus();
    }
  }
  return Refused("B1218", absl::StrCat("there is no block level ", Quoted(limits.block_level())),
                 "the levels are node, rack, block and pod", "choose one of them");
}

}  // namespace

v1::QuotaRow ToProto(const QuotaRow& row, const Cluster& cluster) {
  v1::QuotaRow message;
  message.set_tenant(TenantName(row.key.tenant, cluster));
  message.set_project(ProjectName(row.key.project, cluster));
  message.set_device_class(cluster.ClassName(row.key.device_class));
  *message.mutable_limits() = ToProto(row.limits);
  message.set_used(row.use.used());
  message.set_owned(row.use.owned);
  message.set_borrowed(row.use.borrowed);
  message.set_lent(row.lent);
  message.set_pending(row.pending);
  message.set_capacity(row.capacity);
  return message;
}

v1::QuotaEdit ToProto(const QuotaEdit& edit, const Cluster& cluster) {
  v1::QuotaEdit message;
  message.set_tenant(TenantName(edit.key.tenant, cluster));
  message.set_project(ProjectName(edit.key.project, cluster));
  message.set_device_class(cluster.ClassName(edit.key.device_class));
  *message.mutable_limits() = ToProto(edit.limits);
  message.set_effective_at_us(Micros(edit.effective_at));
  message.set_user(UserName(edit.by, cluster));
  return message;
}

v1::Tenant ToProto(const Tenant& tenant) {
  v1::Tenant message;
  message.set_id(tenant.id.value());
  message.set_name(tenant.name);
  message.set_display_name(tenant.display_name);
  message.set_suspended(tenant.suspended);
  message.set_created_at_us(Micros(tenant.created_at));
  message.set_default_time_limit_ms(absl::ToInt64Milliseconds(tenant.default_time_limit));
  message.set_queue_max(tenant.queue_max);
  message.set_queue(RaiseEnum<v1::QueuePreset>(tenant.queue_preset));
  message.set_stepped_timeout_ms(absl::ToInt64Milliseconds(tenant.stepped_timeout));
  return message;
}

v1::Project ToProto(const Project& project, const Cluster& cluster) {
  v1::Project message;
  message.set_id(project.id.value());
  message.set_tenant(TenantName(project.tenant, cluster));
  message.set_name(project.name);
  message.set_created_at_us(Micros(project.created_at));
  return message;
}

v1::User ToProto(const User& user, const Cluster& cluster) {
  v1::User message;
  message.set_id(user.id.value());
  message.set_name(user.name);
  message.set_tenant(TenantName(user.tenant, cluster));
  message.set_role(ToProto(user.role));
  message.set_created_at_us(Micros(user.created_at));
  return message;
}

v1::Token ToProto(const Token& token, const Cluster& cluster) {
  v1::Token message;
  message.set_id(token.id);
  message.set_user(token.node ? NodeName(token.node, cluster) : UserName(token.user, cluster));
  message.set_tenant(TenantName(token.tenant, cluster));
  message.set_role(ToProto(token.role));
  message.set_created_at_us(Micros(token.created_at));
  message.set_expires_at_us(Micros(token.expires_at));
  message.set_revoked(token.revoked);
  return message;
}

absl::StatusOr<QuotaLimits> ToQuotaLimits(const v1::QuotaLimits& limits) {
  const auto is_count = [](int64_t value) { return value >= 0 && value <= kQuotaMax; };
  if (!is_count(limits.entitlement()) || !is_count(limits.limit()) ||
      !is_count(limits.non_lendable()) || !is_count(limits.weight())) {
    return Refused(
        "B1206", "a number of the quota is negative or too large",
        absl::StrCat("entitlement, limit, non-lendable part and weight are 0 to ", kQuotaMax),
        "check the numbers");
  }
  QuotaLimits result;
  result.entitlement = limits.entitlement();
  result.non_lendable = limits.non_lendable();
  if (limits.has_limit()) {
    result.limit = limits.limit();
  }
  if (limits.has_weight()) {
    result.weight = limits.weight();
  }
  RETURN_IF_ERROR(ReadBlocks(limits, result));
  return result;
}

v1::Role ToProto(Role role) {
  return RaiseEnum<v1::Role>(role);
}

std::optional<Role> ToRole(v1::Role role) {
  if (!v1::Role_IsValid(role) || role == v1::ROLE_UNSPECIFIED) {
    return std::nullopt;
  }
  return LowerEnum<Role>(role);
}

}  // namespace berth
