#include "agent/shim/sandbox.h"

#include <cerrno>
#include <cstdio>

#include "agent/shim/image_root.h"
#include "agent/shim/mounts.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace berth {
namespace {

// Where the new /dev is built before it takes its place.
constexpr char kNewDev[] = "/run/berth/dev";
constexpr char kGroups[] = "/sys/fs/cgroup";

// The device files that every process may expect.
constexpr const char* kUsualDevices[] = {"/dev/null",   "/dev/zero",    "/dev/full",
                                         "/dev/random", "/dev/urandom", "/dev/tty"};
struct Link {
  const char* name;
  const char* target;
};
constexpr Link kDevLinks[] = {
    {"/run/berth/dev/fd",     "/proc/self/fd"  },
    {"/run/berth/dev/stdin",  "/proc/self/fd/0"},
    {"/run/berth/dev/stdout", "/proc/self/fd/1"},
    {"/run/berth/dev/stderr", "/proc/self/fd/2"},
    {"/run/berth/dev/ptmx",   "pts/ptmx"       },
};

bool MountTmpfs(const char* path, unsigned long flags, const char* options) {
  return mount("tmpfs", path, "tmpfs", flags, options) == 0;
}

// Folders between kNewDev and the file, as for /dev/infiniband/uverbs0.
bool MakeParents(std::string path) {
  for (size_t slash = path.find('/', sizeof(kNewDev)); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    path[slash] = 0;
    const bool made = mkdir(path.c_str(), 0755) == 0 || errno == EEXIST;
    path[slash] = '/';
    if (!made) {
      return false;
    }
  }
  return true;
}

// The same device file in the new /dev; one that the host does not have is left out. "HOST:SHOWN":
// under another name there.
bool CopyDevice(const Sandbox& sandbox, const std::string& device) {
  struct stat info {};
  const size_t colon = device.find(':');
  const std::string path = device.substr(colon == std::string::npos ? 0 : colon + 1);
  const std::string original = HostPath(sandbox, device.substr(0, colon));
  if (path.compare(0, 5, "/dev/") != 0 || stat(original.c_str(), &info) != 0 ||
      (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode))) {
    return true;
  }
  const std::string copy = kNewDev + path.substr(4);
  if (!MakeParents(copy)) {
    return false;
  }
  if (mknod(copy.c_str(), info.st_mode, info.st_rdev) == 0) {
    const bool is_roots = info.st_uid == 0 && info.st_gid == 0;
    return is_roots || (chown(copy.c_str(), info.st_uid, info.st_gid) == 0 &&
                        chmod(copy.c_str(), info.st_mode & 07777) == 0);
  }
  // Inside a container no device file can be made; the host's own is shown then.
  const int file = open(copy.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) {
    return false;
  }
  close(file);
  return mount(original.c_str(), copy.c_str(), nullptr, MS_BIND, nullptr) == 0;
}

bool MakeDev(const Sandbox& sandbox) {
  if (mkdir(kNewDev, 0755) != 0 ||
      !MountTmpfs(kNewDev, MS_NOSUID | MS_NOEXEC, "mode=0755,size=1m,nr_inodes=1024")) {
    return false;
  }
  for (const char* path : kUsualDevices) {
    if (!CopyDevice(sandbox, path)) {
      return false;
    }
  }
  for (const std::string& path : sandbox.devices) {
    if (!CopyDevice(sandbox, path)) {
      return false;
    }
  }
  for (const Link& link : kDevLinks) {
    if (symlink(link.target, link.name) != 0) {
      return false;
    }
  }
  char size[64] = "mode=1777";
  if (sandbox.shared_memory_bytes > 0) {
    std::snprintf(size, sizeof(size), "mode=1777,size=%lld",
                  static_cast<long long>(sandbox.shared_memory_bytes));
  }
  return mkdir("/run/berth/dev/pts", 0755) == 0 && mkdir("/run/berth/dev/shm", 01777) == 0 &&
         mount("devpts", "/run/berth/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
               "newinstance,ptmxmode=0666,mode=0620") == 0 &&
         MountTmpfs("/run/berth/dev/shm", MS_NOSUID | MS_NODEV, size) &&
         mount(kNewDev, "/dev", nullptr, MS_MOVE, nullptr) == 0 && rmdir(kNewDev) == 0;
}

// The task's folder first: it may lie beneath one that is covered later.
const char* ShowTaskFolders(const Sandbox& sandbox) {
  if (!MountTmpfs(kPrivateFolder, MS_NOSUID | MS_NODEV, "mode=0755,size=64k,nr_inodes=64")) {
    return "mount on /run/berth";
  }
  if (mkdir(kShownTaskFolder, 0755) != 0 || mkdir(kShownOutputFolder, 0755) != 0 ||
      !Bind(HostPath(sandbox, sandbox.task_folder).c_str(), kShownTaskFolder) ||
      !Bind(HostPath(sandbox, sandbox.output_folder).c_str(), kShownOutputFolder)) {
    return "show the task's folder";
  }
  return nullptr;
}

// Its supervisor may be one of those that are spared when the machine's memory runs out.
bool BeKilledLikeOthers() {
  const int file = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
  if (file < 0) {
    return true;  // not even that is shown
  }
  char sign = 0;
  const bool spared = read(file, &sign, 1) == 1 && sign == '-';
  const bool done = !spared || write(file, "0", 1) == 1;
  close(file);
  return done;
}

bool ClearCapabilitySets() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return syscall(SYS_capset, &header, none) == 0;
}

bool LoadFilter(const std::string& program) {
  if (program.empty()) {
    return true;
  }
  sock_fprog filter{};
  filter.len = static_cast<unsigned short>(program.size() / sizeof(sock_filter));
  filter.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(program.data()));
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

}  // namespace

const char* MakePrivateMounts(const Sandbox& sandbox) {
  if (mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    return "part from the host's mounts";
  }
  if (!sandbox.image_root.empty()) {
    if (const char* failed = EnterImage(sandbox)) {
      return failed;
    }
  }
  if (const char* failed = ShowTaskFolders(sandbox)) {
    return failed;
  }
  // Device files get the modes that the host's have.
  const mode_t mask = umask(0);
  const bool has_dev = MakeDev(sandbox);
  umask(mask);
  if (!has_dev) {
    return "make /dev";
  }
  if (!SetMountAttributes("/sys", MOUNT_ATTR_RDONLY | kHarmless | MOUNT_ATTR_NOEXEC,
                          AT_RECURSIVE)) {
    return "make /sys read-only";
  }
  const std::string scratch = std::string(kShownTaskFolder) + "/tmp";
  for (const char* path : {"/var/tmp", "/tmp"}) {
    if (!Bind(scratch.c_str(), path)) {
      return "give the task its own /tmp";
    }
  }
  return sandbox.image_root.empty() ? nullptr : LeaveHost(sandbox);
}

const char* ShowOwnGroups() {
  struct statfs info {};
  if (statfs(kGroups, &info) != 0 || info.f_type != CGROUP2_SUPER_MAGIC) {
    return nullptr;
  }
  // In the place of the node's, which the kernel does not take twice in one place.
  constexpr unsigned long kReadOnly = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (umount2(kGroups, MNT_DETACH) != 0 ||
      mount("cgroup2", kGroups, "cgroup2", kReadOnly, nullptr) != 0) {
    return "show the task its own control groups";
  }
  return nullptr;
}

bool DropBoundingSet() {
  int has = 0;
  for (int capability = 0; (has = prctl(PR_CAPBSET_READ, capability, 0, 0, 0)) >= 0; ++capability) {
    // Only root may, and only root can get any of them.
    if (has != 0 && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && geteuid() == 0) {
      return false;
    }
  }
  return true;
}

const char* DropPrivileges(const TaskFile& task) {
  const rlimit no_core{0, 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0) {
    return "forbid core files";
  }
  if (!BeKilledLikeOthers()) {
    return "be killed like others when memory runs out";
  }
  // The bounding set can only be lowered by who still has the right to.
  if (task.sandbox.drop_capabilities != 0 &&
      (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 || !DropBoundingSet())) {
    return "drop the capabilities";
  }
  if (task.group_id >= 0 &&
      (setgroups(0, nullptr) != 0 || setgid(static_cast<gid_t>(task.group_id)) != 0)) {
    return "take the task's group";
  }
  if (task.user_id >= 0 && setuid(static_cast<uid_t>(task.user_id)) != 0) {
    return "take the task's user";
  }
  if (task.sandbox.drop_capabilities != 0 && !ClearCapabilitySets()) {
    return "drop the capabilities";
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return "forbid new privileges";
  }
  // The init holds the shim's socket: no process of the task's user may look into it.
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return "close the init to others";
  }
  return LoadFilter(task.sandbox.seccomp_program) ? nullptr : "load the system call filter";
}

}  // namespace berth
