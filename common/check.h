#ifndef BERTH_COMMON_CHECK_H_
#define BERTH_COMMON_CHECK_H_

// BERTH_CHECK ends the process when something that must hold does not: our bug, never the caller's.
// On in every build.

namespace berth {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace berth

#define BERTH_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::berth::CheckFailed(__FILE__, __LINE__, #condition))

#endif  // BERTH_COMMON_CHECK_H_
