// The command-line client. Everything is done by RunClient; what remains is the process itself.

#include <string>
#include <vector>

#include "client/command.h"
#include "client/commands/dispatch.h"
#include "client/console.h"
#include "client/settings.h"
#include <unistd.h>

namespace {

berth::Environment ReadEnvironment() {
  berth::Environment variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

}  // namespace

int main(int argc, char** argv) {
  berth::Console console(STDOUT_FILENO, STDERR_FILENO);
  const berth::Environment environment = ReadEnvironment();
  berth::Context context(console, environment);
  const int code = berth::RunClient(std::vector<std::string>(argv + 1, argv + argc), context);
  console.Flush();
  // Everything is written. Closing the connection and waiting for the library's threads would only
  // cost time, so the context ends with the process.
  _exit(code);
}
