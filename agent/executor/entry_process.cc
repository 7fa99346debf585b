#include "agent/executor/entry_process.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"

#include "agent/executor/shim_process.h"
#include "agent/shim/process_tree.h"
#include "agent/shim/shim_protocol.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

namespace berth {
namespace {

// Of every end that the agent has; more is in flight, and less often asked for.
constexpr int kPipeBytes = 256 << 10;
// A shim gives its task's standard input at once.
constexpr timeval kGiveTimeout = {.tv_sec = 5, .tv_usec = 0};
// How long a guard may take to end.
constexpr int kEndTimeoutMs = 5000;
// Between two messages that say that a task is used. Far less than any idle limit that makes sense.
constexpr int64_t kUseIntervalNs = 100'000'000;
// Of what a shim has not read yet. More would keep out what the agent tells it, who waits then.
constexpr int kUnreadBytesMax = 16 << 10;

struct Pipe {
  Descriptor reader;
  Descriptor writer;
};

// `own` is the end that the agent keeps.
absl::StatusOr<Pipe> MakePipe(const EntryTarget& target, bool own_reader) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a pipe");
  }
  Pipe made{Descriptor(ends[0]), Descriptor(ends[1])};
  fcntl(ends[0], F_SETPIPE_SZ, kPipeBytes);
  fcntl(ends[own_reader ? 0 : 1], F_SETFL, O_NONBLOCK);
  // A command opens /dev/stdout as the task's user.
  if (target.user_id >= 0 && fchown(ends[0], static_cast<uid_t>(target.user_id),
                                    static_cast<gid_t>(target.group_id)) != 0) {
    return absl::ErrnoToStatus(errno, "cannot give a pipe to the task's user");
  }
  return made;
}

// What the program gets, from descriptor 0 on; -1: /dev/null.
absl::StatusOr<pid_t> Spawn(const std::string& path, const EntryOrder& order,
                            const std::vector<int>& descriptors) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // First away from the numbers where they go, so that none is overwritten before its turn.
  const int above = static_cast<int>(descriptors.size());
  std::vector<Descriptor> copies;
  for (int number = 0; number < above; ++number) {
    const int source = descriptors[static_cast<size_t>(number)];
    copies.emplace_back(source < 0 ? -1 : fcntl(source, F_DUPFD_CLOEXEC, above));
    if (copies.back().is_open()) {
      posix_spawn_file_actions_adddup2(&actions, copies.back().get(), number);
    } else {
      posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0);
    }
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  std::vector<std::string> words = EncodeEntryOrder(order);
  words.insert(words.begin(), path);
  char* const environment[] = {nullptr};
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, path.c_str(), &actions, &attributes, Pointers(words).data(), environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return absl::ErrnoToStatus(error, absl::StrCat("cannot start ", path));
  }
  return pid;
}

// As recvmsg, with the descriptor that came along, if one did.
ssize_t ReceivePacket(int socket, iovec packet, int flags, Descriptor& received) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &packet;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t size = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  const cmsghdr* header = size < 0 ? nullptr : CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(header), sizeof(descriptor));
    received = Descriptor(descriptor);
  }
  return size;
}

absl::Status InputIsOver() {
  return absl::FailedPreconditionError(
      "the job's standard input takes no more: it was ended, or nothing in the job reads it");
}

}  // namespace

absl::StatusOr<Descriptor> OpenInit(pid_t init, pid_t shim) {
  Descriptor descriptor(init > 0 ? static_cast<int>(syscall(SYS_pidfd_open, init, 0)) : -1);
  // In this order: what the descriptor is of cannot change any more.
  if (!descriptor.is_open() || shim <= 0 || ParentOf(init) != shim) {
    return absl::NotFoundError("the task has ended");
  }
  return descriptor;
}

void TypeEndOfInput(int terminal) {
  termios modes{};
  if (tcgetattr(terminal, &modes) != 0 || (modes.c_lflag & ICANON) == 0) {
    return;
  }
  // Only the other end tells what is unread. It is open for a moment: else nobody would see that
  // its last user has closed it.
  const Descriptor peer(ioctl(terminal, TIOCGPTPEER, O_RDONLY | O_NOCTTY | O_CLOEXEC));
  pollfd unread{peer.get(), POLLIN, 0};
  if (peer.is_open() && poll(&unread, 1, 0) == 0) {
    const ssize_t typed = write(terminal, &modes.c_cc[VEOF], 1);
    static_cast<void>(typed);
  }
}

absl::StatusOr<std::unique_ptr<EntryProcess>> EntryProcess::Start(const EntryTarget& target,
                                                                  EntryOrder order) {
  order.folder = target.folder;
  order.rank = target.rank;
  order.init = target.init;
  std::unique_ptr<EntryProcess> process(new EntryProcess(order.port > 0   ? Kind::kConnection
                                                         : order.rows > 0 ? Kind::kTerminal
                                                                          : Kind::kPipes));
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a socket");
  }
  process->conversation = Descriptor(sockets[0]);
  const Descriptor guard(sockets[1]);
  std::vector<int> given(3, -1);
  std::vector<Pipe> pipes;
  const bool has_streams = process->kind_ == Kind::kPipes;
  if (has_streams) {
    for (const bool own_reader : {false, true, true}) {
      ASSIGN_OR_RETURN(Pipe made, MakePipe(target, own_reader));
      pipes.push_back(std::move(made));
    }
    given = {pipes[0].reader.get(), pipes[1].writer.get(), pipes[2].writer.get()};
  }
  given.push_back(guard.get());
  given.push_back(target.init_descriptor.get());
  ASSIGN_OR_RETURN(process->pid_, Spawn(target.shim_path, order, given));
  if (target.shim.is_open()) {
    process->shim_ = Descriptor(fcntl(target.shim.get(), F_DUPFD_CLOEXEC, 0));
  }
  if (has_streams) {
    process->input_ = std::move(pipes[0].writer);
    process->output = std::move(pipes[1].reader);
    process->error_output = std::move(pipes[2].reader);
  }
  return process;
}

absl::StatusOr<std::unique_ptr<EntryProcess>> EntryProcess::OpenInput(const EntryTarget& target) {
  std::unique_ptr<EntryProcess> process(new EntryProcess(Kind::kInput));
  process->folder_ = Descriptor(open(target.folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto connection = ConnectToShim(process->folder_.get(), kInputSocketName);
  if (!connection.ok()) {
    return absl::IsNotFound(connection.status()) ? InputIsOver() : connection.status();
  }
  setsockopt(connection->get(), SOL_SOCKET, SO_RCVTIMEO, &kGiveTimeout, sizeof(kGiveTimeout));
  char byte = 0;
  const ssize_t size =
      ReceivePacket(connection->get(), {.iov_base = &byte, .iov_len = 1}, 0, process->input_);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
    return absl::UnavailableError("the job's supervisor does not give its standard input");
  }
  if (process->FindInputEnd().has_value()) {
    return InputIsOver();
  }
  process->shim_ = Descriptor(fcntl(target.shim.get(), F_DUPFD_CLOEXEC, 0));
  return process;
}

EntryProcess::~EntryProcess() {
  if (pid_ <= 0) {
    return;
  }
  // The guard ends everything when nobody listens any more. A command that reads or writes is not
  // in its way: it is killed.
  conversation.Close();
  const Descriptor program(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  pollfd ended{program.get(), POLLIN, 0};
  if (poll(&ended, 1, kEndTimeoutMs) <= 0) {
    // The task's user has stopped the guard: that is the task's affair, not ours.
    kill(pid_, SIGKILL);
  }
  waitpid(pid_, nullptr, 0);
}

std::optional<EntryEvent> EntryProcess::Receive(bool& ended) {
  EntryEvent event;
  Descriptor received;
  const ssize_t size = ReceivePacket(
      conversation.get(), {.iov_base = &event, .iov_len = sizeof(event)}, MSG_DONTWAIT, received);
  ended = size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNRESET);
  if (size != static_cast<ssize_t>(sizeof(event))) {
    return std::nullopt;
  }
  event.step[sizeof(event.step) - 1] = 0;
  if (received.is_open()) {
    fcntl(received.get(), F_SETFL, O_NONBLOCK | fcntl(received.get(), F_GETFL));
    input_ = Descriptor(fcntl(received.get(), F_DUPFD_CLOEXEC, 0));
    output = std::move(received);
    if (input_ended_) {
      EndInput();
    }
  }
  return event;
}

void EntryProcess::Signal(int number) const {
  const EntryCommand command{number};
  // A guard that has ended is noticed by its closed socket.
  const ssize_t sent = send(conversation.get(), &command, sizeof(command), MSG_NOSIGNAL);
  static_cast<void>(sent);
}

void EntryProcess::Resize(uint32_t rows, uint32_t columns) const {
  winsize size{};
  size.ws_row = static_cast<unsigned short>(rows);
  size.ws_col = static_cast<unsigned short>(columns);
  ioctl(output.get(), TIOCSWINSZ, &size);
}

void EntryProcess::TakeInput(std::string bytes) {
  if (!input_ended_) {
    pending_ = std::move(bytes);
  }
}

void EntryProcess::PassInput() {
  const ssize_t size = kind_ == Kind::kConnection
                           ? send(input_.get(), pending_.data(), pending_.size(), MSG_NOSIGNAL)
                           : write(input_.get(), pending_.data(), pending_.size());
  if (size >= 0) {
    NoteUse();
    pending_.erase(0, static_cast<size_t>(size));
  } else if (errno != EAGAIN && errno != EINTR) {
    // Nobody reads it any more.
    pending_.clear();
    input_ended_ = true;
    input_lost_ = InputIsOver();
    input_.Close();
  }
}

std::optional<absl::Status> EntryProcess::FindInputEnd() const {
  if (!input_.is_open()) {
    return input_lost_;
  }
  // Nobody has it open for reading, or the shim gives it to nobody any more.
  pollfd reader{input_.get(), 0, 0};
  if (poll(&reader, 1, 0) == 0 &&
      faccessat(folder_.get(), kInputSocketName, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
    return std::nullopt;
  }
  return has_pending() ? InputIsOver() : absl::OkStatus();
}

// The kinds differ in how a program learns that its input is over; at a terminal by TellEnd.
void EntryProcess::EndInput() {
  if (kind_ == Kind::kInput && input_.is_open()) {
    AgentCommand end;
    end.kind = AgentCommand::Kind::kEndInput;
    if (send(shim_.get(), &end, sizeof(end), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
      input_lost_ = absl::ErrnoToStatus(errno, "cannot end the job's standard input");
    }
  }
  input_ended_ = true;
  switch (kind_) {
    case Kind::kInput:
    case Kind::kPipes:
      input_.Close();
      return;
    case Kind::kConnection:
      // Before it is there, Receive does this.
      if (input_.is_open()) {
        shutdown(input_.get(), SHUT_WR);
      }
      return;
    case Kind::kTerminal:
      return;
  }
}

void EntryProcess::NoteUse() {
  const int64_t now = BootTimeNs();
  if (!shim_.is_open() || now - used_ns_ < kUseIntervalNs) {
    return;
  }
  used_ns_ = now;
  int unread_bytes = 0;
  if (ioctl(shim_.get(), SIOCOUTQ, &unread_bytes) == 0 && unread_bytes > kUnreadBytesMax) {
    return;
  }
  AgentCommand used;
  used.kind = AgentCommand::Kind::kUsed;
  // A shim that has ended takes its task along.
  const ssize_t sent = send(shim_.get(), &used, sizeof(used), MSG_NOSIGNAL | MSG_DONTWAIT);
  static_cast<void>(sent);
}

}  // namespace berth
