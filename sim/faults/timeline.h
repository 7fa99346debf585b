#ifndef BERTH_SIM_FAULTS_TIMELINE_H_
#define BERTH_SIM_FAULTS_TIMELINE_H_

// The true time of one seed, what will happen when, the seed's randomness, and what has happened.
// Everybody in the simulated world shares it. One thread.

#include <cstdint>
#include <functional>
#include <utility>

#include "sim/event_queue.h"
#include "sim/faults/history.h"
#include "sim/random.h"

namespace berth::sim {

constexpr int64_t kMillisecond = 1000;
constexpr int64_t kSecond = 1000 * kMillisecond;

class Timeline {
 public:
  explicit Timeline(uint64_t seed) : random_(seed) {}
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  int64_t now_us() const { return now_us_; }
  // Never in the past: what is due already happens next.
  void At(int64_t at_us, std::function<void()> event) {
    queue_.Put(at_us < now_us_ ? now_us_ : at_us, std::move(event));
  }
  void After(int64_t delay_us, std::function<void()> event) {
    At(now_us_ + delay_us, std::move(event));
  }
  // Returns: whether there was anything to do at or before `until_us`.
  bool RunNext(int64_t until_us) {
    if (queue_.empty() || queue_.next_us() > until_us) {
      return false;
    }
    now_us_ = queue_.next_us();
    queue_.Take()();
    return true;
  }

  void Note(const char* what, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
    history_.Note(now_us_, what, a, b, c);
  }
  const History& history() const { return history_; }

  // From `least` to `most`, both included.
  int64_t Between(int64_t least, int64_t most) { return least + random_.Below(most - least + 1); }
  // True once in `of` times.
  bool Once(int64_t of) { return random_.Below(of) == 0; }

 private:
  int64_t now_us_ = 0;
  EventQueue<std::function<void()>> queue_;
  Random random_;
  History history_;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_TIMELINE_H_
