#ifndef BERTH_COMMON_LOG_H_
#define BERTH_COMMON_LOG_H_

// One line per event on stderr: a fixed phrase, then key=value pairs.
//   LogInfo("job started", {{"job", job.value()}, {"node", name}});
// spdlog stays behind log.cc. Safe from any thread.

#include <initializer_list>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace berth {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct LogField {
  template <typename Value>
  LogField(absl::string_view key_in, const Value& value_in)
      : key(key_in), value(absl::StrCat(value_in)) {}
  absl::string_view key;
  std::string value;
};

// Names the program in every line and sets the lowest level written. Call once, at start.
void InitLog(absl::string_view program, LogLevel lowest);

void Log(LogLevel level, absl::string_view phrase, std::initializer_list<LogField> fields);

inline void LogDebug(absl::string_view phrase, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kDebug, phrase, fields);
}
inline void LogInfo(absl::string_view phrase, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, phrase, fields);
}
inline void LogWarning(absl::string_view phrase, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarning, phrase, fields);
}
inline void LogError(absl::string_view phrase, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, phrase, fields);
}

}  // namespace berth

#endif  // BERTH_COMMON_LOG_H_
