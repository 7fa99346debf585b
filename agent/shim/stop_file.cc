#include "agent/shim/stop_file.h"

#include <array>
#include <cstddef>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth::shim {
namespace {

constexpr char kTemporaryName[] = "stop.new";
constexpr int64_t kMsPerSecond = 1000;

// By the number of berth.v1.StopReason.
constexpr std::array<const char*, 10> kReasonWords = {
    "gang",  "cancelled", "time-limit", "preempted", "gang",
    "lease", "drain",     "budget",     "admin",     "stale"};

std::string Escape(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      escaped.push_back('\\');
    }
    escaped.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  }
  return escaped;
}

}  // namespace

std::string StopFileText(const StopOrder& order) {
  const auto reason = static_cast<size_t>(order.reason);
  const char* const word = reason < kReasonWords.size() ? kReasonWords[reason] : "admin";
  return std::string("{\"reason\":\"") + word +
         "\",\"grace_seconds\":" + std::to_string(order.grace_ms / kMsPerSecond) +
         ",\"message\":\"" + Escape(order.message) + "\"}\n";
}

void WriteStopFile(const StopOrder& order) {
  const int file =
      open(kTemporaryName, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file < 0) {
    return;
  }
  fchmod(file, 0644);  // for the task's user, whatever the shim's umask
  const std::string text = StopFileText(order);
  const bool whole = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(file);
  if (!whole || rename(kTemporaryName, kStopFileName) != 0) {
    unlink(kTemporaryName);
  }
}

}  // namespace berth::shim
