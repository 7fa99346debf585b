#include "client/confirm.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "client/text.h"
#include <unistd.h>

namespace berth {
namespace {

// A word as a shell takes it.
std::string Quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyz"
                                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789-_.,:/=+@%[]") == std::string::npos;
  if (plain) {
    return word;
  }
  std::string quoted = "'";
  for (const char c : CleanText(word)) {
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return quoted + "'";
}

std::string CommandToType(const std::vector<std::string>& words) {
  std::string line = "berth";
  for (const std::string& word : words) {
    absl::StrAppend(&line, " ", Quoted(word));
  }
  return absl::StrCat(line, " --yes");
}

std::string ReadLine(int file) {
  std::string line;
  char c = 0;
  while (line.size() < 80 && read(file, &c, 1) == 1 && c != '\n') {
    line += c;
  }
  return line;
}

}  // namespace

absl::StatusOr<bool> Confirm(Context& context, absl::string_view question) {
  if (context.arguments.Has("yes")) {
    return true;
  }
  if (isatty(context.input) != 1) {
    return ErrorAt({}, absl::StrCat("this needs a yes: ", question),
                   CommandToType(context.command_line));
  }
  context.console.Err(absl::StrCat(question, " [y/N] "));
  const std::string answer = absl::AsciiStrToLower(ReadLine(context.input));
  return answer == "y" || answer == "yes";
}

}  // namespace berth
