#ifndef BERTH_AGENT_SHIM_PROCESS_TREE_H_
#define BERTH_AGENT_SHIM_PROCESS_TREE_H_

// The descendants of this process, for where no pid namespace holds them together. The caller is a
// child subreaper, so that every orphan among them comes back to it.

#include <vector>

#include <sys/types.h>

namespace berth::shim {

// Every process below `root`, as /proc shows them now.
std::vector<pid_t> FindDescendants(pid_t root);

// Sends `signal` to each of them.
void SignalDescendants(int signal);

// Kills until this process has neither children nor deeper descendants.
void KillDescendants();

}  // namespace berth::shim

#endif  // BERTH_AGENT_SHIM_PROCESS_TREE_H_
