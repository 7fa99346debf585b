#ifndef BERTH_SCHEDULER_RPC_FRAME_PIPE_H_
#define BERTH_SCHEDULER_RPC_FRAME_PIPE_H_

// One direction of a channel: frames from the stream that reads them to the stream that writes
// them, bounded, so that a slow end holds the other one back.

#include <cstddef>
#include <deque>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace berth {

// Both ends may be on any thread, but each has one call at work at a time. Callbacks are called
// without the pipe's lock.
template <typename Frame>
class FramePipe {
 public:
  static constexpr size_t kFramesMax = 4;

  // False: there is no room for another frame; `resume` is called once when there is. After the end
  // frames are dropped, and there is room for them.
  bool Push(Frame frame, std::function<void()> resume) ABSL_LOCKS_EXCLUDED(mu_) {
    std::function<void()> wake;
    bool has_room = true;
    {
      absl::MutexLock lock(&mu_);
      if (closed_) {
        return true;
      }
      frames_.push_back(std::move(frame));
      wake = std::exchange(wake_, nullptr);
      has_room = frames_.size() < kFramesMax;
      if (!has_room) {
        resume_ = std::move(resume);
      }
    }
    Call(wake);
    return has_room;
  }

  enum class Taken { kFrame, kNothing, kEnd };
  // kNothing: `wake` is called once when there is something. kEnd: `end` says why.
  Taken Take(Frame& frame, absl::Status& end, std::function<void()> wake) ABSL_LOCKS_EXCLUDED(mu_) {
    std::function<void()> resume;
    {
      absl::MutexLock lock(&mu_);
      if (frames_.empty()) {
        if (closed_) {
          end = end_;
          return Taken::kEnd;
        }
        wake_ = std::move(wake);
        return Taken::kNothing;
      }
      frame = std::move(frames_.front());
      frames_.pop_front();
      resume = std::exchange(resume_, nullptr);
    }
    Call(resume);
    return Taken::kFrame;
  }

  // Nothing more will come. The first end given stays; one that is an error drops what was not
  // taken yet.
  void Close(const absl::Status& end) ABSL_LOCKS_EXCLUDED(mu_) {
    std::function<void()> wake;
    std::function<void()> resume;
    {
      absl::MutexLock lock(&mu_);
      if (closed_) {
        return;
      }
      closed_ = true;
      end_ = end;
      if (!end.ok()) {
        frames_.clear();
      }
      wake = std::exchange(wake_, nullptr);
      resume = std::exchange(resume_, nullptr);
    }
    Call(wake);
    Call(resume);
  }

 private:
  static void Call(const std::function<void()>& function) {
    if (function != nullptr) {
      function();
    }
  }

  absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);
  std::deque<Frame> frames_ ABSL_GUARDED_BY(mu_);
  std::function<void()> resume_ ABSL_GUARDED_BY(mu_);
  std::function<void()> wake_ ABSL_GUARDED_BY(mu_);
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_FRAME_PIPE_H_
