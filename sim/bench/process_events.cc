#include "sim/bench/process_events.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>

#include "absl/status/status.h"

#include "common/status_macros.h"
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

namespace berth {
namespace {

// Some hundred thousand events of a busy machine.
constexpr int kReceiveBytes = 64 << 20;

std::optional<ProcessEvent> Read(const proc_event& event) {
  ProcessEvent read;
  read.at = absl::Nanoseconds(event.timestamp_ns);
  switch (event.what) {
    case proc_event::PROC_EVENT_FORK:
      read.kind = ProcessEvent::Kind::kFork;
      read.pid = event.event_data.fork.child_pid;
      read.parent = event.event_data.fork.parent_tgid;
      return read.pid == event.event_data.fork.child_tgid ? std::optional(read) : std::nullopt;
    case proc_event::PROC_EVENT_EXEC:
      read.kind = ProcessEvent::Kind::kExec;
      read.pid = event.event_data.exec.process_tgid;
      return read;
    case proc_event::PROC_EVENT_EXIT:
      read.kind = ProcessEvent::Kind::kExit;
      read.pid = event.event_data.exit.process_pid;
      return read.pid == event.event_data.exit.process_tgid ? std::optional(read) : std::nullopt;
    default:  // of a C enumeration of the kernel's, which grows
      return std::nullopt;
  }
}

absl::Status Subscribe(int socket) {
  // A header each of netlink and of the connector, then the order; they leave no gap.
  constexpr size_t kMessageAt = NLMSG_LENGTH(0);
  constexpr size_t kOrderAt = kMessageAt + sizeof(cn_msg);
  const proc_cn_mcast_op order = PROC_CN_MCAST_LISTEN;
  alignas(nlmsghdr) char bytes[kOrderAt + sizeof(order)] = {};
  nlmsghdr header{};
  header.nlmsg_len = sizeof(bytes);
  header.nlmsg_type = NLMSG_DONE;
  cn_msg message{};
  message.id = {CN_IDX_PROC, CN_VAL_PROC};
  message.len = sizeof(order);
  std::memcpy(bytes, &header, sizeof(header));
  std::memcpy(bytes + kMessageAt, &message, sizeof(message));
  std::memcpy(bytes + kOrderAt, &order, sizeof(order));
  return send(socket, bytes, sizeof(bytes), 0) == sizeof(bytes)
             ? absl::OkStatus()
             : absl::ErrnoToStatus(errno, "cannot ask for process events");
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessEvents>> ProcessEvents::Listen() {
  const int number = socket(PF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);
  if (number < 0) {
    return absl::ErrnoToStatus(errno, "the kernel has no process events");
  }
  std::unique_ptr<ProcessEvents> events(new ProcessEvents(number));
  // Less than this is kept where the caller may not ask for so much.
  setsockopt(number, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes, sizeof(kReceiveBytes));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = CN_IDX_PROC;
  if (bind(number, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return absl::ErrnoToStatus(errno, "cannot listen to process events");
  }
  RETURN_IF_ERROR(Subscribe(number));
  return events;
}

ProcessEvents::~ProcessEvents() {
  close(socket_);
}

absl::StatusOr<std::vector<ProcessEvent>> ProcessEvents::Take() {
  std::vector<ProcessEvent> events;
  alignas(nlmsghdr) char bytes[4096];
  ssize_t size = 0;
  while ((size = recv(socket_, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
    proc_event event{};
    const size_t begin = NLMSG_LENGTH(sizeof(cn_msg));
    if (static_cast<size_t>(size) < begin) {
      continue;
    }
    std::memcpy(&event, bytes + begin, std::min(sizeof(event), static_cast<size_t>(size) - begin));
    if (const auto read = Read(event)) {
      events.push_back(*read);
    }
  }
  if (size < 0 && errno == ENOBUFS) {
    return absl::ResourceExhaustedError("process events were lost: too many at once");
  }
  // Each processor tells its own in order.
  std::stable_sort(events.begin(), events.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
  return events;
}

}  // namespace berth
