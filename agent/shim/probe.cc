#include "agent/shim/probe.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "agent/shim/sandbox.h"
#include "agent/shim/shim_protocol.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

// Some user that nobody is.
constexpr int64_t kNobodysId = 1900000000;

struct Trial {
  const char* facility;
  uint64_t namespaces;
  // Runs in a child with those namespaces; as MakePrivateMounts.
  const char* (*attempt)(const char* folder);
};

const char* TryNothing(const char* /*folder*/) {
  return nullptr;
}

const char* TryMounts(const char* folder) {
  Sandbox sandbox;
  sandbox.task_folder = folder;
  sandbox.output_folder = folder;
  return MakePrivateMounts(sandbox);
}

const char* TryUsers(const char* /*folder*/) {
  TaskFile task;
  task.user_id = kNobodysId;
  task.group_id = kNobodysId;
  return DropPrivileges(task);
}

const char* TryCapabilities(const char* /*folder*/) {
  TaskFile task;
  task.sandbox.drop_capabilities = 1;
  return DropPrivileges(task);
}

const char* TrySeccomp(const char* /*folder*/) {
  constexpr sock_filter kAllowAll{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
  TaskFile task;
  task.sandbox.seccomp_program.assign(reinterpret_cast<const char*>(&kAllowAll), sizeof(kAllowAll));
  return DropPrivileges(task);
}

constexpr Trial kTrials[] = {
    {kFacilityPid,          CLONE_NEWPID,    TryNothing     },
    {kFacilityMounts,       CLONE_NEWNS,     TryMounts      },
    {kFacilityIpc,          CLONE_NEWIPC,    TryNothing     },
    {kFacilityUts,          CLONE_NEWUTS,    TryNothing     },
    {kFacilityCgroup,       CLONE_NEWCGROUP, TryNothing     },
    {kFacilityUsers,        0,               TryUsers       },
    {kFacilityCapabilities, 0,               TryCapabilities},
    {kFacilitySeccomp,      0,               TrySeccomp     },
};

void Run(const Trial& trial, const char* folder) {
  // The child writes a line of its own only if something failed, and the parent waits for it.
  const auto child = static_cast<pid_t>(
      syscall(SYS_clone, trial.namespaces | SIGCHLD, nullptr, nullptr, nullptr, 0));
  if (child == 0) {
    const char* failed = trial.attempt(folder);
    if (failed != nullptr) {
      std::printf("%s: cannot %s: %s\n", trial.facility, failed, std::strerror(errno));
      std::fflush(stdout);
    }
    _exit(failed == nullptr ? 0 : 1);
  }
  if (child < 0) {
    std::printf("%s: cannot make the namespace: %s\n", trial.facility, std::strerror(errno));
    return;
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status == 0) {
    std::printf("%s\n", trial.facility);
  } else if (WIFSIGNALED(status)) {
    std::printf("%s: the trial ended by signal %d\n", trial.facility, WTERMSIG(status));
  }
}

}  // namespace

int ProbeFacilities(const char* folder) {
  for (const Trial& trial : kTrials) {
    Run(trial, folder);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace berth
