#include "client/log_collapse.h"

#include <algorithm>
#include <utility>

namespace berth {

LogCollapse::Pending* LogCollapse::FindGroup(const LogLine& line) {
  const auto numbers = numbers_by_text_.find(line.text);
  if (numbers == numbers_by_text_.end()) {
    return nullptr;
  }
  auto number =
      std::upper_bound(numbers->second.begin(), numbers->second.end(), last_of_rank_[line.rank]);
  for (; number != numbers->second.end(); ++number) {
    Pending& pending = pending_[*number - first_number_];
    if (absl::Microseconds(line.at_us - pending.group.at_us) <= kWindow) {
      last_of_rank_[line.rank] = *number;
      return &pending;
    }
  }
  return nullptr;
}

void LogCollapse::Add(LogLine line, absl::Time now) {
  newest_us_ = std::max(newest_us_, line.at_us);
  if (Pending* const pending = FindGroup(line); pending != nullptr) {
    std::vector<int32_t>& ranks = pending->group.ranks;
    ranks.insert(std::upper_bound(ranks.begin(), ranks.end(), line.rank), line.rank);
    return;
  }
  const uint64_t number = first_number_ + pending_.size();
  numbers_by_text_[line.text].push_back(number);
  last_of_rank_[line.rank] = number;
  bytes_ += line.text.size();
  pending_.push_back({
      .group = {.ranks = {line.rank}, .at_us = line.at_us, .text = std::move(line.text)},
      .since = now
  });
}

std::optional<LogGroup> LogCollapse::Take(absl::Time now) {
  if (pending_.empty()) {
    return std::nullopt;
  }
  Pending& front = pending_.front();
  const bool is_over = absl::Microseconds(newest_us_ - front.group.at_us) > kWindow;
  if (!finished_ && !is_over && front.group.ranks.size() < ranks_ &&
      now - front.since < patience_ && pending_.size() <= kGroupsMax && bytes_ <= kBytesMax) {
    return std::nullopt;
  }
  LogGroup group = std::move(front.group);
  pending_.pop_front();
  ++first_number_;
  bytes_ -= group.text.size();
  const auto numbers = numbers_by_text_.find(group.text);
  numbers->second.pop_front();
  if (numbers->second.empty()) {
    numbers_by_text_.erase(numbers);
  }
  return group;
}

absl::Time LogCollapse::NextTime() const {
  return pending_.empty() ? absl::InfiniteFuture() : pending_.front().since + patience_;
}

}  // namespace berth
