#ifndef BERTH_AGENT_CORE_JOURNAL_RECORD_H_
#define BERTH_AGENT_CORE_JOURNAL_RECORD_H_

// What the agent makes durable, and what a restart begins with.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

#include "proto/agent_api.pb.h"

namespace berth {

// An assignment was accepted. On disk before anything of it is spawned.
struct AssignmentAccepted {
  v1::Assignment assignment;
};
// Rank 0 of a gang reserved this port.
struct RendezvousReserved {
  uint64_t allocation_id = 0;
  int port = 0;
};
// A Kill came for an allocation that is unknown here: it will never run.
struct TombstoneSet {
  uint64_t allocation_id = 0;
};
// The scheduler knows how the task ended.
struct TaskForgotten {
  uint64_t allocation_id = 0;
};
struct EpochSeen {
  uint64_t sched_epoch = 0;
};
// One start of the agent.
struct AgentStarted {
  uint64_t incarnation = 0;
  std::string boot_id;
};
// Numbers up to this one are used up: those of refused assignments, and in a compacted journal
// those of the records that were dropped.
struct AssignSeqSeen {
  int64_t assign_seq = 0;
};

// An earlier journal, or the end of this one, is gone: records are missing that were written before
// this incarnation.
struct RecordsLost {
  uint64_t incarnation = 0;
};

using JournalRecord =
    std::variant<AssignmentAccepted, RendezvousReserved, TombstoneSet, TaskForgotten, EpochSeen,
                 AgentStarted, AssignSeqSeen, RecordsLost>;

struct JournaledTask {
  v1::Assignment assignment;
  int rendezvous_port = 0;
};

// The sum of a journal.
struct AgentState {
  uint64_t incarnation = 0;
  uint64_t whole_since = 0;  // the incarnation of the last RecordsLost
  std::string boot_id;
  uint64_t sched_epoch_max = 0;
  int64_t assign_seq_max = 0;
  std::map<uint64_t, JournaledTask> tasks;  // by allocation
  std::set<uint64_t> tombstones;
};

void ApplyRecord(const JournalRecord& record, AgentState& state);

// The first number of a journal that begins at `now`: it counts in 1/1024 s, which is less than an
// agent takes to start, so that it is above whatever a lost journal counted to. Older agents
// counted in seconds: their numbers are below those of all later ones.
uint64_t NewIncarnation(absl::Time now);

// The next life of an agent begins with what its journal says. `new_incarnation`: the first number
// where there is no journal. `records_lost`: the journal is
// new or its end was cut off; `found` are the tasks that were on this node all the same.
void BeginLife(uint64_t new_incarnation, bool records_lost, const std::vector<JournaledTask>& found,
               AgentState& state);

}  // namespace berth

#endif  // BERTH_AGENT_CORE_JOURNAL_RECORD_H_
