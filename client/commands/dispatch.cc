#include "client/commands/dispatch.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/job_options.h"
#include "client/text.h"
#include "common/error_detail.h"
#include "common/nearest_name.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr size_t kNameWordsMax = 3;

// The command's words and the rest of the line.
struct Call {
  const Command* command = nullptr;
  std::vector<std::string> words;
};

// How many words at the front are common options and their values.
size_t CountLeadingOptions(const std::vector<std::string>& words) {
  size_t at = 0;
  while (at < words.size() && words[at].size() > 1 && words[at][0] == '-') {
    const std::string& word = words[at++];
    for (const Option& option : CommonOptions()) {
      const bool named = word == absl::StrCat("--", option.name) ||
                         (option.letter != 0 && word == std::string{'-', option.letter});
      at += named && option.value != nullptr && at < words.size() ? 1 : 0;
    }
  }
  return at;
}

std::vector<std::string> VerbsOf(absl::string_view noun) {
  std::vector<std::string> verbs;
  for (const Command* command : AllCommands()) {
    if (absl::StartsWith(command->name, absl::StrCat(noun, " "))) {
      verbs.emplace_back(absl::string_view(command->name).substr(noun.size() + 1));
    }
  }
  return verbs;
}

// What people who know other schedulers type.
constexpr std::pair<absl::string_view, const char*> kHabits[] = {
    {"delete",   "cancel" },
    {"describe", "show"   },
    {"get",      "ps"     },
    {"job",      "ps"     },
    {"jobs",     "ps"     },
    {"kill",     "cancel" },
    {"list",     "ps"     },
    {"log",      "logs"   },
    {"ls",       "ps"     },
    {"sacct",    "ps -a"  },
    {"sacctmgr", "quota"  },
    {"salloc",   "shell"  },
    {"sattach",  "attach" },
    {"sbatch",   "submit" },
    {"scancel",  "cancel" },
    {"scontrol", "show"   },
    {"sinfo",    "nodes"  },
    {"sprio",    "explain"},
    {"squeue",   "ps"     },
    {"srun",     "run"    },
    {"sshare",   "quota"  },
    {"sstat",    "top"    },
    {"status",   "ps"     },
    {"stop",     "cancel" },
};

absl::Status UnknownCommand(const std::string& first, const std::string& second) {
  const std::vector<std::string> verbs = VerbsOf(first);
  if (!verbs.empty()) {
    const std::string nearest = NearestName(second, verbs);
    return ErrorAt(
        {},
        second.empty()
            ? absl::StrCat("what about the ", first, "?")
            : absl::StrCat("\"berth ", first, "\" has no verb \"", CleanText(second), "\""),
        nearest.empty() ? absl::StrCat("berth ", first, " ", absl::StrJoin(verbs, "|"))
                        : absl::StrCat("did you mean `berth ", first, " ", nearest, "`?"));
  }
  std::set<std::string> names;
  for (const Command* command : AllCommands()) {
    const std::vector<std::string> parts = absl::StrSplit(command->name, ' ');
    names.insert(parts[0]);
    if (command->plural != nullptr) {
      names.insert(command->plural);
    }
  }
  const auto* const habit = std::find_if(std::begin(kHabits), std::end(kHabits),
                                         [&](const auto& known) { return known.first == first; });
  const std::string nearest =
      habit != std::end(kHabits) ? habit->second : NearestName(first, {names.begin(), names.end()});
  return ErrorAt(
      {}, absl::StrCat("unknown command \"", CleanText(first), "\""),
      nearest.empty() ? "berth help" : absl::StrCat("did you mean `berth ", nearest, "`?"));
}

// Takes the command off the words; common options before it stay.
absl::StatusOr<Call> FindCommand(const std::vector<std::string>& words) {
  const size_t at = CountLeadingOptions(words);
  if (at == words.size()) {
    return ErrorAt({}, "name a command", "berth help");
  }
  const std::string& first = words[at];
  const std::string second = at + 1 < words.size() ? words[at + 1] : "";
  const auto call = [&](const Command* command, size_t used) {
    Call found{.command = command, .words = words};
    const auto begin = found.words.begin() + static_cast<std::ptrdiff_t>(at);
    found.words.erase(begin, begin + static_cast<std::ptrdiff_t>(used));
    return found;
  };
  // The longest name wins: "admin backup create" has three words.
  std::string name = first;
  const Command* longest = nullptr;
  size_t used = 0;
  for (size_t i = 1; i < kNameWordsMax && at + i < words.size(); ++i) {
    absl::StrAppend(&name, " ", words[at + i]);
    for (const Command* command : AllCommands()) {
      if (name == command->name) {
        longest = command;
        used = i + 1;
      }
    }
  }
  if (longest != nullptr) {
    return call(longest, used);
  }
  for (const Command* command : AllCommands()) {
    if (first == command->name || (command->plural != nullptr && first == command->plural)) {
      return call(command, 1);
    }
  }
  return UnknownCommand(first, second);
}

// As if "--" stood behind the first word that is no option.
void EndOptionsAtWord(const Command& command, std::vector<std::string>& words) {
  for (size_t at = 0; at < words.size() && words[at] != "--"; ++at) {
    if (words[at].size() < 2 || words[at][0] != '-') {
      words.insert(words.begin() + static_cast<std::ptrdiff_t>(at) + 1, "--");
      return;
    }
    for (const Option& option : command.options) {
      at += option.value != nullptr && words[at] == std::string{'-', option.letter} ? 1 : 0;
    }
  }
}

bool AsksForHelp(const std::vector<std::string>& words) {
  const auto end = std::find(words.begin(), words.end(), "--");
  return std::any_of(words.begin(), end,
                     [](const std::string& word) { return word == "--help" || word == "-h"; });
}

// Whether errors are to be JSON, told from words that may not be parsed yet.
bool WantsJson(const std::vector<std::string>& words, const Environment& environment) {
  std::string format = Variable(environment, "BERTH_OUTPUT");
  for (size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    const std::string& word = words[i];
    if ((word == "-o" || word == "--output") && i + 1 < words.size()) {
      format = words[i + 1];
    } else if (absl::StartsWith(word, "--output=")) {
      format = word.substr(9);
    } else if (absl::StartsWith(word, "-ojson")) {
      format = word.substr(2);
    }
  }
  return format == "json" || format == "jsonl";
}

absl::StatusOr<int> Run(const Call& call, Context& context) {
  OptionTables tables = {call.command->options, CommonOptions()};
  if (call.command->takes_job_options) {
    tables.push_back(JobOptions());
  }
  ASSIGN_OR_RETURN(context.arguments, ParseArguments(ToWords(call.words), tables));
  ASSIGN_OR_RETURN(context.settings, ReadSettings(context.environment, context.arguments));
  ASSIGN_OR_RETURN(context.output, ParseOutputFormat(context.settings.output));
  context.output.headers = !context.arguments.Has("no-headers");
  return call.command->run(context);
}

// Where nobody has named the remedy of a wrong command line, the command's help has it.
absl::StatusOr<int> WithRemedy(const Command& command, absl::StatusOr<int> result) {
  std::optional<ErrorDetail> detail = FindDetail(result.status());
  if (!detail.has_value() || detail->code != "B1301" || !detail->fix.empty()) {
    return result;
  }
  detail->fix = {absl::StrCat("berth ", command.name, " --help")};
  return WithDetail(result.status(), *detail);
}

int Finish(Context& context, const absl::StatusOr<int>& result) {
  if (!result.ok()) {
    context.PrintError(result.status());
    return ExitCodeOfStatus(result.status());
  }
  if (!context.console.Flush()) {
    context.PrintError(
        MakeError(absl::StatusCode::kDataLoss, {.code = "B1104",
                                                .message = "the output could not be written",
                                                .why = "the disk is full or the reader went away",
                                                .fix = ""}));
    return kExitFailed;
  }
  return *result;
}

}  // namespace

int RunClient(const std::vector<std::string>& words, Context& context) {
  context.command_line = words;
  context.output.kind =
      WantsJson(words, context.environment) ? OutputKind::kJson : OutputKind::kTable;
  if (words.empty()) {
    context.console.Err(OverallHelp());
    return kExitUsage;
  }
  if (CountLeadingOptions(words) == words.size() && AsksForHelp(words)) {
    context.console.Out(OverallHelp());
    return Finish(context, kExitDone);
  }
  if (words[0] == "--version") {
    return Finish(context, kVersionCommand.run(context));
  }
  auto call = FindCommand(words);
  if (!call.ok()) {
    return Finish(context, call.status());
  }
  if (call->command->ends_at_word) {
    EndOptionsAtWord(*call->command, call->words);
  }
  if (AsksForHelp(call->words)) {
    context.console.Out(CommandHelp(*call->command));
    return Finish(context, kExitDone);
  }
  return Finish(context, WithRemedy(*call->command, Run(*call, context)));
}

}  // namespace berth
