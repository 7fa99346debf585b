#include "agent/executor/seccomp_program.h"

#include <cerrno>
#include <memory>

#include "common/status_macros.h"
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr uint32_t kRefuse = SCMP_ACT_ERRNO(EPERM);
constexpr uint32_t kNotThere = SCMP_ACT_ERRNO(ENOSYS);

struct Refusal {
  const char* name;
  uint32_t action;
};
constexpr Refusal kRefusals[] = {
    {"mount",             kRefuse  },
    {"umount2",           kRefuse  },
    {"move_mount",        kRefuse  },
    {"open_tree",         kRefuse  },
    {"fsopen",            kRefuse  },
    {"fsconfig",          kRefuse  },
    {"fsmount",           kRefuse  },
    {"fspick",            kRefuse  },
    {"mount_setattr",     kRefuse  },
    {"pivot_root",        kRefuse  },
    {"chroot",            kRefuse  },
    {"setns",             kRefuse  },
    {"swapon",            kRefuse  },
    {"swapoff",           kRefuse  },
    {"reboot",            kRefuse  },
    {"kexec_load",        kRefuse  },
    {"kexec_file_load",   kRefuse  },
    {"init_module",       kRefuse  },
    {"finit_module",      kRefuse  },
    {"delete_module",     kRefuse  },
    {"acct",              kRefuse  },
    {"quotactl",          kRefuse  },
    {"quotactl_fd",       kRefuse  },
    {"settimeofday",      kRefuse  },
    {"clock_settime",     kRefuse  },
    {"sethostname",       kRefuse  },
    {"setdomainname",     kRefuse  },
    {"open_by_handle_at", kRefuse  },
    {"add_key",           kRefuse  },
    {"request_key",       kRefuse  },
    {"keyctl",            kRefuse  },
    {"bpf",               kRefuse  },
    {"perf_event_open",   kRefuse  },
    {"userfaultfd",       kRefuse  },
    {"lookup_dcookie",    kRefuse  },
    {"iopl",              kRefuse  },
    {"ioperm",            kRefuse  },
    {"io_uring_setup",    kNotThere},
    {"io_uring_enter",    kNotThere},
    {"io_uring_register", kNotThere},
 // Its flags lie in memory, where no filter can look; libraries fall back to clone.
    {"clone3",            kNotThere},
};

// A call that is refused only if (argument & mask) == value.
struct Condition {
  const char* name;
  unsigned int argument;
  uint64_t mask;
  uint64_t value;
};
constexpr Condition kConditions[] = {
    {"unshare", 0, CLONE_NEWUSER, CLONE_NEWUSER},
    {"clone",   0, CLONE_NEWUSER, CLONE_NEWUSER},
    {"mknod",   1, S_IFMT,        S_IFCHR      },
    {"mknod",   1, S_IFMT,        S_IFBLK      },
    {"mknodat", 2, S_IFMT,        S_IFCHR      },
    {"mknodat", 2, S_IFMT,        S_IFBLK      },
    {"socket",  0, UINT32_MAX,    AF_PACKET    },
    {"socket",  0, UINT32_MAX,    AF_ALG       },
    {"socket",  0, UINT32_MAX,    AF_VSOCK     },
    {"ioctl",   1, UINT32_MAX,    TIOCSTI      },
    {"ioctl",   1, UINT32_MAX,    TIOCLINUX    },
};

absl::Status Check(int result, const char* what) {
  return result == 0 ? absl::OkStatus() : absl::ErrnoToStatus(-result, what);
}

// A call that this library or this processor does not know needs no rule.
absl::Status AddRule(scmp_filter_ctx filter, const Refusal& refusal, const scmp_arg_cmp* argument) {
  const int number = seccomp_syscall_resolve_name(refusal.name);
  if (number == __NR_SCMP_ERROR) {
    return absl::OkStatus();
  }
  return Check(
      seccomp_rule_add_array(filter, refusal.action, number, argument == nullptr ? 0 : 1, argument),
      refusal.name);
}

absl::Status AddRules(scmp_filter_ctx filter) {
  // A program of another word size would pass by every rule; it gets no system call at all.
  RETURN_IF_ERROR(Check(seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, kNotThere), "bad arch"));
  RETURN_IF_ERROR(Check(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize"));
  for (const Refusal& refusal : kRefusals) {
    RETURN_IF_ERROR(AddRule(filter, refusal, nullptr));
  }
  for (const Condition& condition : kConditions) {
    const scmp_arg_cmp argument{condition.argument, SCMP_CMP_MASKED_EQ, condition.mask,
                                condition.value};
    RETURN_IF_ERROR(AddRule(filter, {condition.name, kRefuse}, &argument));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Export(scmp_filter_ctx filter) {
  const int file = memfd_create("seccomp", MFD_CLOEXEC);
  if (file < 0) {
    return absl::ErrnoToStatus(errno, "cannot make a file in memory");
  }
  absl::Status status = Check(seccomp_export_bpf(filter, file), "cannot export the filter");
  std::string program(static_cast<size_t>(lseek(file, 0, SEEK_END)), '\0');
  if (status.ok() &&
      pread(file, program.data(), program.size(), 0) != static_cast<ssize_t>(program.size())) {
    status = absl::ErrnoToStatus(errno, "cannot read the filter");
  }
  close(file);
  RETURN_IF_ERROR(status);
  return program;
}

}  // namespace

absl::StatusOr<std::string> MakeSeccompProgram() {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ALLOW),
                                                                 &seccomp_release);
  if (filter == nullptr) {
    return absl::ResourceExhaustedError("no memory for the system call filter");
  }
  RETURN_IF_ERROR(AddRules(filter.get()));
  return Export(filter.get());
}

}  // namespace berth
