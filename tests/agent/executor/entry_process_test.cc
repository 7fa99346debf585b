#include "agent/executor/entry_process.h"

#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "agent/shim/local_socket.h"
#include "agent/shim/shim_protocol.h"
#include "tests/testing/temp_dir.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

namespace berth {
namespace {

// A terminal, and a program at it.
class TypeEndOfInputTest : public ::testing::Test {
 protected:
  TypeEndOfInputTest()
      : terminal_(posix_openpt(O_RDWR | O_NOCTTY)), program_((unlockpt(terminal_.get()), Open())) {}

  int Open() const { return ioctl(terminal_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY); }

  void SetModes(tcflag_t set, tcflag_t cleared) {
    termios modes{};
    ASSERT_EQ(tcgetattr(program_.get(), &modes), 0);
    modes.c_lflag = (modes.c_lflag | set) & ~cleared;
    ASSERT_EQ(tcsetattr(program_.get(), TCSANOW, &modes), 0);
  }

  bool HasInput() const {
    pollfd input{program_.get(), POLLIN, 0};
    return poll(&input, 1, 0) == 1;
  }

  std::string Read() const {
    char bytes[64];
    const ssize_t size = HasInput() ? read(program_.get(), bytes, sizeof(bytes)) : -1;
    return size < 0 ? "nothing" : std::string(bytes, static_cast<size_t>(size));
  }

  const Descriptor terminal_;
  const Descriptor program_;
};

TEST_F(TypeEndOfInputTest, EveryReaderOfLinesIsToldOnce) {
  for (int reader = 0; reader < 2; ++reader) {
    TypeEndOfInput(terminal_.get());
    TypeEndOfInput(terminal_.get());
    EXPECT_EQ(Read(), "");
    EXPECT_EQ(Read(), "nothing");
  }
}

TEST_F(TypeEndOfInputTest, WhatWasTypedBeforeIsReadBefore) {
  ASSERT_EQ(write(terminal_.get(), "last\n", 5), 5);
  TypeEndOfInput(terminal_.get());
  EXPECT_EQ(Read(), "last\n");
  EXPECT_EQ(Read(), "nothing");
  TypeEndOfInput(terminal_.get());
  EXPECT_EQ(Read(), "");
}

TEST_F(TypeEndOfInputTest, AReaderOfKeysIsLeftAlone) {
  SetModes(0, ICANON | ECHO);
  TypeEndOfInput(terminal_.get());
  EXPECT_EQ(Read(), "nothing");
  SetModes(ICANON, 0);
  TypeEndOfInput(terminal_.get());
  EXPECT_EQ(Read(), "");
}

TEST_F(TypeEndOfInputTest, NoTerminalIsNoMistake) {
  TypeEndOfInput(-1);
}

// A task's standard input, with the test in the place of the task and of its shim.
class OpenInputTest : public ::testing::Test {
 protected:
  OpenInputTest() {
    signal(SIGPIPE, SIG_IGN);  // as in the agent
    int sockets[2];
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    EXPECT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    target_.folder = dir_.path();
    target_.shim = Descriptor(sockets[0]);
    shim_ = Descriptor(sockets[1]);
    reader_ = Descriptor(ends[0]);
    writer_ = Descriptor(ends[1]);
    listener_ = Descriptor(MakeListener(SOCK_SEQPACKET));
    EXPECT_TRUE(ListenAt(listener_.get(), Path().c_str(), 4));
    fcntl(listener_.get(), F_SETFL, 0);
  }

  std::string Path() const { return dir_.File(kInputSocketName); }

  // The shim's part of one OpenInput.
  void Give() const {
    const Descriptor connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const char byte = 0;
    EXPECT_TRUE(SendDescriptor(connection.get(), &byte, sizeof(byte), writer_.get(), 0));
  }
  absl::StatusOr<std::unique_ptr<EntryProcess>> TryOpen() const {
    std::thread shim([this] { Give(); });
    auto opened = EntryProcess::OpenInput(target_);
    shim.join();
    return opened;
  }
  std::unique_ptr<EntryProcess> Open() const {
    auto opened = TryOpen();
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *std::move(opened) : nullptr;
  }

  std::string Read() const {
    char bytes[64];
    const ssize_t size = read(reader_.get(), bytes, sizeof(bytes));
    return size < 0 ? "nothing" : std::string(bytes, static_cast<size_t>(size));
  }
  bool IsEndTold() const {
    AgentCommand told;
    return recv(shim_.get(), &told, sizeof(told), MSG_DONTWAIT) == sizeof(told) &&
           told.kind == AgentCommand::Kind::kEndInput;
  }

  TempDir dir_;
  EntryTarget target_;
  Descriptor shim_;
  Descriptor reader_;
  Descriptor writer_;
  Descriptor listener_;
};

TEST_F(OpenInputTest, PassesBytesAndTellsTheShimOfTheEnd) {
  const auto input = Open();
  input->TakeInput("bytes");
  input->PassInput();
  EXPECT_EQ(Read(), "bytes");
  EXPECT_FALSE(input->FindInputEnd().has_value());
  EXPECT_FALSE(IsEndTold());
  input->EndInput();
  ASSERT_TRUE(input->FindInputEnd().has_value());
  EXPECT_TRUE(input->FindInputEnd()->ok());
  EXPECT_TRUE(IsEndTold());
}

TEST_F(OpenInputTest, WhoLeavesEndsNothing) {
  Open().reset();
  EXPECT_FALSE(IsEndTold());
  EXPECT_EQ(Read(), "nothing");
}

TEST_F(OpenInputTest, AnotherOnesEndIsNoticed) {
  const auto input = Open();
  EXPECT_FALSE(input->FindInputEnd().has_value());
  ASSERT_EQ(unlink(Path().c_str()), 0);
  ASSERT_TRUE(input->FindInputEnd().has_value());
  EXPECT_TRUE(input->FindInputEnd()->ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(EntryProcess::OpenInput(target_).status()));
}

TEST_F(OpenInputTest, WhatNobodyReadsIsToldAsLost) {
  const auto idle = Open();
  const auto busy = Open();
  busy->TakeInput("lost");
  reader_.Close();
  EXPECT_TRUE(idle->FindInputEnd()->ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(*busy->FindInputEnd()));
  busy->PassInput();
  EXPECT_FALSE(busy->has_pending());
  EXPECT_TRUE(absl::IsFailedPrecondition(*busy->FindInputEnd()));
  EXPECT_TRUE(absl::IsFailedPrecondition(TryOpen().status()));
}

// The agent's own thread speaks to the shim by the same socket, and would wait for room.
TEST_F(OpenInputTest, AShimThatReadsNothingIsNotToldOfEveryUse) {
  const auto input = Open();
  const AgentCommand lease{.kind = AgentCommand::Kind::kSetLease};
  constexpr int kUnread = 32;
  for (int i = 0; i < kUnread; ++i) {
    ASSERT_EQ(send(target_.shim.get(), &lease, sizeof(lease), 0), sizeof(lease));
  }
  input->TakeInput("bytes");
  input->PassInput();
  EXPECT_EQ(Read(), "bytes");
  int told = 0;
  AgentCommand command;
  while (recv(shim_.get(), &command, sizeof(command), MSG_DONTWAIT) == sizeof(command)) {
    ++told;
  }
  EXPECT_EQ(told, kUnread);
}

}  // namespace
}  // namespace berth
