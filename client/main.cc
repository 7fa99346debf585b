// The command-line client. Everything is done by RunClient; what remains is the process itself.

#include <string>
#include <vector>

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
  const int code =
      berth::RunClient(std::vector<std::string>(argv + 1, argv + argc), environment, console);
  console.Flush();
  // Everything is written; waiting for the library's threads would only cost time.
  _exit(code);
}
