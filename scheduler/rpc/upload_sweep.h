#ifndef BERTH_SCHEDULER_RPC_UPLOAD_SWEEP_H_
#define BERTH_SCHEDULER_RPC_UPLOAD_SWEEP_H_

// Now and again removes the uploads that nobody has used for a while and that no job needs: the
// desk's thread knows the one, the loop the other.

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include <grpcpp/alarm.h>

#include "scheduler/control_loop.h"
#include "scheduler/rpc/upload_desk.h"

namespace berth {

// Owned by the Server. Requires: loop and desk outlive it, and have stopped when it is destroyed.
class UploadSweep {
 public:
  UploadSweep(ControlLoop& loop, UploadDesk& desk) : loop_(loop), desk_(desk) {}
  void Start() { Later(); }
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Later() ABSL_LOCKS_EXCLUDED(mu_);
  void Sweep();

  ControlLoop& loop_;
  UploadDesk& desk_;
  absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  grpc::Alarm alarm_ ABSL_GUARDED_BY(mu_);
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_UPLOAD_SWEEP_H_
