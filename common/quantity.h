#ifndef BERTH_COMMON_QUANTITY_H_
#define BERTH_COMMON_QUANTITY_H_

// Lengths of time and amounts of memory as people write them, in files and on command lines.

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace berth {

inline constexpr int64_t kBytesPerMib = 1024 * 1024;

// "90s", "5m", "36h", "2d", "1h30m", "250ms". Plain numbers are refused with a hint.
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);
// One of the forms above that says it exactly, e.g. "36h", "1h30m", "2d". Callers write
// berth::FormatDuration, for Abseil has a function of this name.
std::string FormatDuration(absl::Duration duration);
// "512MiB", "1.5GiB", "2TiB", "16G", "800M" (decimal suffixes mean binary units) -> MiB.
absl::StatusOr<int64_t> ParseMemoryMib(absl::string_view text);
// "812 B", "41 KiB", "1.2 GiB".
std::string FormatSize(int64_t bytes);

}  // namespace berth

#endif  // BERTH_COMMON_QUANTITY_H_
