#include "agent/shim/log_stamps.h"

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

constexpr int64_t kNoon = 1'790'000'000'000'000;
using Stamps = std::vector<std::pair<int64_t, int64_t>>;  // offset, time after noon

class LogStamps : public ::testing::Test {
 protected:
  std::string Path() const { return dir_.File("rank-00000.log"); }
  Stamps Read(int64_t begin) const {
    std::ifstream file(LogStampPath(Path(), begin), std::ios::binary);
    Stamps stamps;
    StampRecord stamp;
    while (file.read(reinterpret_cast<char*>(&stamp), sizeof(stamp))) {
      stamps.emplace_back(stamp.offset, stamp.time_us - kNoon);
    }
    return stamps;
  }

  TempDir dir_;
};

TEST_F(LogStamps, BytesThatFollowCloselyKeepTheTime) {
  StampWriter writer(Path());
  writer.Stamp(0, kNoon);
  writer.Stamp(63, kNoon + 9'999);
  writer.Stamp(64, kNoon + 9'999);   // far enough in bytes
  writer.Stamp(65, kNoon + 19'999);  // far enough in time
  EXPECT_EQ(Read(0), (Stamps{
                         {0,  0     },
                         {64, 9'999 },
                         {65, 19'999}
  }));
  EXPECT_EQ(writer.size(), 3 * static_cast<int64_t>(sizeof(StampRecord)));
}

TEST_F(LogStamps, TimeNeverFallsThoughTheClockDoes) {
  StampWriter writer(Path());
  writer.Stamp(0, kNoon);
  writer.Stamp(100, kNoon - 5'000'000);
  writer.BeginSegment(200);
  writer.Stamp(200, kNoon - 1);
  writer.Stamp(300, kNoon + 1);
  EXPECT_EQ(Read(0), (Stamps{
                         {0,   0},
                         {100, 0}
  }));
  EXPECT_EQ(Read(200), (Stamps{
                           {200, 0},
                           {300, 1}
  }));
}

TEST_F(LogStamps, ATornRecordIsWrittenOver) {
  std::ofstream(LogStampPath(Path(), 0), std::ios::binary) << "torn";
  StampWriter writer(Path());
  writer.Stamp(0, kNoon);
  EXPECT_EQ(Read(0), (Stamps{
                         {0, 0}
  }));
}

}  // namespace
}  // namespace berth
