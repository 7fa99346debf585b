#ifndef BERTH_CLIENT_COMMANDS_DISPATCH_H_
#define BERTH_CLIENT_COMMANDS_DISPATCH_H_

// One call of `berth`, from its words to its exit code.

#include <string>
#include <vector>

#include "client/console.h"
#include "client/settings.h"

namespace berth {

// `words` without the program's name.
int RunClient(const std::vector<std::string>& words, const Environment& environment,
              Console& console);

}  // namespace berth

#endif  // BERTH_CLIENT_COMMANDS_DISPATCH_H_
