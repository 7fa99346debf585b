#ifndef BERTH_AGENT_WORKDIR_FETCH_H_
#define BERTH_AGENT_WORKDIR_FETCH_H_

// Brings a job's uploaded folder to this node, on a call of its own.

#include <memory>
#include <string>

#include "absl/status/status.h"

#include "agent/executor/workdir_unpacker.h"

namespace berth {

class WorkdirFetch {
 public:
  virtual ~WorkdirFetch() = default;
  // Blocks until the folder is there, or says why it cannot be: again and again for some minutes
  // while the scheduler is away. Once, on a thread of its own. InvalidArgument, NotFound: no node
  // can have it; ResourceExhausted: this one has no room; Cancelled.
  virtual absl::Status Run() = 0;
  // From any thread.
  virtual void Cancel() = 0;
};

}  // namespace berth

#endif  // BERTH_AGENT_WORKDIR_FETCH_H_
