#include "scheduler/store/identity_rows.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/status_macros.h"

namespace berth {
namespace {

void BindOptional(Statement& row, const std::optional<int64_t>& value) {
  if (value.has_value()) {
    row.BindInt(*value);
  } else {
    row.BindNull();
  }
}

std::optional<int64_t> ReadOptional(Statement& row) {
  const bool is_null = row.NextIsNull();
  const int64_t value = row.ReadInt();
  return is_null ? std::nullopt : std::make_optional(value);
}

absl::Status SaveClass(Database& database, const DeviceClass& device_class) {
  Statement row = database.Prepare(
      "INSERT INTO device_classes (id, name) VALUES (?, ?) "
      "ON CONFLICT (id) DO UPDATE SET name = excluded.name");
  row.BindId(device_class.id);
  row.BindText(device_class.name);
  return row.Run();
}

absl::Status SaveTenant(Database& database, const Tenant& tenant) {
  Statement row = database.Prepare(
      "INSERT INTO tenants (id, name, display_name, suspended, created_us, default_time_limit_us, "
      "queue_max, queue_preset, stepped_timeout_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
      "display_name = excluded.display_name, suspended = excluded.suspended, "
      "default_time_limit_us = excluded.default_time_limit_us, queue_max = excluded.queue_max, "
      "queue_preset = excluded.queue_preset, stepped_timeout_us = excluded.stepped_timeout_us");
  row.BindId(tenant.id);
  row.BindText(tenant.name);
  row.BindText(tenant.display_name);
  row.BindInt(tenant.suspended ? 1 : 0);
  row.BindTime(tenant.created_at);
  row.BindDuration(tenant.default_time_limit);
  row.BindInt(tenant.queue_max);
  row.BindWord(tenant.queue_preset);
  row.BindDuration(tenant.stepped_timeout);
  return row.Run();
}

absl::Status SaveProject(Database& database, const Project& project) {
  Statement row = database.Prepare(
      "INSERT INTO projects (id, tenant_id, name, created_us) VALUES (?, ?, ?, ?) "
      "ON CONFLICT (id) DO UPDATE SET name = excluded.name");
  row.BindId(project.id);
  row.BindId(project.tenant);
  row.BindText(project.name);
  row.BindTime(project.created_at);
  return row.Run();
}

// The columns of a quota: BindQuota and ReadQuota follow this order.
constexpr char kQuotaColumns[] =
    "tenant_id, project_id, class_id, entitlement, device_limit, non_lendable, weight, "
    "block_level, block_count";

void BindQuota(Statement& row, const QuotaKey& key, const QuotaLimits& limits) {
  row.BindId(key.tenant);
  row.BindInt(static_cast<int64_t>(key.project.value()));
  row.BindId(key.device_class);
  row.BindInt(limits.entitlement);
  BindOptional(row, limits.limit);
  row.BindInt(limits.non_lendable);
  BindOptional(row, limits.weight);
  row.BindWord(limits.block_level);
  row.BindInt(limits.block_count);
}

absl::Status SaveQuota(Database& database, const QuotaRecord& quota) {
  static const std::string sql =
      absl::StrCat("INSERT INTO quotas (", kQuotaColumns,
                   ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
                   "ON CONFLICT (tenant_id, project_id, class_id) DO UPDATE SET "
                   "entitlement = excluded.entitlement, device_limit = excluded.device_limit, "
                   "non_lendable = excluded.non_lendable, weight = excluded.weight, "
                   "block_level = excluded.block_level, block_count = excluded.block_count");
  Statement row = database.Prepare(sql);
  BindQuota(row, quota.key, quota.limits);
  return row.Run();
}

absl::Status InsertQuotaEdit(Database& database, size_t position, const QuotaEdit& edit) {
  static const std::string sql = absl::StrCat("INSERT INTO quota_edits (", kQuotaColumns,
                                              ", position, effective_us, user_id, allow_oversell) "
                                              "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  Statement row = database.Prepare(sql);
  BindQuota(row, edit.key, edit.limits);
  row.BindInt(static_cast<int64_t>(position));
  row.BindTime(edit.effective_at);
  row.BindId(edit.by);
  row.BindInt(edit.allow_oversell ? 1 : 0);
  return row.Run();
}

// Few, and seldom changed: written as a whole.
absl::Status SaveQuotaEdits(Database& database, const std::vector<QuotaEdit>& edits) {
  RETURN_IF_ERROR(database.Prepare("DELETE FROM quota_edits").Run());
  for (size_t i = 0; i < edits.size(); ++i) {
    RETURN_IF_ERROR(InsertQuotaEdit(database, i, edits[i]));
  }
  return absl::OkStatus();
}

absl::Status SaveUser(Database& database, const User& user) {
  Statement row = database.Prepare(
      "INSERT INTO users (id, name, tenant_id, role, created_us) VALUES (?, ?, ?, ?, ?) "
      "ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = excluded.role");
  row.BindId(user.id);
  row.BindText(user.name);
  row.BindId(user.tenant);
  row.BindWord(user.role);
  row.BindTime(user.created_at);
  return row.Run();
}

absl::Status SaveToken(Database& database, const Token& token) {
  Statement row = database.Prepare(
      "INSERT INTO tokens (id, secret_hash, user_id, node_id, tenant_id, role, created_by, "
      "created_us, expires_us, revoked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (id) DO UPDATE SET expires_us = excluded.expires_us, "
      "revoked = excluded.revoked");
  row.BindText(token.id);
  row.BindBlob(token.secret_hash);
  row.BindId(token.user);
  row.BindId(token.node);
  row.BindId(token.tenant);
  row.BindWord(token.role);
  row.BindId(token.created_by);
  row.BindTime(token.created_at);
  row.BindTime(token.expires_at);
  row.BindInt(token.revoked ? 1 : 0);
  return row.Run();
}

template <typename Noun>
absl::Status SaveEach(Database& database, const std::vector<Noun>& nouns,
                      absl::Status (*save)(Database&, const Noun&)) {
  for (const Noun& noun : nouns) {
    RETURN_IF_ERROR(save(database, noun));
  }
  return absl::OkStatus();
}

DeviceClass ReadClass(Statement& row) {
  DeviceClass device_class;
  device_class.id = row.ReadId<ClassId>();
  device_class.name = row.ReadText();
  return device_class;
}

Tenant ReadTenant(Statement& row) {
  Tenant tenant;
  tenant.id = row.ReadId<TenantId>();
  tenant.name = row.ReadText();
  tenant.display_name = row.ReadText();
  tenant.suspended = row.ReadBool();
  tenant.created_at = row.ReadTime();
  tenant.default_time_limit = row.ReadDuration();
  tenant.queue_max = row.ReadInt();
  tenant.queue_preset = row.ReadWord(FindQueuePreset);
  tenant.stepped_timeout = row.ReadDuration();
  return tenant;
}

Project ReadProject(Statement& row) {
  Project project;
  project.id = row.ReadId<ProjectId>();
  project.tenant = row.ReadId<TenantId>();
  project.name = row.ReadText();
  project.created_at = row.ReadTime();
  return project;
}

QuotaRecord ReadQuota(Statement& row) {
  QuotaRecord quota;
  quota.key.tenant = row.ReadId<TenantId>();
  quota.key.project = row.ReadId<ProjectId>();
  quota.key.device_class = row.ReadId<ClassId>();
  quota.limits.entitlement = row.ReadInt();
  quota.limits.limit = ReadOptional(row);
  quota.limits.non_lendable = row.ReadInt();
  quota.limits.weight = ReadOptional(row);
  quota.limits.block_level = row.ReadWord(FindTopologyLevel);
  quota.limits.block_count = row.ReadInt32();
  return quota;
}

QuotaEdit ReadQuotaEdit(Statement& row) {
  const QuotaRecord quota = ReadQuota(row);
  QuotaEdit edit{.key = quota.key, .limits = quota.limits};
  edit.effective_at = row.ReadTime();
  edit.by = row.ReadId<UserId>();
  edit.allow_oversell = row.ReadBool();
  return edit;
}

User ReadUser(Statement& row) {
  User user;
  user.id = row.ReadId<UserId>();
  user.name = row.ReadText();
  user.tenant = row.ReadId<TenantId>();
  user.role = row.ReadWord(FindRole);
  user.created_at = row.ReadTime();
  return user;
}

Token ReadToken(Statement& row) {
  Token token;
  token.id = row.ReadText();
  token.secret_hash = row.ReadText();
  token.user = row.ReadId<UserId>();
  token.node = row.ReadId<NodeId>();
  token.tenant = row.ReadId<TenantId>();
  token.role = row.ReadWord(FindRole);
  token.created_by = row.ReadId<UserId>();
  token.created_at = row.ReadTime();
  token.expires_at = row.ReadTime(absl::InfiniteFuture());
  token.revoked = row.ReadBool();
  return token;
}

template <typename Noun>
absl::Status LoadEach(Statement rows, Noun (*read)(Statement&), std::vector<Noun>& nouns) {
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) {
      return absl::OkStatus();
    }
    nouns.push_back(read(rows));
  }
}

}  // namespace

absl::Status SaveIdentities(Database& database, const Changes& changes) {
  RETURN_IF_ERROR(SaveEach(database, changes.classes, SaveClass));
  RETURN_IF_ERROR(SaveEach(database, changes.tenants, SaveTenant));
  RETURN_IF_ERROR(SaveEach(database, changes.projects, SaveProject));
  RETURN_IF_ERROR(SaveEach(database, changes.quotas, SaveQuota));
  RETURN_IF_ERROR(SaveEach(database, changes.users, SaveUser));
  return changes.quota_edits_changed ? SaveQuotaEdits(database, changes.quota_edits)
                                     : absl::OkStatus();
}

absl::Status SaveTokens(Database& database, const std::vector<Token>& tokens) {
  return SaveEach(database, tokens, SaveToken);
}

absl::Status LoadIdentities(Database& database, Changes& nouns) {
  RETURN_IF_ERROR(LoadEach(database.Prepare("SELECT id, name FROM device_classes ORDER BY id"),
                           ReadClass, nouns.classes));
  RETURN_IF_ERROR(LoadEach(
      database.Prepare("SELECT id, name, display_name, suspended, created_us, "
                       "default_time_limit_us, queue_max, queue_preset, stepped_timeout_us "
                       "FROM tenants ORDER BY id"),
      ReadTenant, nouns.tenants));
  RETURN_IF_ERROR(
      LoadEach(database.Prepare("SELECT id, tenant_id, name, created_us FROM projects ORDER BY id"),
               ReadProject, nouns.projects));
  RETURN_IF_ERROR(LoadEach(
      database.Prepare(absl::StrCat("SELECT ", kQuotaColumns,
                                    " FROM quotas ORDER BY tenant_id, project_id, class_id")),
      ReadQuota, nouns.quotas));
  RETURN_IF_ERROR(LoadEach(
      database.Prepare(absl::StrCat("SELECT ", kQuotaColumns,
                                    ", effective_us, user_id, allow_oversell FROM quota_edits "
                                    "ORDER BY position")),
      ReadQuotaEdit, nouns.quota_edits));
  RETURN_IF_ERROR(LoadEach(
      database.Prepare("SELECT id, name, tenant_id, role, created_us FROM users ORDER BY id"),
      ReadUser, nouns.users));
  return LoadEach(
      database.Prepare("SELECT id, secret_hash, user_id, node_id, tenant_id, role, created_by, "
                       "created_us, expires_us, revoked FROM tokens ORDER BY id"),
      ReadToken, nouns.tokens);
}

}  // namespace berth
