#ifndef BERTH_SIM_EVENT_QUEUE_H_
#define BERTH_SIM_EVENT_QUEUE_H_

// What will happen when, in virtual time. Events of one time come out in the order they were put
// in. One thread.

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace berth::sim {

template <typename Event>
class EventQueue {
 public:
  void Put(int64_t at_us, Event event) {
    heap_.push_back({at_us, ++last_, std::move(event)});
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }
  bool empty() const { return heap_.empty(); }
  // Of the next event. Requires: not empty.
  int64_t next_us() const { return heap_.front().at_us; }
  // Requires: not empty.
  Event Take() {
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    Event event = std::move(heap_.back().event);
    heap_.pop_back();
    return event;
  }

 private:
  struct Entry {
    int64_t at_us;
    uint64_t number;
    Event event;
  };
  static bool Later(const Entry& a, const Entry& b) {
    return a.at_us != b.at_us ? a.at_us > b.at_us : a.number > b.number;
  }

  std::vector<Entry> heap_;
  uint64_t last_ = 0;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_EVENT_QUEUE_H_
