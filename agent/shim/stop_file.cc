#include "agent/shim/stop_file.h"

#include <iterator>

#include "agent/shim/shim_protocol.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

// The stop file's word for a berth.v1.StopReason.
const char* ReasonWord(int64_t reason) {
  static constexpr const char* kWords[] = {
      "failed-rank", "cancelled", "time-limit", "preempted", "failed-rank", "lease",      "drain",
      "budget",      "admin",     "stale",      "preempted", "maintenance", "disk-limit", "idle"};
  if (reason == kStopNodeFault) {
    return "node-fault";
  }
  return reason >= 0 && reason < static_cast<int64_t>(std::size(kWords)) ? kWords[reason]
                                                                         : "unknown";
}

// What stands between quotation marks in JSON, control characters and quotes replaced.
std::string Quotable(const char* text) {
  std::string safe;
  for (const char* c = text; *c != 0; ++c) {
    const bool special = *c == '"' || *c == '\\' || static_cast<unsigned char>(*c) < ' ';
    safe += special ? '\'' : *c;
  }
  return safe;
}

}  // namespace

std::string FormatStopNotice(const StopNotice& notice) {
  return std::string("{\"reason\":\"") + ReasonWord(notice.reason) +
         "\",\"grace_seconds\":" + std::to_string(notice.grace_ms / 1000) + ",\"message\":\"" +
         Quotable(notice.message) + "\"}\n";
}

void WriteStopFile(int folder, const StopNotice& notice) {
  const std::string text = FormatStopNotice(notice);
  const std::string temporary = std::string(kStopFileName) + ".new";
  const int file = openat(folder, temporary.c_str(),
                          O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file < 0) {
    return;
  }
  const bool whole = fchmod(file, 0644) == 0 &&
                     write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(file);
  if (whole) {
    renameat(folder, temporary.c_str(), folder, kStopFileName);
  }
}

}  // namespace berth
