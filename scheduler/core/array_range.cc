#include "scheduler/core/array_range.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace berth {
namespace {

constexpr int64_t kIndexMax = INT32_MAX;

std::string RangeText(const IndexRange& range) {
  if (range.count == 1) {
    return absl::StrCat(range.first);
  }
  return absl::StrCat(range.first, "-", range.last(),
                      range.step == 1 ? "" : absl::StrCat(":", range.step));
}

// The place of the index in the range.
std::optional<int> PlaceIn(const IndexRange& range, int index) {
  const int64_t offset = int64_t{index} - range.first;
  if (offset < 0 || offset % range.step != 0 || offset / range.step >= range.count) {
    return std::nullopt;
  }
  return static_cast<int>(offset / range.step);
}

}  // namespace

int ArrayRange::IndexAt(int position) const {
  if (ranges == nullptr) {
    return first + position * step;
  }
  auto range = ranges->begin();
  for (; position >= range->count; ++range) {
    position -= range->count;
  }
  return range->first + position * range->step;
}

std::optional<int> ArrayRange::PositionOf(int index) const {
  if (ranges == nullptr) {
    return PlaceIn({.first = first, .count = count, .step = step}, index);
  }
  int before = 0;
  for (const IndexRange& range : *ranges) {
    if (const std::optional<int> place = PlaceIn(range, index); place.has_value()) {
      return before + *place;
    }
    before += range.count;
  }
  return std::nullopt;
}

ArrayRange MakeArrayRange(std::vector<IndexRange> ranges) {
  ArrayRange array{.first = ranges.front().first, .step = ranges.front().step};
  int64_t count = 0;
  for (const IndexRange& range : ranges) {
    count += range.count;
  }
  array.count = static_cast<int>(std::min(count, kIndexMax));
  if (ranges.size() > 1) {
    array.ranges = std::make_shared<const std::vector<IndexRange>>(std::move(ranges));
  }
  return array;
}

std::vector<IndexRange> RangesOf(const ArrayRange& array) {
  if (array.ranges != nullptr) {
    return *array.ranges;
  }
  return {
      IndexRange{array.first, array.count, array.step}
  };
}

std::string FindRangeFault(const ArrayRange& array) {
  const std::vector<IndexRange> ranges = RangesOf(array);
  if (ranges.size() > kIndexRangesMax) {
    return absl::StrFormat("an array of %d ranges is not possible, the most is %d", ranges.size(),
                           kIndexRangesMax);
  }
  int64_t behind = -1;
  for (const IndexRange& range : ranges) {
    if (range.first < 0 || range.count < 1 || range.step < 1 || range.last() > kIndexMax) {
      return absl::StrFormat("a range of %d indexes from %d, step %d, is not possible", range.count,
                             range.first, range.step);
    }
    if (range.first <= behind) {
      return absl::StrFormat("the range from %d begins before the one before it ends", range.first);
    }
    behind = range.last();
  }
  return "";
}

std::string IndexesText(const ArrayRange& array) {
  return absl::StrJoin(RangesOf(array), ",", [](std::string* out, const IndexRange& range) {
    absl::StrAppend(out, RangeText(range));
  });
}

}  // namespace berth
