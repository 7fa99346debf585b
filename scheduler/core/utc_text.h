#ifndef BERTH_SCHEDULER_CORE_UTC_TEXT_H_
#define BERTH_SCHEDULER_CORE_UTC_TEXT_H_

#include <string>

#include "absl/time/time.h"

namespace berth {

// As sentences give a time: "2026-11-03 17:00:00Z".
inline std::string UtcText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", time, absl::UTCTimeZone());
}

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_UTC_TEXT_H_
