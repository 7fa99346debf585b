#ifndef BERTH_SCHEDULER_RPC_DEVICE_USE_H_
#define BERTH_SCHEDULER_RPC_DEVICE_USE_H_

// What devices are busy with, as far as the caller may know it. What was seen before a job had its
// devices is never told of that job.

#include "proto/client_api.pb.h"
#include "scheduler/read_view.h"
#include "scheduler/rpc/sample_board.h"

namespace berth {

// Into the job's allocations, if it is live. Requires: `job` is made of `record`.
void FillSamples(const JobRecord& record, const ReadView& view, const SampleBoard& board,
                 v1::Job& job);

// Of all devices of `node`. A tenant's people learn what their own jobs' devices are busy with, and
// of the others whether they are taken.
void FillUses(const Node& node, const Actor& actor, const ReadView& view, const SampleBoard& board,
              v1::Node& message);

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_DEVICE_USE_H_
