#ifndef BERTH_AGENT_EXECUTOR_WORKDIR_CACHE_H_
#define BERTH_AGENT_EXECUTOR_WORKDIR_CACHE_H_

// Uploaded folders as they came from the scheduler, so that a node asks for each only once: the
// tasks of an array and a job's next attempt find it here, and a folder in which some files have
// changed finds the others. A file is named after the tenant and the SHA-256 of its manifest and
// holds the bytes of FetchWorkdir, of all contents. Tenants share nothing: how soon a task starts
// would tell one what another has. Nothing in it is believed: WorkdirUnpacker checks it as if it
// came from the network, so nothing here needs to be durable.

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

#include "agent/executor/workdir_unpacker.h"
#include "common/descriptor.h"

namespace berth {

// Any thread. Whatever fails here costs another fetch and nothing else.
class WorkdirCache {
 public:
  static constexpr size_t kFoldersMax = 4;

  // What comes in under one name, on one thread. Others who ask for the name wait until it is gone.
  class Filling {
   public:
    Filling(const Filling&) = delete;
    Filling& operator=(const Filling&) = delete;
    ~Filling();
    // What came before does not count.
    void Begin(int64_t manifest_bytes);
    void Add(absl::string_view data);
    // It is whole: it is found from now on. Those used longest ago go if there is too much.
    void Keep();

   private:
    friend class WorkdirCache;
    Filling(WorkdirCache& cache, std::string name, int64_t clears);
    void Write(const char* data, size_t size);

    WorkdirCache& cache_;
    const std::string name_;
    const int64_t clears_;
    Descriptor file_;  // closed once it cannot be kept
    int64_t size_ = 0;
  };
  // One of the two, or neither: then it is not to be kept.
  struct Claim {
    Descriptor kept;  // a whole folder, for Unpack
    std::unique_ptr<Filling> filling;
  };

  // Of at most `bytes_max` on the disk; 0: keeps nothing. Removes what came in half before.
  WorkdirCache(std::string folder, int64_t bytes_max);
  WorkdirCache(const WorkdirCache&) = delete;
  WorkdirCache& operator=(const WorkdirCache&) = delete;

  // Blocks while another thread brings the same, until `is_cancelled`, which is asked several times
  // a second.
  Claim Find(const WorkdirOrder& order, const std::function<bool()>& is_cancelled);
  // The tenant's other folders: the kFoldersMax that were used last.
  std::vector<Descriptor> FindOthers(const std::string& tenant);
  // It is not what it should be.
  void Remove(const WorkdirOrder& order);
  // One of the tenant's is not.
  void RemoveOthers(const std::string& tenant);
  // Makes room for tasks: removes all, and keeps nothing of what is coming in. False: there was
  // nothing.
  bool Clear();

 private:
  std::string PathOf(absl::string_view name) const;
  void RemoveOldest();
  void End(const std::string& name);

  const std::string folder_;
  const int64_t bytes_max_;
  absl::Mutex mu_;
  std::set<std::string> coming_ ABSL_GUARDED_BY(mu_);
  int64_t clears_ ABSL_GUARDED_BY(mu_) = 0;
};

// Makes the order's folder from a kept one. InvalidArgument, DataLoss: it is not what was uploaded.
// ResourceExhausted: the disk is full.
absl::Status Unpack(const Descriptor& kept, const WorkdirOrder& order);

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_WORKDIR_CACHE_H_
