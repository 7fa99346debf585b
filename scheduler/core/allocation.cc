#include "scheduler/core/allocation.h"

#include <array>

#include "scheduler/core/enum_names.h"

namespace berth {
namespace {

constexpr std::array<const char*, 6> kEvidenceNames = {"none",      "reported", "rebooted",
                                                       "node-lost", "fenced",   "confirmed-dead"};

}  // namespace

absl::string_view Name(ReleaseEvidence evidence) {
  return NameIn(kEvidenceNames, evidence);
}
std::optional<ReleaseEvidence> FindReleaseEvidence(absl::string_view name) {
  return FindIn<ReleaseEvidence>(kEvidenceNames, name);
}

}  // namespace berth
