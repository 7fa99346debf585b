#include "agent/executor/shim_process.h"

#include <cstdio>

#include <gtest/gtest.h>

#include "tests/testing/temp_dir.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace berth {
namespace {

// The kernel tells of the unread command before it hands out what was said before.
TEST(ShimProcess, WhatAShimSaidBeforeItDiedIsHeard) {
  const TempDir dir;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof(address.sun_path), "%s",
                dir.File(kSocketFileName).c_str());
  const int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  const int folder = open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  auto process = ShimProcess::Find(folder);
  ASSERT_TRUE(process.ok()) << process.status();
  const int shim = accept(listener, nullptr, nullptr);
  ShimEvent event;
  event.kind = ShimEvent::Kind::kStarted;
  ASSERT_EQ(send(shim, &event, sizeof(event), 0), static_cast<ssize_t>(sizeof(event)));
  process->Send({.kind = AgentCommand::Kind::kStop});
  close(shim);

  int heard = 0;
  bool ended = false;
  for (int reads = 0; reads < 10 && !ended; ++reads) {
    heard += process->Receive(ended).has_value() ? 1 : 0;
  }
  EXPECT_EQ(heard, 1);
  EXPECT_TRUE(ended);
  close(folder);
  close(listener);
}

}  // namespace
}  // namespace berth
