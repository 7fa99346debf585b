#include "agent/shim/notice_socket.h"

#include <algorithm>
#include <cerrno>

#include "agent/shim/local_socket.h"
#include "agent/shim/notice.h"
#include <sys/socket.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int64_t kNsPerMs = 1000000;
constexpr int64_t kNsPerToken = 1000 * kNsPerMs / NoticeSocket::kPerSecond;
constexpr int kBacklog = 16;
// A notice comes in one piece, or a few; one that trickles in is cut off.
constexpr int kReadsMax = 32;

// By whoever reads the answer: it may be gone, and nothing waits for it.
void Answer(int socket, const std::string& line) {
  static_cast<void>(send(socket, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

bool IsWhole(const std::string& bytes) {
  return bytes.find("\n\n") != std::string::npos || (!bytes.empty() && bytes[0] == '\n');
}

}  // namespace

NoticeSocket::~NoticeSocket() {
  Close();
}

bool NoticeSocket::Open(const TaskFile& task) {
  user_id_ = task.user_id < 0 ? static_cast<int64_t>(geteuid()) : task.user_id;
  listener_ = MakeListener(SOCK_STREAM);
  in_folder_ = listener_ >= 0 && task.sandbox.private_mounts == 0;
  shown_ = in_folder_;
  return in_folder_ ? Show(listener_, kNoticeSocketName, task) : listener_ >= 0;
}

bool NoticeSocket::Show(int listener, const char* path, const TaskFile& task) {
  return ListenAt(listener, path, kBacklog) &&
         (task.user_id < 0 ||
          lchown(path, static_cast<uid_t>(task.user_id), static_cast<gid_t>(task.group_id)) == 0);
}

int64_t NoticeSocket::Tokens(int64_t now_ns) const {
  const int64_t missing = std::max<int64_t>(full_at_ns_ - now_ns, 0);
  return kBurst - (missing + kNsPerToken - 1) / kNsPerToken;
}

int NoticeSocket::AddTo(std::vector<pollfd>& fds, int64_t now_ns) const {
  for (const Connection& connection : connections_) {
    fds.push_back({connection.socket, POLLIN, 0});
  }
  if (!shown_) {
    return -1;
  }
  if (Tokens(now_ns) > 0) {
    fds.push_back({listener_, POLLIN, 0});
    return -1;
  }
  const int64_t one_at_ns = full_at_ns_ - (kBurst - 1) * kNsPerToken;
  return static_cast<int>((one_at_ns - now_ns) / kNsPerMs) + 1;
}

bool NoticeSocket::Serve(int64_t now_ns) {
  const int64_t before = notice_.count;
  // One at a time: what else the supervisor has to do comes first.
  Accept(now_ns);
  std::erase_if(connections_, [&](Connection& connection) {
    const bool done = !Read(connection, now_ns);
    if (done) {
      close(connection.socket);
    }
    return done;
  });
  return notice_.count != before;
}

bool NoticeSocket::Accept(int64_t now_ns) {
  if (listener_ < 0 || Tokens(now_ns) <= 0) {
    return false;
  }
  const int peer = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (peer < 0) {
    return false;
  }
  full_at_ns_ = std::max(full_at_ns_, now_ns) + kNsPerToken;
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  // The mode of the file says the same; this is who has really connected.
  if (getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
      static_cast<int64_t>(credentials.uid) != user_id_) {
    close(peer);
    return true;
  }
  if (connections_.size() == kConnectionsMax) {
    close(connections_.front().socket);
    connections_.pop_front();
  }
  connections_.push_back({.socket = peer});
  return true;
}

bool NoticeSocket::Read(Connection& connection, int64_t now_ns) {
  char chunk[kNoticeBytesMax + 1];
  const ssize_t size = recv(connection.socket, chunk, sizeof(chunk), 0);
  if (size < 0) {
    return errno == EAGAIN || errno == EINTR;
  }
  connection.bytes.append(chunk, static_cast<size_t>(size));
  const bool is_whole =
      size == 0 || IsWhole(connection.bytes) || connection.bytes.size() > kNoticeBytesMax;
  if (!is_whole) {
    return ++connection.reads < kReadsMax;
  }
  const char* refused = TakeNotice(connection.bytes, now_ns, notice_);
  Answer(connection.socket,
         refused == nullptr ? "ok\n" : std::string("refused: ") + refused + "\n");
  return false;
}

void NoticeSocket::Drain(int64_t now_ns) {
  // Who has ended cannot connect again, so this comes to an end even where tokens are left.
  for (int i = 0; i < kBacklog + kBurst && Accept(now_ns); ++i) {
    Serve(now_ns);
  }
  // Nobody is left to write more: each is read to its end.
  for (int i = 0; i < kReadsMax && !connections_.empty(); ++i) {
    Serve(now_ns);
  }
  Close();
}

void NoticeSocket::Close() {
  for (const Connection& connection : connections_) {
    close(connection.socket);
  }
  connections_.clear();
  if (listener_ >= 0) {
    close(listener_);
    listener_ = -1;
  }
  if (in_folder_) {
    unlink(kNoticeSocketName);
  }
}

}  // namespace berth
