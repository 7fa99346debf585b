#include "agent/shim/local_socket.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace berth {

int MakeListener(int type) {
  return socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

bool ListenAt(int listener, const char* path, int backlog) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
  const mode_t mask = umask(0177);
  const auto take = [&] {
    return bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  };
  // Mostly nothing was left there.
  const bool bound = take() || (errno == EADDRINUSE && unlink(path) == 0 && take());
  umask(mask);
  return bound && listen(listener, backlog) == 0;
}

int ListenHere(const char* name, int type, int backlog) {
  const int listener = MakeListener(type);
  if (listener < 0 || ListenAt(listener, name, backlog)) {
    return listener;
  }
  const int error = errno;
  close(listener);
  errno = error;
  return -1;
}

bool SendDescriptor(int socket, const void* packet, size_t size, int descriptor, int flags) {
  iovec data{const_cast<void*>(packet), size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof(descriptor));
  return sendmsg(socket, &message, flags | MSG_NOSIGNAL) >= 0;
}

}  // namespace berth
