#include "common/quantity.h"

#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

#include "common/error_detail.h"

namespace berth {
namespace {

TEST(ParseDuration, ReadsEveryUnitAndTheirSums) {
  EXPECT_EQ(*ParseDuration("250ms"), absl::Milliseconds(250));
  EXPECT_EQ(*ParseDuration("90s"), absl::Seconds(90));
  EXPECT_EQ(*ParseDuration("5m"), absl::Minutes(5));
  EXPECT_EQ(*ParseDuration("36h"), absl::Hours(36));
  EXPECT_EQ(*ParseDuration("2d"), absl::Hours(48));
  EXPECT_EQ(*ParseDuration("1h30m"), absl::Minutes(90));
  EXPECT_EQ(*ParseDuration("1.5h"), absl::Minutes(90));
  EXPECT_EQ(*ParseDuration("0s"), absl::ZeroDuration());
}

TEST(ParseDuration, RefusesWhatHasNoUnitAndSaysHowToWriteIt) {
  const auto status = ParseDuration("90").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const auto detail = FindDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->fix.at(0), "write 90s, 90m or 90h");
}

TEST(ParseDuration, RefusesNonsense) {
  for (const char* text : {"", " ", "-5m", "5", "m", "5x", "5m5h", "5m5m", "1..5h", ".5h", "1e5s",
                           "12:30:00", "999999999999999999d", "nan", "5 m", "5mm"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(FormatDuration, SaysExactlyWhatParseReads) {
  for (const char* text : {"36h", "1h30m", "2d", "5m", "90h", "250ms", "1m30s", "0s", "7d"}) {
    EXPECT_EQ(berth::FormatDuration(*ParseDuration(text)), text);
  }
  EXPECT_EQ(berth::FormatDuration(absl::Seconds(-5)), "-5s");
  EXPECT_EQ(berth::FormatDuration(absl::Milliseconds(std::numeric_limits<int64_t>::min())),
            "-2562047788015h12m55s808ms");
}

TEST(ParseMemoryMib, ReadsBinaryUnitsAndRoundsUp) {
  EXPECT_EQ(*ParseMemoryMib("512MiB"), 512);
  EXPECT_EQ(*ParseMemoryMib("1.5GiB"), 1536);
  EXPECT_EQ(*ParseMemoryMib("2TiB"), 2 * 1024 * 1024);
  EXPECT_EQ(*ParseMemoryMib("16G"), 16 * 1024);
  EXPECT_EQ(*ParseMemoryMib("800M"), 800);
  EXPECT_EQ(*ParseMemoryMib("1KiB"), 1);
  EXPECT_EQ(*ParseMemoryMib("16 GB"), 16 * 1024);
}

TEST(ParseMemoryMib, RefusesNonsense) {
  for (const char* text : {"", "5", "-1G", "G", "1X", "1GiBB", "1GB/s", "1e9G", "999999999999P"}) {
    EXPECT_FALSE(ParseMemoryMib(text).ok()) << text;
  }
}

TEST(FormatSize, HasTwoDigitsOrMore) {
  EXPECT_EQ(FormatSize(0), "0 B");
  EXPECT_EQ(FormatSize(1023), "1023 B");
  EXPECT_EQ(FormatSize(1536), "1.5 KiB");
  EXPECT_EQ(FormatSize(41 << 10), "41 KiB");
  EXPECT_EQ(FormatSize(200 << 20), "200 MiB");
  EXPECT_EQ(FormatSize(int64_t{3} << 40), "3.0 TiB");
}

}  // namespace
}  // namespace berth
