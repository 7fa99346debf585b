#include "scheduler/rpc/permissions.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "common/error_detail.h"

namespace berth {
namespace {

constexpr unsigned Bit(Role role) {
  return 1U << static_cast<unsigned>(role);
}

constexpr unsigned kMember = Bit(Role::kMember);
constexpr unsigned kAdmin = Bit(Role::kTenantAdmin);
constexpr unsigned kAuditor = Bit(Role::kAuditor);
constexpr unsigned kOperator = Bit(Role::kOperator);
constexpr unsigned kNode = Bit(Role::kNode);
constexpr unsigned kAnyone = 1U << 31;   // without a token
constexpr unsigned kSubmits = 1U << 30;  // not for a suspended tenant
constexpr unsigned kOwnJob = 1U << 29;   // also with a job's own token, see CheckOwnJob
constexpr unsigned kPeople = kMember | kAdmin | kAuditor | kOperator;

struct Row {
  const char* rpc;
  unsigned roles;
};

// By name. LocalAdmin is not here for any role: its door is the socket's folder.
constexpr std::array kRows = {
    Row{"Agent.Channel",           kNode                                  },
    Row{"Agent.FetchWorkdir",      kNode                                  },
    Row{"Agent.LogUpload",         kNode                                  },
    Row{"Agent.Session",           kNode                                  },
    Row{"Client.AddBooking",       kOperator                              },
    Row{"Client.AddProject",       kAdmin | kOperator                     },
    Row{"Client.AddTenant",        kOperator                              },
    Row{"Client.AddUser",          kAdmin | kOperator                     },
    Row{"Client.CancelJob",        kMember | kAdmin | kOperator           },
    Row{"Client.ConfirmNodeDead",  kOperator                              },
    Row{"Client.CreateToken",      kMember | kAdmin | kOperator           },
    Row{"Client.DrainNode",        kOperator                              },
    Row{"Client.EndBooking",       kOperator                              },
    Row{"Client.EndLossHold",      kOperator                              },
    Row{"Client.EnterJob",         kMember | kAdmin | kOperator | kOwnJob },
    Row{"Client.ExplainJob",       kPeople                                },
    Row{"Client.FindArrayTask",    kPeople                                },
    Row{"Client.GetJob",           kPeople                                },
    Row{"Client.GetQuota",         kPeople                                },
    Row{"Client.HoldJob",          kMember | kAdmin | kOperator           },
    Row{"Client.ListAllocations",  kPeople | kOwnJob                      },
    Row{"Client.ListBookings",     kPeople                                },
    Row{"Client.ListJobs",         kPeople                                },
    Row{"Client.ListNodes",        kPeople                                },
    Row{"Client.ListProjects",     kPeople                                },
    Row{"Client.ListTenants",      kPeople                                },
    Row{"Client.ListTokens",       kPeople                                },
    Row{"Client.ListUsers",        kAdmin | kAuditor | kOperator          },
    Row{"Client.NotifyCheckpoint", kMember | kAdmin | kOperator           },
    Row{"Client.Ping",             kAnyone | kPeople                      },
    Row{"Client.ReleaseJob",       kMember | kAdmin | kOperator           },
    Row{"Client.RequeueJob",       kMember | kAdmin | kOperator           },
    Row{"Client.RevokeToken",      kMember | kAdmin | kOperator           },
    Row{"Client.SetQuota",         kAdmin | kOperator                     },
    Row{"Client.SetTenantQueue",   kOperator                              },
    Row{"Client.StreamLogs",       kMember | kAdmin | kOperator           },
    Row{"Client.SubmitJob",        kMember | kAdmin | kOperator | kSubmits},
    Row{"Client.SubmitJobs",       kMember | kAdmin | kOperator | kSubmits},
    Row{"Client.SuspendTenant",    kOperator                              },
    Row{"Client.UndrainNode",      kOperator                              },
    Row{"Client.UpdateJob",        kMember | kAdmin | kOperator           },
    Row{"Client.UploadWorkdir",    kMember | kAdmin | kOperator | kSubmits},
    Row{"Client.WaitJob",          kPeople                                },
    Row{"Client.WhoAmI",           kPeople                                },
    Row{"LocalAdmin.Bootstrap",    0                                      },
    Row{"LocalAdmin.GetStatus",    0                                      },
    Row{"LocalAdmin.MakeBackup",   0                                      },
    Row{"LocalAdmin.Resume",       0                                      },
    Row{"LocalAdmin.VerifyAudit",  0                                      },
};

const Row* FindRow(absl::string_view rpc) {
  const auto* row = std::lower_bound(kRows.begin(), kRows.end(), rpc,
                                     [](const Row& a, absl::string_view b) { return a.rpc < b; });
  return row != kRows.end() && row->rpc == rpc ? row : nullptr;
}

// "tenant-admin or operator", of people.
std::string RolesThatMay(unsigned roles) {
  std::vector<absl::string_view> names;
  for (const Role role : {Role::kMember, Role::kTenantAdmin, Role::kAuditor, Role::kOperator}) {
    if ((roles & Bit(role)) != 0) {
      names.push_back(Name(role));
    }
  }
  return absl::StrJoin(names, " or ");
}

absl::Status NotForJobs(JobId own, absl::string_view what) {
  return MakeError(
      absl::StatusCode::kPermissionDenied,
      {.code = "B7210",
       .message = absl::StrCat("the token of job ", own.value(), " is not good for ", what),
       .why = "a job's own token enters that job from inside, and nothing else",
       .fix = "name a token of yours: export BERTH_TOKEN_FILE=FILE"});
}

}  // namespace

bool HasPermissionRow(absl::string_view rpc) {
  return FindRow(rpc) != nullptr;
}

bool IsAllowed(absl::string_view rpc, Role role) {
  const Row* row = FindRow(rpc);
  return row != nullptr && (row->roles & Bit(role)) != 0;
}

bool IsAllowedToAnyone(absl::string_view rpc) {
  const Row* row = FindRow(rpc);
  return row != nullptr && (row->roles & kAnyone) != 0;
}

absl::Status Authorize(absl::string_view rpc, const Principal& principal) {
  const Row* row = FindRow(rpc);
  if (principal.job && (row == nullptr || (row->roles & kOwnJob) == 0)) {
    return NotForJobs(principal.job, rpc);
  }
  if (row == nullptr || (row->roles & Bit(principal.actor.role)) == 0) {
    const std::string others = RolesThatMay(row == nullptr ? 0 : row->roles);
    return MakeError(
        absl::StatusCode::kPermissionDenied,
        {.code = "B7201",
         .message = absl::StrCat("the role ", Name(principal.actor.role), " may not call ", rpc),
         .why = "",
         .fix = others.empty() ? "" : absl::StrCat("ask somebody with the role ", others)});
  }
  if ((row->roles & kSubmits) != 0 && principal.tenant_suspended) {
    return MakeError(absl::StatusCode::kPermissionDenied,
                     {.code = "B2201",
                      .message = "your tenant is suspended: it cannot submit jobs",
                      .why = "the center's operator suspended it",
                      .fix = "ask your tenant admin to speak with the center"});
  }
  return absl::OkStatus();
}

absl::Status CheckOwnJob(const Principal& principal, JobId job) {
  return !principal.job || principal.job == job
             ? absl::OkStatus()
             : NotForJobs(principal.job, job ? "another job" : "other jobs");
}

}  // namespace berth
