#ifndef BERTH_CLIENT_REQUEUE_OPTIONS_H_
#define BERTH_CLIENT_REQUEUE_OPTIONS_H_

// When a job is queued again by itself: --requeue, --requeue-exit, --max-requeues.

#include "absl/status/status.h"

#include "client/option.h"
#include "proto/job.pb.h"

namespace berth {

// What they do not name stays; of a job that has no policy: after a node fault and after a recall.
absl::Status ReadRequeue(const Arguments& arguments, v1::JobSpec& spec);

}  // namespace berth

#endif  // BERTH_CLIENT_REQUEUE_OPTIONS_H_
