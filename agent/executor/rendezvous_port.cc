#include "agent/executor/rendezvous_port.h"

#include "absl/strings/str_cat.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

namespace berth {
namespace {

// Whatever address a job will listen on, nothing else may be there.
bool CanBind(int port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  address.sin_port = htons(static_cast<uint16_t>(port));
  const bool bound = bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(listener);
  return bound;
}

bool IsUnlocked(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) {
    return true;  // never used so far
  }
  const bool unlocked = flock(file, LOCK_EX | LOCK_NB) == 0;
  close(file);
  return unlocked;
}

}  // namespace

std::string PortLockPath(absl::string_view lock_dir, int port) {
  return absl::StrCat(lock_dir, "/port-", port, ".lock");
}

std::optional<int> FindFreePort(const PortRange& range, absl::string_view lock_dir, uint64_t seed) {
  const int count = range.last - range.first + 1;
  for (int i = 0; i < count; ++i) {
    const int port = range.first + static_cast<int>((seed * 31 + static_cast<uint64_t>(i)) %
                                                    static_cast<uint64_t>(count));
    if (IsUnlocked(PortLockPath(lock_dir, port)) && CanBind(port)) {
      return port;
    }
  }
  return std::nullopt;
}

}  // namespace berth
