#ifndef BERTH_CLIENT_REQUEUE_OPTIONS_H_
#define BERTH_CLIENT_REQUEUE_OPTIONS_H_

// When a job is queued again by itself: --requeue, --requeue-exit, --max-requeues.

#include "absl/status/statusor.h"

#include "client/option.h"
#include "proto/job.pb.h"

namespace berth {

// Without any of them: after a node fault and after a recall.
absl::StatusOr<v1::RequeuePolicy> ReadRequeue(const Arguments& arguments);

}  // namespace berth

#endif  // BERTH_CLIENT_REQUEUE_OPTIONS_H_
