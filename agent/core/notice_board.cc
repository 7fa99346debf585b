#include "agent/core/notice_board.h"

#include <utility>

namespace berth {
namespace {

// Far below what a message may have.
constexpr int kNoticesPerMessageMax = 1000;

}  // namespace

void NoticeBoard::Put(v1::TaskNotice notice, absl::Duration now) {
  Entry& entry = entries_[notice.allocation_id()];
  if (notice.count() == entry.notice.count()) {
    return;
  }
  entry = {.notice = std::move(notice), .put_at = now, .is_news = true};
  ++news_;
}

void NoticeBoard::BeginSession() {
  news_ = entries_.size();
  for (auto& [id, entry] : entries_) {
    entry.is_news = true;
  }
}

std::vector<v1::AgentMessage> NoticeBoard::TakeNews(absl::Duration now) {
  std::vector<v1::AgentMessage> messages;
  for (auto& [id, entry] : entries_) {
    if (news_ == 0 || !std::exchange(entry.is_news, false)) {
      continue;
    }
    if (messages.empty() || messages.back().notices().notices_size() == kNoticesPerMessageMax) {
      messages.emplace_back();
    }
    v1::TaskNotice& told = *messages.back().mutable_notices()->add_notices();
    told = entry.notice;
    const int64_t since_ms = absl::ToInt64Milliseconds(now - entry.put_at);
    told.set_age_ms(told.age_ms() + since_ms);
    told.set_checkpoint_age_ms(told.checkpoint_age_ms() + since_ms);
  }
  news_ = 0;
  return messages;
}

}  // namespace berth
