#include "client/ignore_rules.h"

#include <string>

#include <gtest/gtest.h>

namespace berth {
namespace {

// "ignored", "kept" (by a "!"), or "": no rule matches.
std::string Decide(const std::string& rules, const std::string& path, bool is_folder = false) {
  const auto decision = IgnoreRules(rules).Decide(path, is_folder);
  return !decision.has_value() ? "" : *decision ? "ignored" : "kept";
}

struct Case {
  const char* rules;
  const char* path;
  bool ignored;
};

TEST(IgnoreRules, MatchAsGitDoes) {
  const Case cases[] = {
      {"*.o",          "a.o",               true },
      {"*.o",          "d/a.o",             true },
      {"*.o",          "a.oo",              false},
      {"*.o",          ".o",                true },
      {"build",        "x/y/build",         true },
      {"build",        "builds",            false},
      {"/build",       "build",             true },
      {"/build",       "x/build",           false},
      {"doc/a.txt",    "doc/a.txt",         true },
      {"doc/a.txt",    "x/doc/a.txt",       false},
      {"doc/*.txt",    "doc/a.txt",         true },
      {"doc/*.txt",    "doc/x/a.txt",       false},
      {"**/foo",       "foo",               true },
      {"**/foo",       "a/b/foo",           true },
      {"**/foo",       "afoo",              false},
      {"**/foo/bar",   "x/foo/bar",         true },
      {"abc/**",       "abc/x/y",           true },
      {"abc/**",       "abc",               false},
      {"a/**/b",       "a/b",               true },
      {"a/**/b",       "a/x/y/b",           true },
      {"a/**/b",       "a/xb",              false},
      {"a/**/b",       "ab",                false},
      {"a**b",         "axxb",              true },
      {"d/a**b",       "d/a/b",             false},
      {"?",            "a",                 true },
      {"d?e",          "d/e",               false},
      {"[abc].txt",    "b.txt",             true },
      {"[a-c].txt",    "d.txt",             false},
      {"[!a-c].txt",   "d.txt",             true },
      {"[^a-c].txt",   "a.txt",             false},
      {"[]x].txt",     "].txt",             true },
      {"[[:digit:]]x", "7x",                true },
      {"[[:digit:]]x", "ax",                false},
      {"[a",           "[a",                false},
      {"\\[a",         "[a",                true },
      {"\\#a",         "#a",                true },
      {"#a",           "#a",                false},
      {"\\!a",         "!a",                true },
      {"a  ",          "a",                 true },
      {"a\\ ",         "a ",                true },
      {"a\r",          "a",                 true },
      {"\xef\xbb\xbf"
       "a",     "a",                 true },
      {"/",            "a",                 false},
      {"*",            "a/b",               true },
      {"a/*/c",        "a/b/c",             true },
      {"a/*/c",        "a/b/b/c",           false},
      {"*a*b*c*d*e",   "aaaabbbbccccddddX", false},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(Decide(one.rules, one.path), one.ignored ? "ignored" : "")
        << one.rules << " on " << one.path;
  }
}

TEST(IgnoreRules, ATrailingSlashMeansFolders) {
  EXPECT_EQ(Decide("data/", "data", true), "ignored");
  EXPECT_EQ(Decide("data/", "x/data", true), "ignored");  // it anchors nothing
  EXPECT_EQ(Decide("data/", "data", false), "");
  EXPECT_EQ(Decide("/data/", "x/data", true), "");
}

TEST(IgnoreRules, TheLastRuleThatMatchesCounts) {
  EXPECT_EQ(Decide("*.log\n!keep.log\n", "keep.log"), "kept");
  EXPECT_EQ(Decide("!keep.log\n*.log\n", "keep.log"), "ignored");
  EXPECT_EQ(Decide("*\n!*.py\n!/sub/\n", "a.py"), "kept");
  EXPECT_EQ(Decide("*\n!*.py\n!/sub/\n", "sub", true), "kept");
  EXPECT_EQ(Decide("*\n!*.py\n!/sub/\n", "a.txt"), "ignored");
}

// Rule: no pattern takes more time than its length times the text's.
TEST(IgnoreRules, ManyStarsTakeNoTime) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) {
    pattern += "*a";
  }
  EXPECT_EQ(Decide(pattern + "b", std::string(2000, 'a')), "");
  EXPECT_EQ(Decide(pattern, std::string(2000, 'a')), "ignored");
}

}  // namespace
}  // namespace berth
