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

// One file system in memory holds all that is the task's own and on no disk: making and ending one
// costs as much as ten mounts of a folder. In it are built, before they take their places, what is
// to be /run/berth, /dev and /dev/shm; itself it is then out of reach, beneath the first of them.
constexpr char kNewPrivate[] = "/run/berth/task";
constexpr char kNewTaskFolder[] = "/run/berth/task/job";
constexpr char kNewOutputFolder[] = "/run/berth/task/output";
constexpr char kNewDev[] = "/run/berth/dev";
constexpr char kNewShared[] = "/run/berth/shm";
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

// With room for the task's shared memory; nobody but root writes to the rest.
bool MountMemory(int64_t shared_memory_bytes) {
  char options[64] = "mode=0755";
  if (shared_memory_bytes > 0) {
    std::snprintf(options, sizeof(options), "mode=0755,size=%lld",
                  static_cast<long long>(shared_memory_bytes));
  }
  return mount("tmpfs", kPrivateFolder, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
}

// A new folder that is a mount of its own, so that it can be moved with what is mounted in it.
bool MakeMovable(const char* path) {
  return mkdir(path, 0755) == 0 && mount(path, path, nullptr, MS_BIND, nullptr) == 0;
}

bool MoveMount(const char* from, const char* to) {
  return mount(from, to, nullptr, MS_MOVE, nullptr) == 0;
}

// Folders between kNewDev and the file, as for /dev/infiniband/uverbs0.
bool MakeDeviceFolders(std::string path) {
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
  if (!MakeDeviceFolders(copy)) {
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
  if (!MakeMovable(kNewDev) ||
      !SetMountAttributes(kNewDev, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, MOUNT_ATTR_NODEV)) {
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
  return mkdir("/run/berth/dev/pts", 0755) == 0 && mkdir("/run/berth/dev/shm", 0755) == 0 &&
         mkdir(kNewShared, 01777) == 0 &&
         mount("devpts", "/run/berth/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
               "newinstance,ptmxmode=0666,mode=0620") == 0 &&
         Bind(kNewShared, "/run/berth/dev/shm") && MoveMount(kNewDev, "/dev");
}

// The task's folder first: it may lie beneath one that is covered later.
const char* ShowTaskFolders(const Sandbox& sandbox) {
  if (!MountMemory(sandbox.shared_memory_bytes)) {
    return "mount on /run/berth";
  }
  if (!MakeMovable(kNewPrivate) || mkdir(kNewTaskFolder, 0755) != 0 ||
      mkdir(kNewOutputFolder, 0755) != 0 ||
      !Bind(HostPath(sandbox, sandbox.task_folder).c_str(), kNewTaskFolder) ||
      !Bind(HostPath(sandbox, sandbox.output_folder).c_str(), kNewOutputFolder)) {
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
  // Folders are open to the task's user, and device files get the modes that the host's have.
  const mode_t mask = umask(0);
  const char* no_folders = ShowTaskFolders(sandbox);
  const bool has_dev = no_folders == nullptr && MakeDev(sandbox);
  umask(mask);
  if (!has_dev) {
    return no_folders != nullptr ? no_folders : "make /dev";
  }
  if (!MoveMount(kNewPrivate, kPrivateFolder)) {
    return "mount on /run/berth";
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
