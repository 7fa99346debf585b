#ifndef BERTH_CLIENT_COMMANDS_DISPATCH_H_
#define BERTH_CLIENT_COMMANDS_DISPATCH_H_

// One call of `berth`, from its words to its exit code.

#include <string>
#include <vector>

#include "client/command.h"

namespace berth {

// `words` without the program's name. What is in `context` afterwards, a connection above all, may
// be left to the end of the process.
int RunClient(const std::vector<std::string>& words, Context& context);

}  // namespace berth

#endif  // BERTH_CLIENT_COMMANDS_DISPATCH_H_
