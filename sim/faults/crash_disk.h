#ifndef BERTH_SIM_FAULTS_CRASH_DISK_H_
#define BERTH_SIM_FAULTS_CRASH_DISK_H_

// Files in memory on a disk that keeps its promises and no more: what a sync has forced to it
// stays; of everything else a power cut leaves any sectors, in any order, of any file, and in those
// that it interrupts anything. Its calls can be made to fail. One thread.

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace berth::sim {

class CrashDisk {
 public:
  enum class Result { kOk, kShort, kFailed, kNoRoom };
  enum class Fault {
    kNone,
    kPowerCut,    // that call and all later ones fail, until Restart
    kReadError,   // the next read fails
    kWriteError,  // the next write fails, half-way
    kSyncError,   // the next sync fails: what it was to force is never forced by a later one
    kNoRoom,      // every write that makes a file longer fails, until EndFault
  };

  explicit CrashDisk(uint64_t seed) : random_(seed) {}

  // A file that has been there for long.
  void Put(const std::string& name, std::string content);

  // `fault` happens at the `calls`-th call from now on; 1: the next.
  void FailAt(Fault fault, int64_t calls);
  void EndFault() {
    fault_ = Fault::kNone;
    has_failed_ = false;
  }
  // Whether the fault that was asked for has happened.
  bool has_failed() const { return has_failed_; }
  // Syncs are said to have worked and did nothing: a drive that lies, or a program that does not
  // ask.
  void IgnoreSyncs() { ignores_syncs_ = true; }

  // The process is no more: what is still called does nothing, until Restart.
  void EndProcess() { is_ended_ = true; }
  // So is the machine: what no sync has forced to the disk may be lost.
  void CutPower() { is_ended_ = loses_ = true; }
  void Restart();

  // ---- What a program calls ----
  Result Open(const std::string& name, bool create);
  bool Exists(const std::string& name) const;
  // kShort: the rest of `bytes`, behind the file's end, is zeros.
  Result Read(const std::string& name, int64_t offset, absl::string_view* piece, int64_t size);
  Result Write(const std::string& name, int64_t offset, absl::string_view bytes);
  Result Truncate(const std::string& name, int64_t size);
  Result Sync(const std::string& name);
  Result Delete(const std::string& name, bool sync_folder);
  Result Size(const std::string& name, int64_t* size);
  int64_t calls() const { return calls_; }

 private:
  struct Change {
    int64_t offset = 0;
    std::string bytes;
    bool is_truncation = false;  // to `offset`
    bool is_abandoned = false;   // a sync of it has failed
  };
  struct File {
    std::string forced;           // what is on the disk for sure
    std::string now;              // what a program reads
    std::vector<Change> changes;  // from the one to the other
    bool is_listed = false;       // its name is on the disk for sure
    bool is_deleted = false;      // and that is not
  };

  // Counts the call. Returns: whether it has to fail.
  bool Fails(Fault kind);
  int64_t Below(int64_t bound);
  static void Apply(const Change& change, std::string& content);
  // Any part of it.
  void ApplySome(const Change& change, int64_t kept_percent, std::string& content);

  std::mt19937_64 random_;
  std::map<std::string, File> files_;
  Fault fault_ = Fault::kNone;
  int64_t fails_at_ = 0;
  int64_t calls_ = 0;
  bool has_failed_ = false;
  bool is_off_ = false;    // while the process does not know yet
  bool is_ended_ = false;  // nobody is there to be told
  bool loses_ = false;     // at the next Restart
  bool ignores_syncs_ = false;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_CRASH_DISK_H_
