#ifndef BERTH_AGENT_DEVICES_FAULT_SCRIPT_H_
#define BERTH_AGENT_DEVICES_FAULT_SCRIPT_H_

// Faults of simulated devices, read from a file that grows: tests and exercises append lines to it.
//
//   xid 79 on device 3             uncorrected ecc on device 3      corrected ecc 500 on device 3
//   lost link on device 3          lost device 3                    clear device 3
//   process 4711 on device 3       no process on device 3

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "agent/devices/device_event.h"

namespace berth {

class FaultScript : public DeviceMonitor {
 public:
  // What is in the file already counts as happened just now. No file: no faults yet.
  explicit FaultScript(std::string path) : path_(std::move(path)) {}

  // A line that is none of the above is logged and left out.
  std::vector<DeviceEvent> TakeEvents() override;
  std::vector<DeviceProcess> ProcessesOn(int index) override;

 private:
  void ReadNewLines();
  bool Understand(absl::string_view line);

  const std::string path_;
  int64_t read_bytes_ = 0;  // up to the last line break
  std::vector<DeviceEvent> events_;
  std::map<int, std::set<int64_t>> processes_;  // by device
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_FAULT_SCRIPT_H_
