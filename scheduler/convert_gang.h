#ifndef BERTH_SCHEDULER_CONVERT_GANG_H_
#define BERTH_SCHEDULER_CONVERT_GANG_H_

// The parts of a submission that say what a job needs and when it may start.

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "proto/job.pb.h"
#include "scheduler/core/job.h"

namespace berth {

// The year 9999 is the last that everybody can print.
inline constexpr int64_t kTimeMicrosMax = int64_t{253402300799} * 1000 * 1000;

// OK, or InvalidArgument (B1206) that names the noun and both bounds.
absl::Status CheckRange(absl::string_view noun, int64_t value, int64_t least, int64_t most);
// The same of an amount of memory or disk, told in the units that people write.
absl::Status CheckSize(absl::string_view noun, int64_t mib);
// The same (B1224), told in the units that people write.
absl::Status CheckLength(absl::string_view noun, int64_t milliseconds, absl::Duration least,
                         absl::Duration most);

// Classes are left to the engine: they are names.
absl::StatusOr<GangShape> ToGangShape(const v1::JobSpec& spec);
// Each once, ascending.
absl::StatusOr<std::vector<Dependency>> ToDependencies(const v1::JobSpec& spec);
// InfinitePast: at once.
absl::StatusOr<absl::Time> ToBeginTime(const v1::JobSpec& spec);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CONVERT_GANG_H_
