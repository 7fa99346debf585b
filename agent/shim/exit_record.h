#ifndef BERTH_AGENT_SHIM_EXIT_RECORD_H_
#define BERTH_AGENT_SHIM_EXIT_RECORD_H_

// The file that says how a task ended: complete or not there, and its room on the disk is taken
// before the task starts, so that a full disk cannot lose it.

#include <optional>

#include "agent/shim/shim_protocol.h"

namespace berth::shim {

// In the shim's working directory. One per shim.
class ExitRecordFile {
 public:
  ExitRecordFile() = default;
  ~ExitRecordFile();
  ExitRecordFile(const ExitRecordFile&) = delete;
  ExitRecordFile& operator=(const ExitRecordFile&) = delete;

  // Returns: 0, or the errno that says why there is no room.
  int Reserve();
  // Makes the record durable and visible, in this order. Returns: 0, or errno.
  int Commit(const ExitRecord& record);

 private:
  int file_ = -1;
};

enum class ExitRecordFound { kNone, kWhole, kDamaged };

// Reads the record in the folder `folder_fd`.
ExitRecordFound ReadExitRecord(int folder_fd, ExitRecord& record);

}  // namespace berth::shim

#endif  // BERTH_AGENT_SHIM_EXIT_RECORD_H_
