#ifndef BERTH_TESTS_ARCHITECTURE_INCLUDE_RULES_H_
#define BERTH_TESTS_ARCHITECTURE_INCLUDE_RULES_H_

// Who may include whom: the arrows between the layers, the libraries each layer may see, and the
// ladder inside scheduler/core.

#include <string>
#include <vector>

#include "tests/architecture/source_text.h"

namespace berth::architecture {

// The layer a path belongs to; empty if it belongs to none.
std::string LayerOf(const std::string& path);

// Arrows between layers, for quoted and angle-bracket includes alike.
std::vector<Violation> CheckArrows(const std::vector<SourceFile>& files);

// Libraries and system headers that only some layers may include.
std::vector<Violation> CheckLibraries(const std::vector<SourceFile>& files);

// scheduler/core: every file stands on a rung, includes none of a higher rung, policies do not
// include each other, and there is no cycle.
std::vector<Violation> CheckCoreLadder(const std::vector<SourceFile>& files);

}  // namespace berth::architecture

#endif  // BERTH_TESTS_ARCHITECTURE_INCLUDE_RULES_H_
