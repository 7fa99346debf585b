#ifndef BERTH_AGENT_SHIM_PROCESS_TREE_H_
#define BERTH_AGENT_SHIM_PROCESS_TREE_H_

// The processes that come from one, as /proc shows them; for who has to end them without a
// namespace of its own. Plain C++ without libraries.

#include <string>
#include <vector>

#include <sys/types.h>

namespace berth {

// -1: there is no such process.
pid_t ParentOf(pid_t pid);

// Sends a signal to every descendant of the caller that can be seen.
void SignalDescendants(int number);

// SIGKILL until no child is left. Requires: the caller is a subreaper, so that orphans become its
// children.
void EndDescendants();

// As execve takes them; they point into `strings`.
std::vector<char*> Pointers(const std::vector<std::string>& strings);

// A stray signal, as from a terminal, must not end who supervises a task. Whatever else the agent
// ignores is not.
void IgnoreSignals();
// In a child of who has called that, before its exec: no signal is blocked or ignored.
void ResetSignals();

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_PROCESS_TREE_H_
