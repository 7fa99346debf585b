#ifndef BERTH_SIM_FAULTS_CRASH_VFS_H_
#define BERTH_SIM_FAULTS_CRASH_VFS_H_

// SQLite on a CrashDisk: while a CrashDiskScope lives, every file that SQLite opens on this thread
// is one of its disk's. Files that were opened outside of a scope are the machine's, as ever.
// After "The OS Backend (VFS) To SQLite", https://sqlite.org/vfs.html.

#include "sim/faults/crash_disk.h"

namespace berth::sim {

class CrashDiskScope {
 public:
  // The disk outlives every connection that is opened in the scope.
  explicit CrashDiskScope(CrashDisk& disk);
  CrashDiskScope(const CrashDiskScope&) = delete;
  CrashDiskScope& operator=(const CrashDiskScope&) = delete;
  ~CrashDiskScope();

 private:
  CrashDisk* const outer_;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_CRASH_VFS_H_
