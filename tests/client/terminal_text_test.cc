#include "client/terminal_text.h"

#include <string>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

namespace berth {
namespace {

std::string Safe(const std::string& text) {
  TerminalText terminal(false);
  const std::string safe(terminal.Pass(text));
  return safe + terminal.End();
}

TEST(TerminalText, WhatProgramsWriteForPeoplePasses) {
  for (const char* text : {"step 1\n", "a\tb", "10 %\r20 %\r\n", "|\b/\b-", "\x1b[31mred\x1b[0m",
                           "\x1b[m", "\x1b[1;38;5;208mx", "\x1b[38:2::1:2:3mx",
                           "\xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x9a\x80 \xc3\xa9"}) {
    EXPECT_EQ(Safe(text), text);
  }
}

TEST(TerminalText, EverythingElseIsShown) {
  EXPECT_EQ(Safe("\x1b]0;title\x07"), "^[]0;title^G");
  EXPECT_EQ(Safe("\x1b[2J\x1b[1;1H"), "^[[2J^[[1;1H");
  EXPECT_EQ(Safe("\x1b\x1b[31m"), "^[\x1b[31m");
  EXPECT_EQ(Safe("\x1bP1$r\x1b\\"), "^[P1$r^[\\");
  EXPECT_EQ(Safe("\x0e\x7f\x0b"), "^N^?^K");
  EXPECT_EQ(Safe(std::string("a\0b", 3)), "a^@b");
  EXPECT_EQ(Safe("\xc2\x9b"
                 "2J"),
            "\\x9b2J");
  EXPECT_EQ(Safe("\xc2\xa0"), "\xc2\xa0");
  EXPECT_EQ(Safe("\x9b"
                 "2J\xff\xc0\x9b"),
            "\\x9b2J\\xff\\xc0\\x9b");
  EXPECT_EQ(Safe("\x1b[" + std::string(100, '1') + "m"), "^[[" + std::string(100, '1') + "m");
}

TEST(TerminalText, PiecesMayEndAnywhere) {
  const std::string text = "\x1b[31mr\xe4\xbd\xa0\x1b[2J\xc2\x9b\xf0\x9f\x9a\x80\x1b[0m\n";
  const std::string expected = Safe(text);
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    TerminalText terminal(false);
    std::string safe(terminal.Pass(text.substr(0, cut)));
    absl::StrAppend(&safe, terminal.Pass(text.substr(cut)));
    EXPECT_EQ(safe + terminal.End(), expected) << cut;
  }
  EXPECT_EQ(Safe("end\x1b"), "end^[");
  EXPECT_EQ(Safe("end\x1b[3"), "end^[[3");
  EXPECT_EQ(Safe("end\xe4\xbd"), "end\\xe4\\xbd");
}

TEST(TerminalText, RawIsByteForByte) {
  TerminalText terminal(true);
  EXPECT_EQ(terminal.Pass("\x1b[2J\xff\x1b"), "\x1b[2J\xff\x1b");
  EXPECT_EQ(terminal.End(), "");
}

}  // namespace
}  // namespace berth
