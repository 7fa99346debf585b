#include "common/log.h"

#include <string>

#include "absl/strings/escaping.h"
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace berth {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// A value with blanks or control characters is quoted, so that a line stays one line.
std::string Quoted(const std::string& value) {
  if (value.empty() || value.find_first_of(" \t\n\r\"=\x1b") != std::string::npos) {
    return absl::StrCat("\"", absl::Utf8SafeCEscape(value), "\"");
  }
  return value;
}

}  // namespace

void InitLog(absl::string_view program, LogLevel lowest) {
  auto logger = spdlog::stderr_logger_mt(std::string(program));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %n: %v");
  logger->set_level(ToSpdlog(lowest));
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

void Log(LogLevel level, absl::string_view phrase, std::initializer_list<LogField> fields) {
  const auto spdlog_level = ToSpdlog(level);
  if (!spdlog::should_log(spdlog_level)) {
    return;
  }
  std::string line(phrase);
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.key, "=", Quoted(field.value));
  }
  spdlog::log(spdlog_level, "{}", line);
}

}  // namespace berth
