#include "scheduler/rpc/permissions.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/error_detail.h"
#include "proto/agent_api.pb.h"
#include "proto/client_api.pb.h"

namespace berth {
namespace {

constexpr Role kRoles[] = {Role::kMember, Role::kTenantAdmin, Role::kAuditor, Role::kOperator,
                           Role::kNode};

std::vector<std::string> MethodsOf(const google::protobuf::FileDescriptor& file) {
  std::vector<std::string> methods;
  for (int i = 0; i < file.service_count(); ++i) {
    for (int j = 0; j < file.service(i)->method_count(); ++j) {
      methods.push_back(file.service(i)->name() + "." + file.service(i)->method(j)->name());
    }
  }
  return methods;
}

std::vector<std::string> AllMethods() {
  std::vector<std::string> methods = MethodsOf(*v1::PingRequest::descriptor()->file());
  for (const std::string& method : MethodsOf(*v1::Hello::descriptor()->file())) {
    methods.push_back(method);
  }
  return methods;
}

// A method without a row would be denied to everybody; that must be a decision, not an oversight.
TEST(Permissions, EveryMethodHasARow) {
  ASSERT_GT(AllMethods().size(), 25u);
  for (const std::string& method : AllMethods()) {
    EXPECT_TRUE(HasPermissionRow(method)) << method;
  }
}

TEST(Permissions, WhatIsNotInTheTableIsDenied) {
  for (const Role role : kRoles) {
    EXPECT_FALSE(IsAllowed("Client.Sudo", role));
    EXPECT_FALSE(IsAllowed("", role));
    EXPECT_FALSE(IsAllowed("Client.SubmitJobX", role));
    EXPECT_FALSE(IsAllowed("LocalAdmin.Bootstrap", role));
  }
}

TEST(Permissions, NodesAndPeopleShareNoMethod) {
  for (const std::string& method : AllMethods()) {
    const bool is_agents = method.rfind("Agent.", 0) == 0;
    EXPECT_EQ(IsAllowed(method, Role::kNode), is_agents) << method;
    if (is_agents) {
      EXPECT_FALSE(IsAllowed(method, Role::kOperator)) << method;
      EXPECT_FALSE(IsAllowed(method, Role::kMember)) << method;
    }
    EXPECT_EQ(IsAllowedToAnyone(method), method == "Client.Ping") << method;
  }
}

TEST(Permissions, AuditorsChangeNothing) {
  for (const char* verb : {"Add", "Set", "Submit", "Cancel", "Hold", "Release", "Create", "Revoke",
                           "Drain", "Undrain", "Confirm", "End"}) {
    for (const std::string& method : AllMethods()) {
      if (method.rfind(std::string("Client.") + verb, 0) == 0) {
        EXPECT_FALSE(IsAllowed(method, Role::kAuditor)) << method;
      }
    }
  }
  EXPECT_FALSE(IsAllowed("Client.StreamLogs", Role::kAuditor));
  EXPECT_FALSE(IsAllowed("Client.EnterJob", Role::kAuditor));
  EXPECT_FALSE(IsAllowed("Client.EnterJob", Role::kNode));
  EXPECT_TRUE(IsAllowed("Client.ListJobs", Role::kAuditor));
}

TEST(Permissions, TheCenterIsTheOperators) {
  for (const char* method : {"Client.AddTenant", "Client.DrainNode", "Client.UndrainNode",
                             "Client.ConfirmNodeDead", "Client.EndLossHold"}) {
    for (const Role role : kRoles) {
      EXPECT_EQ(IsAllowed(method, role), role == Role::kOperator) << method;
    }
  }
  EXPECT_FALSE(IsAllowed("Client.SetQuota", Role::kMember));
  EXPECT_TRUE(IsAllowed("Client.SetQuota", Role::kTenantAdmin));
}

TEST(Permissions, AJobsOwnTokenEntersAndDoesNothingElse) {
  Principal principal;
  principal.job = JobId(17);
  std::vector<std::string> methods = AllMethods();
  methods.emplace_back("Client.Sudo");
  for (const std::string& method : methods) {
    const absl::Status status = Authorize(method, principal);
    if (method == "Client.EnterJob" || method == "Client.ListAllocations") {
      EXPECT_TRUE(status.ok()) << method;
    } else {
      EXPECT_EQ(FindDetail(status)->code, "B7210") << method;
    }
  }
}

TEST(Permissions, ADenialNamesRoleAndCall) {
  Principal principal;
  principal.actor.role = Role::kAuditor;
  const absl::Status status = Authorize("Client.CancelJob", principal);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(status.message().find("auditor"), std::string::npos);
  EXPECT_NE(status.message().find("Client.CancelJob"), std::string::npos);
}

}  // namespace
}  // namespace berth
