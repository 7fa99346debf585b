#ifndef BERTH_SIM_FAULTS_HISTORY_H_
#define BERTH_SIM_FAULTS_HISTORY_H_

// What happened in one seed: the last events in words, and a number that two runs share only when
// the same happened in both. One thread.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/decision_hash.h"

namespace berth::sim {

class History {
 public:
  // `what` is a literal with one %d per number that is meant; it says who did what to what.
  void Note(int64_t at_us, const char* what, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0);

  int64_t events() const { return events_; }
  uint64_t hash() const { return hash_.value(); }
  // The last ones, oldest first, one line each.
  std::vector<std::string> Lines() const;

 private:
  struct Event {
    int64_t at_us = 0;
    const char* what = "";
    std::array<uint64_t, 3> numbers{};
  };
  static constexpr size_t kKept = 80;

  std::array<Event, kKept> last_;
  int64_t events_ = 0;
  DecisionHash hash_;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_HISTORY_H_
