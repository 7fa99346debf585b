#include "scheduler/core/pending_reason.h"

#include <array>

namespace berth {
namespace {

struct Entry {
  const char* code;
  const char* name;
};

// In the order of ReasonCode.
constexpr std::array<Entry, 27> kEntries = {
    {
     {"", ""},
     {"B3601", "held"},
     {"B3602", "back-off"},
     {"B3603", "dependency"},
     {"B3604", "begin-time"},
     {"B3605", "array-throttle"},
     {"B2201", "tenant-suspended"},
     {"B2101", "tenant-limit"},
     {"B2102", "project-limit"},
     {"B2303", "non-preemptible"},
     {"B2301", "borrowing"},
     {"B2302", "non-lendable"},
     {"B2304", "blocks-owed"},
     {"B2305", "shortfall"},
     {"B3301", "no-nodes"},
     {"B3401", "booked"},
     {"B3202", "topology"},
     {"B3201", "fragmentation"},
     {"B3102", "host-resources"},
     {"B3101", "devices-busy"},
     {"B3503", "recalling"},
     {"B3501", "behind-anchor"},
     {"B3502", "queue-head"},
     {"B3500", "being-evaluated"},
     {"B4101", "preparing"},
     {"B4102", "stopping"},
     {"B5101", "node-silent"},
     }
};

}  // namespace

absl::string_view Code(ReasonCode code) {
  return kEntries.at(static_cast<size_t>(code)).code;
}

absl::string_view Name(ReasonCode code) {
  return kEntries.at(static_cast<size_t>(code)).name;
}

}  // namespace berth
