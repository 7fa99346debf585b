#include "agent/shim/image_root.h"

#include <cerrno>

#include "agent/shim/mounts.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr char kHost[] = "/.berth-host";
// What a process expects of a system, whether the image has it or not.
constexpr const char* kFolders[] = {"/dev", "/proc", "/sys", "/tmp",
                                    "/run", "/var",  "/etc", "/var/tmp"};

bool MakeFolder(const std::string& path, mode_t mode) {
  return mkdir(path.c_str(), mode) == 0 || errno == EEXIST;
}

// The folders above `path`.
bool MakeParents(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (!MakeFolder(path.substr(0, slash), 0755)) {
      return false;
    }
  }
  return true;
}

// Something at `path` to mount a file on. A link that leads nowhere is replaced.
bool MakeFile(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0) {
    return true;
  }
  unlink(path.c_str());
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file >= 0) {
    close(file);
  }
  return file >= 0;
}

// One that the host does not have is left out.
bool ShowHostPath(const std::string& path) {
  const std::string source = kHost + path;
  struct stat info {};
  if (stat(source.c_str(), &info) != 0) {
    return true;
  }
  const bool is_ready =
      MakeParents(path) && (S_ISDIR(info.st_mode) ? MakeFolder(path, 0755) : MakeFile(path));
  return is_ready && Bind(source.c_str(), path.c_str());
}

}  // namespace

const char* EnterImage(const Sandbox& sandbox) {
  const std::string own = sandbox.task_folder + "/" + kImageFolderName;
  const std::string root = own + "/root";
  const std::string upper = own + "/upper";
  const std::string work = own + "/work";
  for (const std::string* path : {&own, &root, &upper, &work}) {
    if (!MakeFolder(*path, 0755)) {
      return "make the folder for what the task changes in its image";
    }
  }
  const std::string layers =
      "lowerdir=" + sandbox.image_root + ",upperdir=" + upper + ",workdir=" + work;
  if (mount("overlay", root.c_str(), "overlay", MS_NOSUID | MS_NODEV, layers.c_str()) != 0) {
    return "mount the image";
  }
  if (mkdir((root + kHost).c_str(), 0700) != 0 ||
      syscall(SYS_pivot_root, root.c_str(), (root + kHost).c_str()) != 0 || chdir("/") != 0) {
    return "make the image the root";
  }
  for (const char* path : kFolders) {
    if (!MakeFolder(path, 0755)) {
      return "make the image's usual folders";
    }
  }
  if (!MakeFolder(kPrivateFolder, 0755) || mount((std::string(kHost) + "/sys").c_str(), "/sys",
                                                 nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    return "show /sys in the image";
  }
  return nullptr;
}

std::string HostPath(const Sandbox& sandbox, const std::string& path) {
  return sandbox.image_root.empty() ? path : kHost + path;
}

const char* LeaveHost(const Sandbox& sandbox) {
  for (const std::string& path : sandbox.image_mounts) {
    if (!ShowHostPath(path)) {
      return "show the host's folders in the image";
    }
  }
  if (umount2(kHost, MNT_DETACH) != 0 || rmdir(kHost) != 0) {
    return "leave the host's files";
  }
  return nullptr;
}

}  // namespace berth
