#ifndef BERTH_SCHEDULER_CORE_IDS_H_
#define BERTH_SCHEDULER_CORE_IDS_H_

// Identifiers of the core's nouns. Small integers, given out in order, never reused; 0 is "none".

#include <cstdint>

#include "common/strong_id.h"

namespace berth {

using JobId = StrongId<struct JobTag>;
using AllocationId = StrongId<struct AllocationTag>;
using NodeId = StrongId<struct NodeTag>;
using TenantId = StrongId<struct TenantTag>;
using ProjectId = StrongId<struct ProjectTag>;
using UserId = StrongId<struct UserTag>;
using ClassId = StrongId<struct ClassTag, uint32_t>;
using BookingId = StrongId<struct BookingTag>;
using ReclaimId = StrongId<struct ReclaimTag>;

// A set of pending jobs that look alike. Not durable, never reused within one life of the daemon.
using GroupId = StrongId<struct GroupTag>;
// Where such a group would run, whoever asks and for how long. Not durable either.
using ShapeId = StrongId<struct ShapeTag, uint32_t>;

// One life of an agent's stream. Not durable: every start of the scheduler counts from 1.
using SessionId = StrongId<struct SessionTag>;

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_IDS_H_
