#ifndef BERTH_AGENT_CORE_NOTICE_BOARD_H_
#define BERTH_AGENT_CORE_NOTICE_BOARD_H_

// What the tasks of this node told of themselves last, and which of it the scheduler has not heard
// yet. Bounded by the number of tasks. Owned by the Agent; one thread. Times are since boot.

#include <cstdint>
#include <map>
#include <vector>

#include "absl/time/time.h"

#include "proto/agent_api.pb.h"

namespace berth {

class NoticeBoard {
 public:
  // Replaces what the task told before. The ages of `notice` count to `now`. One that is known
  // already (by its count) is no news.
  void Put(v1::TaskNotice notice, absl::Duration now);
  // The task has ended: its report tells of its last notice.
  void Forget(uint64_t allocation_id) { entries_.erase(allocation_id); }
  // A new session has heard nothing.
  void BeginSession();

  bool HasNews() const { return news_ > 0; }
  // All news in messages of a bounded size, with their ages as of `now`; they are none any more.
  std::vector<v1::AgentMessage> TakeNews(absl::Duration now);

 private:
  struct Entry {
    v1::TaskNotice notice;
    absl::Duration put_at;
    bool is_news = true;
  };
  std::map<uint64_t, Entry> entries_;  // by allocation
  size_t news_ = 0;                    // at least as many as there are; 0: none
};

}  // namespace berth

#endif  // BERTH_AGENT_CORE_NOTICE_BOARD_H_
