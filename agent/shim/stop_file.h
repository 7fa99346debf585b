#ifndef BERTH_AGENT_SHIM_STOP_FILE_H_
#define BERTH_AGENT_SHIM_STOP_FILE_H_

// Why a task is asked to stop, as the task itself can read it. Plain C++ without libraries.

#include <cstdint>
#include <string>

namespace berth {

struct StopNotice {
  int64_t reason = 0;  // a berth.v1.StopReason; 0: another rank failed
  int64_t grace_ms = 0;
  const char* message = "";
};

// {"reason":"time-limit","grace_seconds":30,"message":"..."} and a line break.
std::string FormatStopNotice(const StopNotice& notice);

// Writes it as kStopFileName in the folder; whoever sees the file sees all of it. A disk that is
// full stops no stop.
void WriteStopFile(int folder, const StopNotice& notice);

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_STOP_FILE_H_
