#include "scheduler/core/identity.h"

#include <array>

#include "scheduler/core/enum_names.h"

namespace berth {
namespace {

constexpr std::array<const char*, 5> kRoleNames = {"member", "tenant-admin", "auditor", "operator",
                                                   "node"};

}  // namespace

absl::string_view Name(Role role) {
  return NameIn(kRoleNames, role);
}
std::optional<Role> FindRole(absl::string_view name) {
  return FindIn<Role>(kRoleNames, name);
}

}  // namespace berth
