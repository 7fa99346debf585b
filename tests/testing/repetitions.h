#ifndef BERTH_TESTS_TESTING_REPETITIONS_H_
#define BERTH_TESTS_TESTING_REPETITIONS_H_

#include <cstdint>

namespace berth {

// How often a test tries something random that is to be tried `count` times. A sanitizer makes it
// ten times as slow, and in what one thread does TSan can find nothing.
constexpr int64_t Repetitions(int64_t count) {
#if defined(__SANITIZE_THREAD__)
  return count / 16;
#elif defined(BERTH_SANITIZED)
  return count / 4;
#else
  return count;
#endif
}

}  // namespace berth

#endif  // BERTH_TESTS_TESTING_REPETITIONS_H_
