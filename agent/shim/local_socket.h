#ifndef BERTH_AGENT_SHIM_LOCAL_SOCKET_H_
#define BERTH_AGENT_SHIM_LOCAL_SOCKET_H_

#include <cstddef>

namespace berth {

// A Unix socket that listens as `name`, a short one, in the working directory, in place of whatever
// was left there; only the caller's user may connect. `type` as for socket(2). The caller closes
// it. Returns -1 on failure: errno says why.
int ListenHere(const char* name, int type, int backlog);

// The two halves of it: a socket without a name, and its name, in any folder. Another process may
// give the name, one that has the socket and is where the name is to be seen.
int MakeListener(int type);
bool ListenAt(int listener, const char* path, int backlog);

// Sends a packet with a copy of `descriptor`, as send(2) does with these flags; nobody is signalled
// when the other end is gone. False: errno says why.
bool SendDescriptor(int socket, const void* packet, size_t size, int descriptor, int flags);

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_LOCAL_SOCKET_H_
