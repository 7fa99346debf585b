#include "scheduler/core/array_range.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace berth {
namespace {

constexpr size_t kRangesShownMax = 20;
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

// Rows of three and more, and neighbours, become ranges.
std::vector<IndexRange> Fold(const std::vector<int>& indexes) {
  std::vector<IndexRange> ranges;
  for (size_t i = 0; i < indexes.size(); i += static_cast<size_t>(ranges.back().count)) {
    const int step = i + 1 < indexes.size() ? indexes[i + 1] - indexes[i] : 1;
    int count = 1;
    for (size_t next = i + 1; next < indexes.size() && indexes[next] - indexes[next - 1] == step;
         ++next) {
      ++count;
    }
    const bool is_row = count > 2 || step == 1;
    ranges.push_back(is_row ? IndexRange{indexes[i], count, step} : IndexRange{indexes[i], 1, 1});
  }
  return ranges;
}

}  // namespace

int ArrayRange::IndexAt(int position) const {
  if (lists == nullptr || lists->ranges.empty()) {
    return first + position * step;
  }
  auto range = lists->ranges.begin();
  for (; position >= range->count; ++range) {
    position -= range->count;
  }
  return range->first + position * range->step;
}

std::optional<int> ArrayRange::PositionOf(int index) const {
  if (lists == nullptr || lists->ranges.empty()) {
    return PlaceIn({.first = first, .count = count, .step = step}, index);
  }
  int before = 0;
  for (const IndexRange& range : lists->ranges) {
    if (const std::optional<int> place = PlaceIn(range, index); place.has_value()) {
      return before + *place;
    }
    before += range.count;
  }
  return std::nullopt;
}

bool ArrayRange::IsCancelled(int index) const {
  if (lists == nullptr) {
    return false;
  }
  const std::vector<IndexRange>& ranges = lists->cancelled;
  const auto behind =
      std::upper_bound(ranges.begin(), ranges.end(), index,
                       [](int wanted, const IndexRange& range) { return wanted < range.first; });
  return behind != ranges.begin() && PlaceIn(*std::prev(behind), index).has_value();
}

int ArrayRange::CancelledFrom(int position) const {
  if (lists == nullptr || position >= count) {
    return 0;
  }
  const int from = IndexAt(position);
  int found = 0;
  for (const IndexRange& range : lists->cancelled) {
    const int64_t before = (int64_t{from} - range.first + range.step - 1) / range.step;
    found += range.count - static_cast<int>(std::clamp<int64_t>(before, 0, range.count));
  }
  return found;
}

ArrayRange MakeArrayRange(std::vector<IndexRange> ranges) {
  ArrayRange array{.first = ranges.front().first, .step = ranges.front().step};
  int64_t count = 0;
  for (const IndexRange& range : ranges) {
    count += range.count;
  }
  array.count = static_cast<int>(std::min(count, kIndexMax));
  if (ranges.size() > 1) {
    array.lists = std::make_shared<const ArrayLists>(ArrayLists{.ranges = std::move(ranges)});
  }
  return array;
}

std::vector<IndexRange> RangesOf(const ArrayRange& array) {
  if (array.lists != nullptr && !array.lists->ranges.empty()) {
    return array.lists->ranges;
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

std::string IndexesText(const std::vector<IndexRange>& ranges) {
  const size_t shown = std::min(ranges.size(), kRangesShownMax);
  const std::string text = absl::StrJoin(
      ranges.begin(), ranges.begin() + static_cast<ptrdiff_t>(shown), ",",
      [](std::string* out, const IndexRange& range) { absl::StrAppend(out, RangeText(range)); });
  return shown == ranges.size()
             ? text
             : absl::StrCat(text, " and ", ranges.size() - shown, " more ranges");
}

std::optional<int> FindStrangeIndex(const ArrayRange& array,
                                    const std::vector<IndexRange>& wanted) {
  const std::vector<IndexRange> ranges = RangesOf(array);
  auto range = ranges.begin();
  for (const IndexRange& asked : wanted) {
    for (int64_t index = asked.first; index <= asked.last(); index += asked.step) {
      while (range != ranges.end() && range->last() < index) {
        ++range;
      }
      if (range == ranges.end() || !PlaceIn(*range, static_cast<int>(index)).has_value()) {
        return static_cast<int>(index);
      }
    }
  }
  return std::nullopt;
}

std::vector<int> IndexesOf(const std::vector<IndexRange>& ranges) {
  std::vector<int> indexes;
  for (const IndexRange& range : ranges) {
    for (int i = 0; i < range.count; ++i) {
      indexes.push_back(range.first + i * range.step);
    }
  }
  return indexes;
}

std::vector<IndexRange> AddCancelled(const ArrayRange& array, const std::vector<int>& indexes) {
  const std::vector<int> before =
      array.lists == nullptr ? std::vector<int>() : IndexesOf(array.lists->cancelled);
  std::vector<int> all;
  std::merge(before.begin(), before.end(), indexes.begin(), indexes.end(), std::back_inserter(all));
  return Fold(all);
}

void SetCancelled(ArrayRange& array, std::vector<IndexRange> cancelled) {
  ArrayLists lists = array.lists == nullptr ? ArrayLists() : *array.lists;
  lists.cancelled = std::move(cancelled);
  array.lists = std::make_shared<const ArrayLists>(std::move(lists));
}

}  // namespace berth
