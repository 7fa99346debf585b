#ifndef BERTH_AGENT_ENTRY_MESSAGES_H_
#define BERTH_AGENT_ENTRY_MESSAGES_H_

// What somebody asks to do inside a task, and how it ended: messages to the words of berth-shim and
// back.

#include "agent/executor/entry_process.h"
#include "proto/client_api.pb.h"

namespace berth {

EntryOrder ToEntryOrder(const v1::EnterJobRequest& request);
// `status` as from waitpid.
v1::ChannelEnd EndOfExit(int status);
v1::ChannelEnd EndOfFailure(const EntryEvent& event, const EntryOrder& order);

}  // namespace berth

#endif  // BERTH_AGENT_ENTRY_MESSAGES_H_
