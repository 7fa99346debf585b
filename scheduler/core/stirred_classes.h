#ifndef BERTH_SCHEDULER_CORE_STIRRED_CLASSES_H_
#define BERTH_SCHEDULER_CORE_STIRRED_CLASSES_H_

// In which device classes something has happened since the last round that its jobs could start
// for: a round need not look at the others again. A value, owned by the Cluster.

#include <cstdint>

#include "absl/container/flat_hash_set.h"

#include "scheduler/core/ids.h"

namespace berth {

class StirredClasses {
 public:
  // No class: jobs that name none.
  void Stir(ClassId id) {
    classes_.insert(id);
    ++version_;
  }
  void StirAll() {
    all_ = true;
    ++version_;
  }
  // A round has looked at them, and would find nothing more.
  void Settle() {
    classes_.clear();
    all_ = false;
  }

  bool empty() const { return !all_ && classes_.empty(); }
  bool contains(ClassId id) const { return all_ || classes_.contains(id); }
  // Grows with everything that happens.
  uint64_t version() const { return version_; }

 private:
  absl::flat_hash_set<ClassId> classes_;
  bool all_ = true;  // nothing has been looked at yet
  uint64_t version_ = 0;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_STIRRED_CLASSES_H_
