#ifndef BERTH_SCHEDULER_CORE_ARRAY_RANGE_H_
#define BERTH_SCHEDULER_CORE_ARRAY_RANGE_H_

// Which tasks an array has. A task's position counts them, its index is what its user calls it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace berth {

// The indexes first, first + step, ...
struct IndexRange {
  int first = 0;
  int count = 0;
  int step = 1;

  int64_t last() const { return first + (int64_t{count} - 1) * step; }
  friend bool operator==(const IndexRange&, const IndexRange&) = default;
};

// What few arrays have. Both lists ascend: each range lies behind the last index of the one before.
struct ArrayLists {
  // Several ranges instead of first and step, which are those of the first one then; empty: one.
  std::vector<IndexRange> ranges = {};
  // The indexes of tasks that were cancelled before they started.
  std::vector<IndexRange> cancelled = {};
};

// Instances with the indexes first, first + step, ... : each becomes a job of its own when it
// starts.
struct ArrayRange {
  int first = 0;
  int count = 0;  // of all tasks; 0: not an array
  int step = 1;
  int concurrent_max = 0;   // 0: no bound
  int fails_max = 0;        // when so many have failed, no further one starts; 0: no bound
  int cancelled_ahead = 0;  // of lists->cancelled, those whose turn is still to come; not durable
  std::shared_ptr<const ArrayLists> lists = nullptr;  // null: both are empty

  // Requires: 0 <= position < count.
  int IndexAt(int position) const;
  // Nothing: no task has the index.
  std::optional<int> PositionOf(int index) const;
  // Whether this task was cancelled before it started.
  bool IsCancelled(int index) const;
  // How many of those tasks have this position or a later one.
  int CancelledFrom(int position) const;
};

inline constexpr int kIndexRangesMax = 10 * 1000;

// Of an array with these ranges, of which there are one or more.
ArrayRange MakeArrayRange(std::vector<IndexRange> ranges);
// All of them, one where there is only one.
std::vector<IndexRange> RangesOf(const ArrayRange& array);
// What is wrong with the indexes, in words; empty: nothing is.
std::string FindRangeFault(const ArrayRange& array);
// "0-99", "0-98:2", "1,3,5-7"; of many the first ones and how many more there are, since an error
// must fit into a message's trailer.
std::string IndexesText(const std::vector<IndexRange>& ranges);

// The first of these indexes, which ascend, that no task has.
std::optional<int> FindStrangeIndex(const ArrayRange& array, const std::vector<IndexRange>& wanted);
// One by one.
std::vector<int> IndexesOf(const std::vector<IndexRange>& ranges);
// The tasks cancelled before they started, and these others. Requires: they ascend.
std::vector<IndexRange> AddCancelled(const ArrayRange& array, const std::vector<int>& indexes);
void SetCancelled(ArrayRange& array, std::vector<IndexRange> cancelled);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_ARRAY_RANGE_H_
