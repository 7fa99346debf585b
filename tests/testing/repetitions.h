#ifndef BERTH_TESTS_TESTING_REPETITIONS_H_
#define BERTH_TESTS_TESTING_REPETITIONS_H_

#include <cstdint>

namespace berth {

// How often a test tries something random that is to be tried `count` times: with a sanitizer,
// which makes it ten times as slow, a quarter of that.
constexpr int64_t Repetitions(int64_t count) {
#ifdef BERTH_SANITIZED
  return count / 4;
#else
  return count;
#endif
}

}  // namespace berth

#endif  // BERTH_TESTS_TESTING_REPETITIONS_H_
