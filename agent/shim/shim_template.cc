#include "agent/shim/shim_template.h"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

#include "agent/shim/task_shim.h"
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int kHeapBytes = 1 << 20;

struct Order {
  std::string folder;
  int conversation = -1;
};

// Waits for one; none: the agent is gone, or what it says cannot be understood.
std::optional<Order> ReceiveOrder() {
  char path[PATH_MAX];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec data{path, sizeof(path)};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t size = recvmsg(kTemplateDescriptor, &message, MSG_CMSG_CLOEXEC);
  const cmsghdr* header = size > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int))) {
    return std::nullopt;
  }
  Order order{.folder = std::string(path, static_cast<size_t>(size))};
  std::memcpy(&order.conversation, CMSG_DATA(header), sizeof(order.conversation));
  return order;
}

// As fork, but the child is the caller's parent's, which is told of its end and waits for it.
pid_t CloneSibling() {
  return static_cast<pid_t>(
      syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, 0));
}

// Ends the process; what it has in memory needs no tidying.
[[noreturn]] void Supervise(const Order& order, ShownWords words) {
  close(kTemplateDescriptor);
  std::memset(words.begin, 0, words.size);
  std::snprintf(words.begin, words.size, "%s", order.folder.c_str());
  const int folder = open(order.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 || fchdir(folder) != 0) {
    _exit(1);
  }
  TaskShim shim(folder, order.conversation);
  _exit(shim.Run());
}

}  // namespace

int ServeTemplate(ShownWords words) {
  // Enough for a task, so that no copy has to ask the kernel for more, or gives some back.
  mallopt(M_TOP_PAD, kHeapBytes);
  mallopt(M_TRIM_THRESHOLD, 2 * kHeapBytes);
  while (const auto order = ReceiveOrder()) {
    const pid_t pid = CloneSibling();
    if (pid == 0) {
      Supervise(*order, words);
    }
    const TemplateReply reply{.pid = pid, .error = pid < 0 ? errno : 0};
    close(order->conversation);
    if (send(kTemplateDescriptor, &reply, sizeof(reply), MSG_NOSIGNAL) < 0) {
      break;
    }
  }
  return 0;
}

}  // namespace berth
