#ifndef BERTH_CLIENT_LOG_COLLAPSE_H_
#define BERTH_CLIENT_LOG_COLLAPSE_H_

// What several ranks say alike becomes one line. Pure: time is an argument.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "client/log_lines.h"

namespace berth {

// A line and the ranks that wrote it.
struct LogGroup {
  std::vector<int32_t> ranks;  // rising, each once
  int64_t at_us = 0;           // of the first of them
  std::string text;
};

// Lines come in the order of their times. One joins an earlier one of the same text that another
// rank wrote at most kWindow before, if none of its own rank would be passed by that. So the order
// of times is kept between groups, and the order of lines within each rank.
class LogCollapse {
 public:
  // Within it the ranks of a gang say the same: they enter and leave each step together, and the
  // clocks of the nodes agree to milliseconds. Less than a reader takes for a delay.
  static constexpr absl::Duration kWindow = absl::Milliseconds(500);
  // Groups that wait for others at a time, and their bytes.
  static constexpr size_t kGroupsMax = 1024;
  static constexpr size_t kBytesMax = 4 << 20;

  // A group of all `ranks` waits no longer; none waits longer than `patience` by the reader's
  // clock.
  LogCollapse(size_t ranks, absl::Duration patience) : ranks_(ranks), patience_(patience) {}

  void Add(LogLine line, absl::Time now);
  // No line comes any more.
  void Finish() { finished_ = true; }
  // The first group, if nothing may join it any more.
  std::optional<LogGroup> Take(absl::Time now);
  // When Take has more although nothing was added: InfiniteFuture if never.
  absl::Time NextTime() const;

 private:
  struct Pending {
    LogGroup group;
    absl::Time since;
  };
  Pending* FindGroup(const LogLine& line);

  const size_t ranks_;
  const absl::Duration patience_;
  bool finished_ = false;
  int64_t newest_us_ = 0;
  size_t bytes_ = 0;
  uint64_t first_number_ = 1;  // of the front; each group has the next number
  std::deque<Pending> pending_;
  std::map<std::string, std::deque<uint64_t>> numbers_by_text_;
  std::map<int32_t, uint64_t> last_of_rank_;  // the group of its last line
};

}  // namespace berth

#endif  // BERTH_CLIENT_LOG_COLLAPSE_H_
