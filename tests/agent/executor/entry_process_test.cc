#include "agent/executor/entry_process.h"

#include <string>

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
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

}  // namespace
}  // namespace berth
