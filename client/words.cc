#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "client/views.h"

namespace berth {
namespace {

// People know fewer states than the scheduler.
constexpr std::pair<v1::JobState, const char*> kJobStates[] = {
    {v1::JOB_STATE_HELD,              "held"             },
    {v1::JOB_STATE_QUEUED,            "pending"          },
    {v1::JOB_STATE_DISPATCHING,       "starting"         },
    {v1::JOB_STATE_STARTING,          "starting"         },
    {v1::JOB_STATE_RUNNING,           "running"          },
    {v1::JOB_STATE_WAIT_NODE,         "running"          },
    {v1::JOB_STATE_STOPPING,          "stopping"         },
    {v1::JOB_STATE_SUCCEEDED,         "succeeded"        },
    {v1::JOB_STATE_FAILED,            "failed"           },
    {v1::JOB_STATE_CANCELLED,         "cancelled"        },
    {v1::JOB_STATE_TIMED_OUT,         "timeout"          },
    {v1::JOB_STATE_DEPENDENCY_FAILED, "dependency-failed"},
};

constexpr v1::Role kRoles[] = {v1::ROLE_MEMBER, v1::ROLE_TENANT_ADMIN, v1::ROLE_AUDITOR,
                               v1::ROLE_OPERATOR, v1::ROLE_NODE};

// "NODE_STATE_READY" without "NODE_STATE_" -> "ready"
std::string Kebab(const std::string& name, absl::string_view prefix) {
  if (name.size() <= prefix.size()) {
    return "unknown";
  }
  return absl::StrReplaceAll(absl::AsciiStrToLower(name.substr(prefix.size())), {
                                                                                    {"_", "-"}
  });
}

}  // namespace

std::string JobStateWord(v1::JobState state) {
  for (const auto& [known, word] : kJobStates) {
    if (known == state) {
      return word;
    }
  }
  return "unknown";
}

std::vector<v1::JobState> JobStatesOfWord(absl::string_view word) {
  std::vector<v1::JobState> states;
  for (const auto& [state, known] : kJobStates) {
    if (known == word) {
      states.push_back(state);
    }
  }
  return states;
}

std::vector<std::string> JobStateWords() {
  std::vector<std::string> words;
  for (const auto& [state, word] : kJobStates) {
    if (words.empty() || words.back() != word) {
      words.emplace_back(word);
    }
  }
  return words;
}

bool IsWaiting(v1::JobState state) {
  return state == v1::JOB_STATE_QUEUED || state == v1::JOB_STATE_HELD;
}

bool IsEnded(v1::JobState state) {
  return state >= v1::JOB_STATE_SUCCEEDED && state <= v1::JOB_STATE_DEPENDENCY_FAILED;
}

std::string EndReasonWord(v1::EndReason reason) {
  if (reason == v1::END_REASON_DEPENDENCY) {
    return "dependency-failed";
  }
  return Kebab(v1::EndReason_Name(reason), "END_REASON_");
}

std::string DependencyWord(v1::DependencyKind kind) {
  return Kebab(v1::DependencyKind_Name(kind), "DEPENDENCY_KIND_");
}

std::string NodeStateWord(v1::NodeState state) {
  return Kebab(v1::NodeState_Name(state), "NODE_STATE_");
}

std::string RoleWord(v1::Role role) {
  return Kebab(v1::Role_Name(role), "ROLE_");
}

v1::Role RoleOfWord(absl::string_view word) {
  for (const v1::Role role : kRoles) {
    if (RoleWord(role) == word) {
      return role;
    }
  }
  return v1::ROLE_UNSPECIFIED;
}

}  // namespace berth
