#ifndef BERTH_AGENT_SHIM_NOTICE_H_
#define BERTH_AGENT_SHIM_NOTICE_H_

// What a task tells of itself: lines "NAME=VALUE". The only bytes of a job's that the supervisor
// looks into, so the form is one that needs no more than a search for line ends. Pure.

#include <cstdint>
#include <string>

#include "agent/shim/shim_protocol.h"

namespace berth {

// A longer notice is refused.
inline constexpr size_t kNoticeBytesMax = 2048;

// Takes one notice into `notice`: checkpoint=NAME, progress=0..1, text=WORDS, each at most once and
// at least one of them; what it does not name stays. A text is cut to kNoticeTextBytesMax, between
// two characters of UTF-8. `now_ns`: CLOCK_BOOTTIME.
// Returns: null, or why it is refused; `notice` is unchanged then.
const char* TakeNotice(const std::string& lines, int64_t now_ns, ShimNotice& notice);

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_NOTICE_H_
