#include "client/job_file.h"

#include <gtest/gtest.h>

#include "common/error_detail.h"

namespace berth {
namespace {

std::vector<std::string> Split(const std::string& text) {
  const auto words = SplitShellWords(text, {});
  EXPECT_TRUE(words.ok()) << words.status();
  std::vector<std::string> texts;
  for (const Word& word : words.value_or(std::vector<Word>())) {
    texts.push_back(word.text);
  }
  return texts;
}

using Strings = std::vector<std::string>;

TEST(SplitShellWords, FollowsTheShell) {
  EXPECT_EQ(Split("  a  b\tc "), (Strings{"a", "b", "c"}));
  EXPECT_EQ(Split("a'b c'd \"e f\""), (Strings{"ab cd", "e f"}));
  EXPECT_EQ(Split(R"(a\ b "\"\\\$" '\n' "\n")"), (Strings{"a b", "\"\\$", "\\n", "\\n"}));
  EXPECT_EQ(Split("'' \"\""), (Strings{"", ""}));
  EXPECT_EQ(Split("a#b #c d"), (Strings{"a#b"}));
  EXPECT_EQ(Split("# all"), (Strings{}));
  EXPECT_EQ(Split("$HOME `x` *"), (Strings{"$HOME", "`x`", "*"}));
}

TEST(SplitShellWords, AnOpenQuoteIsAnErrorAtItsPlace) {
  const Origin origin{.file = "j.sh", .line = 2, .column = 1, .width = 0, .line_text = "a \"b"};
  EXPECT_EQ(SplitShellWords("a \"b", origin).status().message(),
            "j.sh:2:3: this quote is not closed");
  EXPECT_FALSE(SplitShellWords("'x", {}).ok());
}

TEST(ParseJobFile, TakesDirectivesBeforeTheFirstCommandOnly) {
  const auto file = ParseJobFile(
      "#!/bin/sh\n# a comment\n\n#BERTH --nodes 2 # two\n#BERTHX --no\n#BERTH -t 1h\n"
      "echo\n#BERTH --late\n",
      "j.sh");
  ASSERT_TRUE(file.ok()) << file.status();
  Strings words;
  for (const Word& word : file->directives) {
    words.push_back(word.text);
  }
  EXPECT_EQ(words, (Strings{"--nodes", "2", "-t", "1h"}));
  ASSERT_EQ(file->notes.size(), 1u);
  EXPECT_EQ(file->notes[0],
            "j.sh:8: this #BERTH line is ignored: it comes after the first command");
  EXPECT_EQ(file->directives[1].origin.line, 4);
  EXPECT_EQ(file->directives[1].origin.column, 16);
}

TEST(ParseJobFile, ReadsTheFirst32KibOnly) {
  const std::string filler = "#" + std::string(40000, 'x') + "\n";
  const auto file = ParseJobFile("#BERTH --nodes 2\n" + filler + "#BERTH --nodes 3\nrun\n", "j.sh");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->directives.size(), 2u);
  EXPECT_EQ(file->notes.size(), 1u);
}

TEST(ParseJobFile, WindowsLineEndsAreNoPartOfAnOption) {
  const auto file = ParseJobFile("#BERTH --nodes 2\r\necho\r\n", "j.sh");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->directives.at(1).text, "2");
}

TEST(ParseJobFile, RefusesWhatIsNoScript) {
  EXPECT_EQ(ParseJobFile("", "j.sh").status().message(), "j.sh: the job script is empty");
  EXPECT_EQ(ParseJobFile(" \n\t\n", "j.sh").status().message(), "j.sh: the job script is empty");
  EXPECT_EQ(ParseJobFile(std::string((1 << 20) + 1, 'x'), "j.sh").status().message(),
            "j.sh: the job script is larger than 1 MiB");
  EXPECT_EQ(ParseJobFile(std::string("a\0b", 3), "j.sh").status().message(),
            "j.sh: this is a binary file, no script");
  EXPECT_FALSE(ParseJobFile("#!/bin/sh\r\ntrue\r\n", "j.sh").ok());
}

TEST(ReadJobText, AFolderAndAMissingFileAreTold) {
  EXPECT_EQ(ReadJobText("/nonexistent.sh").status().message(),
            "/nonexistent.sh: there is no such file");
  EXPECT_EQ(ReadJobText("/tmp").status().message(), "/tmp: this is a folder, no job script");
  EXPECT_EQ(ReadJobText("/tmp").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace berth
