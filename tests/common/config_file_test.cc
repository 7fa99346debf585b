#include "common/config_file.h"

#include <string>

#include <gtest/gtest.h>

#include "common/error_detail.h"

namespace berth {
namespace {

using StringPairs = std::vector<std::pair<std::string, std::string>>;

ConfigFile ParseOk(const std::string& text) {
  auto file = ConfigFile::Parse(text, "a.toml");
  EXPECT_TRUE(file.ok()) << file.status();
  return std::move(file).value();
}

TEST(ConfigFile, ReadsEveryTypeAndFallsBackWhenAbsent) {
  ConfigFile file = ParseOk(
      "listen = \"h:1\"\ncount = 3\n[lease]\ntimeout = \"30m\"\nstrict = true\n"
      "[devices]\nindexes = [0, 2]\nnames = [\"a\", \"b\"]\n[labels]\nzone = \"east\"\nrow = 7\n");
  EXPECT_EQ(file.String("", "listen", ""), "h:1");
  EXPECT_EQ(file.String("", "absent", "fallback"), "fallback");
  EXPECT_EQ(file.Integer("", "count", 0), 3);
  EXPECT_EQ(file.Duration("lease", "timeout", absl::ZeroDuration()), absl::Minutes(30));
  EXPECT_EQ(file.Duration("lease", "kill_timeout", absl::Seconds(5)), absl::Seconds(5));
  EXPECT_TRUE(file.Boolean("lease", "strict", false));
  EXPECT_EQ(file.Strings("devices", "indexes"), (std::vector<std::string>{"0", "2"}));
  EXPECT_EQ(file.Strings("devices", "names"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(file.Pairs("labels"), (StringPairs{
                                      {"row",  "7"   },
                                      {"zone", "east"}
  }));
  EXPECT_TRUE(file.Has("lease", "timeout"));
  EXPECT_FALSE(file.Has("lease", "kill_timeout"));
  EXPECT_TRUE(file.Finish().ok()) << file.Finish();
}

TEST(ConfigFile, ReadsTablesOfTables) {
  ConfigFile file =
      ParseOk("[[simulated]]\nclass = \"x\"\ncount = 8\n[[simulated]]\nclass = \"y\"\n");
  std::vector<ConfigFile> tables = file.Tables("simulated");
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_EQ(tables[0].String("", "class", ""), "x");
  EXPECT_EQ(tables[0].Integer("", "count", 1), 8);
  EXPECT_EQ(tables[1].String("", "class", ""), "y");
  EXPECT_EQ(tables[1].Integer("", "count", 1), 1);
  EXPECT_TRUE(file.Finish().ok()) << file.Finish();
}

TEST(ConfigFile, AnUnknownKeyNamesItsPlaceAndTheNearestName) {
  ConfigFile file = ParseOk("[lease]\n  timout = \"1m\"\n");
  file.Duration("lease", "timeout", absl::ZeroDuration());
  const absl::Status status = file.Finish();
  EXPECT_EQ(status.message(), "a.toml:2:3: unknown key \"timout\" in [lease]");
  const auto detail = FindDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->code, "B1203");
  EXPECT_EQ(detail->why, (std::vector<std::string>{"2 |   timout = \"1m\"", "  |   ^^^^^^"}));
  EXPECT_EQ(detail->fix, std::vector<std::string>{"did you mean \"timeout\"?"});
}

TEST(ConfigFile, AnUnknownSectionAndAnUnknownKeyOfATableAreRefused) {
  ConfigFile sections = ParseOk("[leese]\ntimeout = \"1m\"\n");
  sections.Duration("lease", "timeout", absl::ZeroDuration());
  EXPECT_EQ(sections.Finish().message(), "a.toml:1:2: unknown key \"leese\"");

  ConfigFile tables = ParseOk("[[simulated]]\nclass = \"x\"\ncuont = 2\n");
  for (ConfigFile& table : tables.Tables("simulated")) {
    table.String("", "class", "");
    table.Integer("", "count", 0);
  }
  EXPECT_EQ(tables.Finish().message(), "a.toml:3:1: unknown key \"cuont\" in [[simulated]]");
}

TEST(ConfigFile, AWrongTypeIsRememberedWithItsPlace) {
  ConfigFile file = ParseOk("listen = 3\n");
  EXPECT_EQ(file.String("", "listen", "fallback"), "fallback");
  EXPECT_EQ(file.Finish().message(), "a.toml:1:1: \"listen\" must be a string in quotes");

  ConfigFile section = ParseOk("lease = 3\n");
  section.Duration("lease", "timeout", absl::ZeroDuration());
  EXPECT_EQ(section.Finish().message(), "a.toml:1:1: \"lease\" must be a section, written [lease]");

  ConfigFile duration = ParseOk("[lease]\ntimeout = \"30\"\n");
  duration.Duration("lease", "timeout", absl::ZeroDuration());
  EXPECT_EQ(duration.Finish().message(), "a.toml:2:1: \"timeout\": \"30\" has no unit");
}

TEST(ConfigFile, ASyntaxErrorNamesLineAndColumn) {
  const auto file = ConfigFile::Parse("a = 1\nb = = 2\n", "a.toml");
  EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(file.status().message().find("a.toml:2:"), 0u) << file.status();
}

TEST(ConfigFile, OverridesReplaceAndAddValues) {
  ConfigFile file = ParseOk("listen = \"h:1\"\n[lease]\ntimeout = \"30m\"\n");
  EXPECT_TRUE(file.Override("listen=127.0.0.1:0").ok());
  EXPECT_TRUE(file.Override("lease.timeout=2s").ok());
  EXPECT_TRUE(file.Override("nodes.heartbeat_interval=1s").ok());
  EXPECT_TRUE(file.Override("devices.indexes=[1, 3]").ok());
  EXPECT_TRUE(file.Override("count=4").ok());
  EXPECT_TRUE(file.Override("quoted=\"a b\"").ok());
  EXPECT_EQ(file.String("", "listen", ""), "127.0.0.1:0");
  EXPECT_EQ(file.Duration("lease", "timeout", absl::ZeroDuration()), absl::Seconds(2));
  EXPECT_EQ(file.Duration("nodes", "heartbeat_interval", absl::ZeroDuration()), absl::Seconds(1));
  EXPECT_EQ(file.Strings("devices", "indexes"), (std::vector<std::string>{"1", "3"}));
  EXPECT_EQ(file.Integer("", "count", 0), 4);
  EXPECT_EQ(file.String("", "quoted", ""), "a b");
  EXPECT_TRUE(file.Finish().ok()) << file.Finish();
  EXPECT_FALSE(file.Override("listen").ok());
  EXPECT_FALSE(file.Override("=x").ok());
}

TEST(ConfigFile, AFileThatIsNotThereIsNotFound) {
  EXPECT_EQ(ConfigFile::Read("/nonexistent/a.toml").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(ConfigFile::Read("/").ok());
}

}  // namespace
}  // namespace berth
