#ifndef BERTH_AGENT_WORKDIR_CALL_H_
#define BERTH_AGENT_WORKDIR_CALL_H_

// A WorkdirFetch from what this node has kept, or by the scheduler's FetchWorkdir.

#include <memory>
#include <string>

#include "agent/executor/workdir_cache.h"
#include "agent/workdir_fetch.h"
#include "proto/agent_api.grpc.pb.h"

namespace berth {

// Stub and cache live as long as the fetch.
std::shared_ptr<WorkdirFetch> MakeWorkdirCall(std::shared_ptr<v1::Agent::Stub> stub,
                                              std::shared_ptr<WorkdirCache> cache,
                                              const std::string& token, WorkdirOrder order);

}  // namespace berth

#endif  // BERTH_AGENT_WORKDIR_CALL_H_
