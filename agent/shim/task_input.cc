#include "agent/shim/task_input.h"

#include <cstring>

#include "agent/shim/local_socket.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace berth {
namespace {

void CloseOnce(int& descriptor) {
  if (descriptor >= 0) {
    close(descriptor);
    descriptor = -1;
  }
}

}  // namespace

TaskInput::~TaskInput() {
  for (int* descriptor : {&pipe_.reader, &pipe_.writer, &listener_}) {
    CloseOnce(*descriptor);
  }
}

bool TaskInput::Open(const TaskFile& task) {
  if (task.open_stdin == 0) {
    return true;
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return false;
  }
  pipe_ = {ends[0], ends[1]};
  constexpr int kBacklog = 4;
  // /dev/stdin is opened again as the task's user.
  const bool is_users = task.user_id < 0 || fchown(pipe_.reader, static_cast<uid_t>(task.user_id),
                                                   static_cast<gid_t>(task.group_id)) == 0;
  listener_ = is_users ? ListenHere(kInputSocketName, SOCK_SEQPACKET, kBacklog) : -1;
  // All who write share this: none of them waits in a write.
  return listener_ >= 0 && fcntl(pipe_.writer, F_SETFL, O_NONBLOCK) == 0;
}

void TaskInput::CloseReader() {
  CloseOnce(pipe_.reader);
}

void TaskInput::Give() const {
  const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (connection < 0) {
    return;
  }
  char byte = 0;
  iovec data{&byte, sizeof(byte)};
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
  std::memcpy(CMSG_DATA(header), &pipe_.writer, sizeof(pipe_.writer));
  // Who has gone meanwhile gets nothing.
  const ssize_t sent = sendmsg(connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  static_cast<void>(sent);
  close(connection);
}

void TaskInput::End() {
  if (listener_ >= 0) {
    unlink(kInputSocketName);
    CloseOnce(listener_);
    CloseOnce(pipe_.writer);
  }
}

}  // namespace berth
