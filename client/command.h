#ifndef BERTH_CLIENT_COMMAND_H_
#define BERTH_CLIENT_COMMAND_H_

// A command of `berth`: what help says about it, its options, and what it does.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "client/api_client.h"
#include "client/console.h"
#include "client/option.h"
#include "client/output.h"
#include "client/settings.h"

namespace berth {

// What one call of `berth` works with. Owned by the dispatcher.
class Context {
 public:
  Context(Console& console_in, const Environment& environment_in)
      : console(console_in), environment(environment_in) {}

  // The scheduler, connected on first use.
  absl::StatusOr<ApiClient*> Api();
  // Writes a listing in the format asked for.
  absl::Status Print(const Listing& listing);
  // Writes an error as the format wants it.
  void PrintError(const absl::Status& status);
  // "note: ..." on standard error.
  void PrintNotes(const std::vector<std::string>& notes);
  // How long `run`, `wait` and `logs -f` look for a scheduler that went away: BERTH_RECONNECT.
  absl::StatusOr<absl::Duration> ReconnectFor() const;

  Console& console;
  const Environment& environment;
  int input = 0;                          // where answers to questions come from: standard input
  std::vector<std::string> command_line;  // as it was typed, without "berth"
  Arguments arguments;
  Settings settings;
  OutputFormat output;

 private:
  std::unique_ptr<ApiClient> api_;
};

enum class CommandGroup {
  kRun,
  kWatch,
  kInside,
  kControl,
  kQuota,
  kNodes,
  kBookings,
  kTenants,
  kPeople,
  kScheduler,
  kClient
};

struct Command {
  const char* name;    // "submit", "node drain"
  const char* plural;  // "nodes" for "node list"; otherwise null
  CommandGroup group;
  const char* summary;
  const char* usage;     // what follows "berth NAME"
  const char* examples;  // lines
  std::span<const Option> options;
  bool takes_job_options;
  // What follows the first word is the command of another program, options and all.
  bool ends_at_word = false;
  // Returns the exit code; an error is printed by the caller and decides the code itself.
  absl::StatusOr<int> (*run)(Context& context);
};

// Options that every command has: output, server, help.
std::span<const Option> CommonOptions();

// Requires one word (or none, if optional) beside the options, and nothing after "--"; says which.
absl::Status CheckWordCount(const Arguments& arguments, size_t least, size_t most,
                            absl::string_view what);

// The same where a command may follow "--".
absl::Status CheckWordsBeforeDashes(const Arguments& arguments, size_t least, size_t most,
                                    absl::string_view what);

// Requires one word and a command after "--"; `usage` is how that is written.
absl::Status CheckWordAndCommand(const Arguments& arguments, absl::string_view usage);

}  // namespace berth

#endif  // BERTH_CLIENT_COMMAND_H_
