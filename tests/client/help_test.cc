#include <algorithm>
#include <cstring>
#include <set>

#include <gtest/gtest.h>

#include "client/command.h"
#include "client/commands/commands.h"
#include "client/job_options.h"
#include "client/text.h"
#include "tests/client/fake_scheduler.h"

namespace berth {
namespace {

TEST(Help, FitsOneScreen) {
  const std::string help = OverallHelp();
  EXPECT_LE(std::count(help.begin(), help.end(), '\n'), 24);
  size_t begin = 0;
  for (size_t end = help.find('\n'); end != std::string::npos; end = help.find('\n', begin)) {
    EXPECT_LE(DisplayWidth(help.substr(begin, end - begin)), 80) << help.substr(begin, end - begin);
    begin = end + 1;
  }
}

TEST(Help, OfEveryCommandBeginsWithThreeExamples) {
  for (const Command* command : AllCommands()) {
    const Outcome outcome = RunBerth({"help", command->name}, {});
    EXPECT_EQ(outcome.code, 0) << command->name;
    EXPECT_EQ(outcome.out.find("Examples\n  berth "), 0u) << command->name;
    EXPECT_EQ(std::count(command->examples, command->examples + strlen(command->examples), '\n'), 3)
        << command->name;
  }
}

TEST(Help, TopicsAndTheListOfAllCommandsAreThere) {
  for (const char* topic : {"directives", "env", "exit-codes", "states", "reasons", "all"}) {
    const Outcome outcome = RunBerth({"help", topic}, {});
    EXPECT_EQ(outcome.code, 0) << topic;
    EXPECT_GT(outcome.out.size(), 200u) << topic;
  }
  EXPECT_EQ(RunBerth({"help", "nonsense-topic"}, {}).code, 2);
  EXPECT_EQ(RunBerth({"help", "reasons", "b2101"}, {}).out.find("B2101  "), 0u);
  const Outcome unknown = RunBerth({"help", "reasons", "B0000"}, {});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("there is no code \"B0000\"\n  fix:  berth help reasons"),
            std::string::npos)
      << unknown.err;
}

TEST(Commands, AWrongLineWithoutARemedyOfItsOwnNamesItsHelp) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"explain", "1", "2"},
           {"submit",         "-d",     "1.5", "--", "true"},
           {"node",    "drain"}
  }) {
    const Outcome outcome = RunBerth(words, {});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_NE(outcome.err.find("\n  fix:  berth "), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find(" --help\n"), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(RunBerth({"show", "-1"}, {}).err.find("error[B1301]: unknown option \"-1\"\n"), 0u);
}

TEST(Commands, AnUnknownOneNamesTheNearest) {
  EXPECT_NE(RunBerth({"squeue"}, {}).err.find("did you mean `berth ps`?"), std::string::npos);
  const Outcome outcome = RunBerth({"sumbit"}, {});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("did you mean `berth submit`?"), std::string::npos) << outcome.err;
  EXPECT_NE(RunBerth({"node", "drian", "n1"}, {}).err.find("did you mean `berth node drain`?"),
            std::string::npos);
  EXPECT_EQ(RunBerth({"node"}, {}).code, 2);
  EXPECT_EQ(RunBerth({}, {}).code, 2);
}

TEST(Commands, OptionNamesAndLettersAreUnique) {
  for (const Command* command : AllCommands()) {
    std::set<std::string> names;
    std::set<char> letters;
    std::vector<std::span<const Option>> tables = {command->options, CommonOptions()};
    if (command->takes_job_options) {
      tables.push_back(JobOptions());
    }
    for (const auto& table : tables) {
      for (const Option& option : table) {
        EXPECT_TRUE(names.insert(option.name).second) << command->name << " --" << option.name;
        EXPECT_TRUE(option.letter == 0 || letters.insert(option.letter).second)
            << command->name << " -" << option.letter;
      }
    }
  }
}

TEST(Commands, TheVersionNeedsNoScheduler) {
  EXPECT_EQ(RunBerth({"version"}, {}).out.find("berth "), 0u);
  EXPECT_EQ(RunBerth({"--version"}, {}).code, 0);
}

TEST(Commands, CommonOptionsMayComeFirst) {
  const Outcome outcome = RunBerth(
      {
          "-o", "json", "version"
  },
      {{"BERTH_CONFIG", "/dev/null"}});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out[0], '{');
}

}  // namespace
}  // namespace berth
