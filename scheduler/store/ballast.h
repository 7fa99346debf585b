#ifndef BERTH_SCHEDULER_STORE_BALLAST_H_
#define BERTH_SCHEDULER_STORE_BALLAST_H_

// Disk space kept in reserve: a file beside the database that is given up when the disk is full, so
// that the reports of running jobs can still be recorded.

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace berth {

// Owned by the store; one thread.
class Ballast {
 public:
  // Room of 0: there is no ballast, and the disk is never known to be full for long.
  Ballast(std::string path, int64_t room_bytes);

  // Takes the room if it is not held and the disk has twice as much. Returns: whether it is held.
  bool Take();
  // Gives the room back to the disk.
  absl::Status Release();

 private:
  bool DiskHasRoom() const;

  const std::string path_;
  const int64_t room_bytes_;
  bool is_held_ = false;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_BALLAST_H_
