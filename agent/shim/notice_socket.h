#ifndef BERTH_AGENT_SHIM_NOTICE_SOCKET_H_
#define BERTH_AGENT_SHIM_NOTICE_SOCKET_H_

// Where a task tells of itself: a stream socket in its folder that only its user can connect to.
// One connection, one notice (notice.h), one line of answer. Owned by the TaskShim; one thread.
//
// A task may flood it at its own cost only: no more than kBurst and then kPerSecond connections are
// taken, the others wait in the kernel; each is read a bounded number of times and bytes.

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "agent/shim/shim_protocol.h"
#include <poll.h>

namespace berth {

class NoticeSocket {
 public:
  static constexpr int kBurst = 16;
  static constexpr int kPerSecond = 4;
  static constexpr size_t kConnectionsMax = 4;  // beyond it the oldest is closed

  NoticeSocket() = default;
  NoticeSocket(const NoticeSocket&) = delete;
  NoticeSocket& operator=(const NoticeSocket&) = delete;
  ~NoticeSocket();

  // Makes it for the task's user: in the working directory, or, if the task has mounts of its own,
  // without a name, which its init gives it there (Show). False: errno tells.
  bool Open(const TaskFile& task);
  // Lets the task's user connect to `listener` at `path`. False: errno tells.
  static bool Show(int listener, const char* path, const TaskFile& task);
  // The init has done so.
  void OnShown() { shown_ = true; }
  int listener() const { return listener_; }

  // Adds what is to be polled, and returns the milliseconds after which to poll again although
  // nothing is ready; -1: never. Times are CLOCK_BOOTTIME.
  int AddTo(std::vector<pollfd>& fds, int64_t now_ns) const;
  // Takes what is there. True: the notice has changed.
  bool Serve(int64_t now_ns);
  // What waits when the task has ended; then it is closed.
  void Drain(int64_t now_ns);

  const ShimNotice& notice() const { return notice_; }

 private:
  struct Connection {
    int socket = -1;
    int reads = 0;
    std::string bytes = {};
  };

  int64_t Tokens(int64_t now_ns) const;
  bool Accept(int64_t now_ns);
  // False: it is done with.
  bool Read(Connection& connection, int64_t now_ns);
  void Close();

  int listener_ = -1;
  bool shown_ = false;      // somebody can connect
  bool in_folder_ = false;  // it has its name in the working directory
  int64_t user_id_ = -1;
  int64_t full_at_ns_ = 0;              // when all of kBurst may be taken again
  std::deque<Connection> connections_;  // the oldest first
  ShimNotice notice_;
};

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_NOTICE_SOCKET_H_
