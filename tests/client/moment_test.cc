#include "client/moment.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

absl::Time Utc(const char* text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime("%Y-%m-%d %H:%M:%S", text, &time, &error)) << error;
  return time;
}

absl::StatusOr<absl::Time> Parse(const char* text) {
  return ParseMoment(text, Utc("2026-11-25 13:30:00"), absl::UTCTimeZone());
}

TEST(ParseMoment, ReadsDaysClocksAndLengths) {
  EXPECT_EQ(Parse("2026-12-06 08:00").value(), Utc("2026-12-06 08:00:00"));
  EXPECT_EQ(Parse("2026-12-06T08:00:07").value(), Utc("2026-12-06 08:00:07"));
  EXPECT_EQ(Parse("2026-12-06").value(), Utc("2026-12-06 00:00:00"));
  EXPECT_EQ(Parse("2026-12-06T08:00:00+08:00").value(), Utc("2026-12-06 00:00:00"));
  EXPECT_EQ(Parse("+2h30m").value(), Utc("2026-11-25 16:00:00"));
}

TEST(ParseMoment, AClockMeansTheNextTimeItShows) {
  EXPECT_EQ(Parse("22:00").value(), Utc("2026-11-25 22:00:00"));
  EXPECT_EQ(Parse("08:00").value(), Utc("2026-11-26 08:00:00"));
  EXPECT_EQ(Parse("13:30").value(), Utc("2026-11-26 13:30:00"));
}

TEST(ParseMoment, RefusesTheRest) {
  for (const char* text : {"", "soon", "25:00", "2026-13-01", "2026-12-06 8", "+", "+2", "2h"}) {
    EXPECT_FALSE(Parse(text).ok()) << text;
  }
}

absl::StatusOr<absl::Time> ParseOver(const char* text) {
  return ParsePast(text, Utc("2026-11-25 13:30:00"), absl::UTCTimeZone());
}

TEST(ParsePast, ReadsLengthsAgoAndDays) {
  EXPECT_EQ(ParseOver("10m").value(), Utc("2026-11-25 13:20:00"));
  EXPECT_EQ(ParseOver("1h30m").value(), Utc("2026-11-25 12:00:00"));
  EXPECT_EQ(ParseOver("2026-11-06 08:00").value(), Utc("2026-11-06 08:00:00"));
  EXPECT_EQ(ParseOver("2026-11-06T08:00:00+08:00").value(), Utc("2026-11-06 00:00:00"));
}

TEST(ParsePast, AClockMeansTheLastTimeItShowed) {
  EXPECT_EQ(ParseOver("22:00").value(), Utc("2026-11-24 22:00:00"));
  EXPECT_EQ(ParseOver("08:00").value(), Utc("2026-11-25 08:00:00"));
  EXPECT_EQ(ParseOver("13:30").value(), Utc("2026-11-25 13:30:00"));
}

TEST(ParsePast, RefusesTheRest) {
  for (const char* text : {"", "soon", "25:00", "+2h", "10"}) {
    EXPECT_FALSE(ParseOver(text).ok()) << text;
  }
}

}  // namespace
}  // namespace berth
