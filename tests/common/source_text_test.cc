#include "common/source_text.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(SourceText, TheFirstErrorIsKeptWithItsPlaceItsLineAndACaret) {
  SourceText source("a.toml", "one\ntwo = 2\n");
  EXPECT_TRUE(source.first_error().ok());
  source.Fail({2, 5}, 1, {.code = "B1203", .message = "not that", .why = "", .fix = "write three"});
  source.Fail({1, 1}, 3, {.code = "B1203", .message = "later", .why = "", .fix = ""});
  EXPECT_EQ(source.first_error().message(), "a.toml:2:5: not that");
  const auto detail = FindDetail(source.first_error());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->code, "B1203");
  EXPECT_EQ(detail->why, (std::vector<std::string>{"2 | two = 2", "  |     ^"}));
  EXPECT_EQ(detail->fix, std::vector<std::string>{"write three"});
}

TEST(SourceText, WhatStandsInNoLineNamesTheFileAlone) {
  SourceText source("a.toml", "");
  source.Fail({}, 3, {.code = "B1203", .message = "not that", .why = "", .fix = ""});
  EXPECT_EQ(source.first_error().message(), "a.toml: not that");
  EXPECT_TRUE(FindDetail(source.first_error())->why.empty());
}

TEST(SourceText, NoFileIsNothing) {
  EXPECT_FALSE(ReadSource("/no/such/file").has_value());
  EXPECT_EQ(ReadSource("/dev/null").value_or("nothing"), "");
}

}  // namespace
}  // namespace berth
