#ifndef BERTH_SCHEDULER_CORE_IDENTITY_H_
#define BERTH_SCHEDULER_CORE_IDENTITY_H_

// Who may ask: users, their tokens, and the caller of one request.

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "scheduler/core/ids.h"

namespace berth {

enum class Role { kMember, kTenantAdmin, kAuditor, kOperator, kNode };

struct User {
  UserId id;
  std::string name;
  TenantId tenant;  // none: the center
  Role role = Role::kMember;
  absl::Time created_at = absl::InfinitePast();
};

struct Token {
  std::string id;           // the public part
  std::string secret_hash;  // SHA-256 of the secret part, 32 raw bytes
  UserId user;              // or
  NodeId node;              // for Role::kNode
  TenantId tenant;
  Role role = Role::kMember;
  UserId created_by;
  absl::Time created_at = absl::InfinitePast();
  absl::Time expires_at = absl::InfiniteFuture();
  bool revoked = false;
};

// The principal behind one request, after authentication.
struct Actor {
  UserId user;
  NodeId node;
  TenantId tenant;  // none: the center
  Role role = Role::kMember;
  std::string token_id;
  std::string user_name;

  bool IsCenter() const { return role == Role::kOperator || role == Role::kAuditor; }
  // Whether another tenant's objects exist for this caller at all.
  bool MaySee(TenantId other) const { return IsCenter() || tenant == other; }
};

absl::string_view Name(Role role);
std::optional<Role> FindRole(absl::string_view name);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_IDENTITY_H_
