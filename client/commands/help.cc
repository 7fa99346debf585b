#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "client/commands/commands.h"
#include "client/commands/error_codes.h"
#include "client/commands/topics.h"
#include "client/exit_codes.h"
#include "client/job_options.h"
#include "client/text.h"
#include "common/nearest_name.h"
#include "common/status_macros.h"

namespace berth {
namespace {

struct GroupTitle {
  CommandGroup group;
  const char* title;
};

constexpr GroupTitle kGroups[] = {
    {CommandGroup::kRun,       "Run"      },
    {CommandGroup::kWatch,     "Watch"    },
    {CommandGroup::kInside,    "Inside"   },
    {CommandGroup::kControl,   "Control"  },
    {CommandGroup::kQuota,     "Quota"    },
    {CommandGroup::kNodes,     "Nodes"    },
    {CommandGroup::kBookings,  "Bookings" },
    {CommandGroup::kTenants,   "Tenants"  },
    {CommandGroup::kPeople,    "People"   },
    {CommandGroup::kScheduler, "Scheduler"},
    {CommandGroup::kClient,    "This tool"},
};

constexpr int kNameCells = 24;

std::string AllHelp() {
  std::string out;
  for (const GroupTitle& group : kGroups) {
    absl::StrAppend(&out, out.empty() ? "" : "\n", group.title, "\n");
    for (const Command* command : AllCommands()) {
      if (command->group == group.group) {
        absl::StrAppend(&out, "  ", PadToWidth(command->name, kNameCells - 2, false),
                        command->summary, "\n");
      }
    }
  }
  return out;
}

// The group's commands; verbs of the same noun, after the plural that lists it, share one word.
std::vector<std::string> NamesOf(CommandGroup group) {
  std::vector<std::string> names;
  std::string last_noun;
  for (const Command* command : AllCommands()) {
    if (command->group != group) {
      continue;
    }
    const std::string name = command->plural != nullptr ? command->plural : command->name;
    const std::vector<std::string> parts = absl::StrSplit(name, absl::MaxSplits(' ', 1));
    if (parts.size() == 2 && parts[0] == last_noun) {
      absl::StrAppend(&names.back(), "|", parts[1]);
    } else {
      names.push_back(name);
    }
    last_noun = parts.size() == 2 ? parts[0] : "";
  }
  return names;
}

std::string OptionLines(std::span<const Option> options) {
  constexpr int kOptionCells = 30;
  std::string out;
  for (const Option& option : options) {
    std::string left =
        option.letter == 0 ? "    " : absl::StrCat("-", std::string(1, option.letter), ", ");
    absl::StrAppend(&left, "--", option.name);
    if (option.value != nullptr) {
      absl::StrAppend(&left, " ", option.value);
    }
    absl::StrAppend(&out, "  ", PadToWidth(left, kOptionCells, false), " ", option.help, "\n");
  }
  return out;
}

std::string Indented(absl::string_view text) {
  std::string out;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    absl::StrAppend(&out, "  ", line, "\n");
  }
  return out;
}

// The help of `words`, which name a topic or a command.
absl::StatusOr<std::string> HelpAbout(const std::vector<std::string>& words) {
  if (words.empty()) {
    return OverallHelp();
  }
  if (words[0] == "all") {
    return AllHelp();
  }
  if (const ErrorCode* code = FindErrorCode(absl::AsciiStrToUpper(words.back())); code != nullptr) {
    return absl::StrCat(code->code, "  ", code->meaning, "\n");
  }
  if (words[0] == "reasons" && words.size() > 1) {
    return ErrorAt({}, absl::StrCat("there is no code \"", CleanText(words.back()), "\""),
                   "berth help reasons");
  }
  std::vector<std::string> known = {"all"};
  for (const Topic& topic : HelpTopics()) {
    known.emplace_back(topic.name);
    if (words.size() == 1 && words[0] == topic.name) {
      return std::string(topic.text);
    }
  }
  const std::string name = absl::StrJoin(words, " ");
  std::string verbs;
  for (const Command* command : AllCommands()) {
    known.emplace_back(command->name);
    if (name == command->name || (command->plural != nullptr && name == command->plural)) {
      return CommandHelp(*command);
    }
    if (absl::string_view(command->name).substr(0, name.size() + 1) == absl::StrCat(name, " ")) {
      absl::StrAppend(&verbs, "  ", PadToWidth(command->name, kNameCells - 2, false),
                      command->summary, "\n");
    }
  }
  if (!verbs.empty()) {
    return verbs;
  }
  const std::string nearest = NearestName(name, known);
  return ErrorAt({}, absl::StrCat("there is no help about \"", CleanText(name), "\""),
                 nearest.empty() ? "berth help all"
                                 : absl::StrCat("did you mean `berth help ", nearest, "`?"));
}

absl::StatusOr<int> RunHelp(Context& context) {
  std::vector<std::string> words;
  for (const Word& word : context.arguments.words) {
    words.push_back(word.text);
  }
  ASSIGN_OR_RETURN(const std::string text, HelpAbout(words));
  context.console.Out(text);
  return kExitDone;
}

}  // namespace

std::string OverallHelp() {
  std::string out =
      "Berth runs AI jobs on a shared center.\n"
      "A bare verb acts on jobs. Everything else is `berth NOUN VERB`.\n\n";
  for (const GroupTitle& group : kGroups) {
    const std::vector<std::string> names = NamesOf(group.group);
    constexpr int kTitleCells = 11;
    absl::StrAppend(&out, PadToWidth(group.title, kTitleCells, false), absl::StrJoin(names, ", "),
                    "\n");
  }
  std::vector<std::string> topics;
  for (const Topic& topic : HelpTopics()) {
    topics.emplace_back(topic.name);
  }
  absl::StrAppend(&out,
                  "\nExamples\n"
                  "  berth submit train.sh                      queue a script with #BERTH lines\n"
                  "  berth run -d 1 -t 10m -- python smoke.py   run it here and see its output\n"
                  "  berth ps; berth logs -f last               what runs, and its log\n"
                  "\nberth COMMAND --help   examples and options of a command\n"
                  "berth help all         one line for every command\n"
                  "berth help TOPIC       ",
                  absl::StrJoin(topics, ", "), "\n");
  return out;
}

std::string CommandHelp(const Command& command) {
  std::string out =
      absl::StrCat("Examples\n", Indented(command.examples), "\n", "berth ", command.name, ": ",
                   command.summary, "\nusage: berth ", command.name, " ", command.usage, "\n");
  if (command.plural != nullptr) {
    absl::StrAppend(&out, "   or: berth ", command.plural, "\n");
  }
  if (!command.options.empty()) {
    absl::StrAppend(&out, "\nOptions\n", OptionLines(command.options));
  }
  if (command.takes_job_options) {
    absl::StrAppend(&out, "\nOptions of the job, here or in #BERTH lines of the script\n",
                    OptionLines(JobOptions()));
  }
  absl::StrAppend(&out, "\nCommon options\n", OptionLines(CommonOptions()));
  return out;
}

const Command kHelpCommand = {
    .name = "help",
    .plural = nullptr,
    .group = CommandGroup::kClient,
    .summary = "about a command or a topic; `berth help all` for everything",
    .usage = "[COMMAND|TOPIC]",
    .examples = "berth help\nberth help submit\nberth help exit-codes\n",
    .options = {},
    .takes_job_options = false,
    .run = RunHelp,
};

}  // namespace berth
