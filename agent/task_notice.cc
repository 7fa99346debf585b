#include "agent/task_notice.h"

namespace berth {
namespace {

constexpr int64_t kNsPerMs = 1000000;

}  // namespace

v1::TaskNotice ToTaskNotice(const ShimNotice& notice, int64_t age_ns, int64_t checkpoint_age_ns) {
  v1::TaskNotice told;
  told.set_count(static_cast<uint64_t>(notice.count));
  told.set_age_ms(age_ns / kNsPerMs);
  told.set_checkpoint(notice.checkpoint);
  told.set_checkpoint_age_ms(notice.checkpoint[0] == 0 ? 0 : checkpoint_age_ns / kNsPerMs);
  if (notice.progress_milli >= 0) {
    told.set_progress_milli(notice.progress_milli);
  }
  told.set_text(notice.text);
  return told;
}

}  // namespace berth
