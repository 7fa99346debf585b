#ifndef BERTH_AGENT_WORKDIR_CALL_H_
#define BERTH_AGENT_WORKDIR_CALL_H_

// A WorkdirFetch by the scheduler's FetchWorkdir.

#include <memory>
#include <string>

#include "agent/workdir_fetch.h"
#include "proto/agent_api.grpc.pb.h"

namespace berth {

// The stub lives as long as the fetch.
std::shared_ptr<WorkdirFetch> MakeWorkdirCall(std::shared_ptr<v1::Agent::Stub> stub,
                                              const std::string& token, WorkdirOrder order);

}  // namespace berth

#endif  // BERTH_AGENT_WORKDIR_CALL_H_
