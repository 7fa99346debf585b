#ifndef BERTH_TESTS_ARCHITECTURE_CORE_PURITY_H_
#define BERTH_TESTS_ARCHITECTURE_CORE_PURITY_H_

// What scheduler/core and agent/core may not name: clocks, threads, randomness, logging, I/O, gRPC,
// SQLite, and in scheduler/core protobuf.

#include <vector>

#include "tests/architecture/source_text.h"

namespace berth::architecture {

std::vector<Violation> CheckCorePurity(const std::vector<SourceFile>& files);

}  // namespace berth::architecture

#endif  // BERTH_TESTS_ARCHITECTURE_CORE_PURITY_H_
