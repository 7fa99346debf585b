#include "agent/shim/notice.h"

#include <string>

#include <gtest/gtest.h>

namespace berth {
namespace {

// Of a task that told nothing before; the count tells whether it was taken.
ShimNotice Taken(const std::string& lines) {
  ShimNotice notice;
  const char* refused = TakeNotice(lines, 100, notice);
  EXPECT_EQ(refused == nullptr, notice.count == 1) << lines;
  return notice;
}

TEST(NoticeTest, EveryPartIsTaken) {
  const ShimNotice notice = Taken("checkpoint=step=12000\nprogress=0.4\ntext=epoch 3, a=b\n\n");
  EXPECT_STREQ(notice.checkpoint, "step=12000");
  EXPECT_EQ(notice.progress_milli, 400);
  EXPECT_STREQ(notice.text, "epoch 3, a=b");
  EXPECT_EQ(notice.at_ns, 100);
  EXPECT_EQ(notice.checkpoint_at_ns, 100);
}

TEST(NoticeTest, WhatANoticeDoesNotNameStays) {
  ShimNotice notice = Taken("checkpoint=a\nprogress=0.4");
  EXPECT_EQ(TakeNotice("text=later\n", 200, notice), nullptr);
  EXPECT_STREQ(notice.checkpoint, "a");
  EXPECT_EQ(notice.checkpoint_at_ns, 100);
  EXPECT_EQ(notice.progress_milli, 400);
  EXPECT_EQ(notice.at_ns, 200);
  EXPECT_EQ(notice.count, 2);
}

TEST(NoticeTest, ProgressIsAPartOfOne) {
  for (const auto& [text, milli] : {
           std::pair{"0",                    0   },
           std::pair{"1",                    1000},
           std::pair{"1.000",                1000},
           std::pair{".25",                  250 },
           std::pair{"0.9999",               999 },
           std::pair{"0.123456789012345678", 123 },
           std::pair{"1.",                   1000},
  }) {
    EXPECT_EQ(Taken(std::string("progress=") + text).progress_milli, milli) << text;
  }
  for (const char* text : {"", ".", "1.001", "2", "-0.1", "0.4x", "4e-1", "nan", "0.1.2", "40 %"}) {
    EXPECT_EQ(Taken(std::string("progress=") + text).count, 0) << text;
  }
}

TEST(NoticeTest, WhatIsNoNoticeIsRefusedWhole) {
  ShimNotice notice = Taken("checkpoint=a");
  for (const std::string& lines :
       {std::string(), std::string("\n"), std::string("checkpoint"), std::string("=x"),
        std::string("checkpoint="), std::string("job=7"), std::string("text=a\nstep=4"),
        std::string("text=a\ntext=b"), std::string("checkpoint=b\nprogress=2"),
        "checkpoint=" + std::string(65, 'c'), "text=" + std::string(kNoticeBytesMax, 't')}) {
    EXPECT_NE(TakeNotice(lines, 200, notice), nullptr) << lines;
    EXPECT_EQ(notice.count, 1) << lines;
    EXPECT_STREQ(notice.checkpoint, "a") << lines;
  }
}

TEST(NoticeTest, ALongTextIsCutBetweenCharacters) {
  EXPECT_EQ(std::string(Taken("text=" + std::string(300, 'x')).text), std::string(256, 'x'));
  EXPECT_EQ(std::string(Taken("text=" + std::string(255, 'x') + "\xc3\xa9").text),
            std::string(255, 'x'));
}

// Nothing that a job writes breaks out of a part, whatever bytes it is made of.
TEST(NoticeTest, AnyBytesAreTakenOrRefused) {
  std::string lines = "text=";
  for (int byte = 1; byte < 256; ++byte) {
    lines += byte == '\n' ? ' ' : static_cast<char>(byte);
  }
  EXPECT_EQ(Taken(lines).count, 1);
  for (size_t size = 0; size < lines.size(); ++size) {
    ShimNotice notice;
    TakeNotice(lines.substr(size), 1, notice);
    EXPECT_EQ(notice.text[kNoticeTextBytesMax], 0);
    EXPECT_EQ(notice.checkpoint[kCheckpointBytesMax], 0);
  }
}

}  // namespace
}  // namespace berth
