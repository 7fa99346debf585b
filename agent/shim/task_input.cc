#include "agent/shim/task_input.h"

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
  const char byte = 0;
  // Who has gone meanwhile gets nothing.
  static_cast<void>(SendDescriptor(connection, &byte, sizeof(byte), pipe_.writer, MSG_DONTWAIT));
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
