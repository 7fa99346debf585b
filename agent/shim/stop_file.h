#ifndef BERTH_AGENT_SHIM_STOP_FILE_H_
#define BERTH_AGENT_SHIM_STOP_FILE_H_

// The file that tells a task why it is being stopped, before the stop signal comes.

#include <string>

#include "agent/shim/shim_protocol.h"

namespace berth::shim {

// {"reason":"preempted","grace_seconds":30,"message":"..."}
std::string StopFileText(const StopOrder& order);

// Writes it in the working directory, whole or not at all. A failure is no reason not to stop.
void WriteStopFile(const StopOrder& order);

}  // namespace berth::shim

#endif  // BERTH_AGENT_SHIM_STOP_FILE_H_
