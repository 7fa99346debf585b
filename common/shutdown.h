#ifndef BERTH_COMMON_SHUTDOWN_H_
#define BERTH_COMMON_SHUTDOWN_H_

// Orderly end of a daemon: SIGINT and SIGTERM are blocked before any thread starts and waited for.

namespace berth {

// Blocks SIGINT and SIGTERM in this thread and all it starts later, and ignores SIGPIPE. Call first
// in main.
void BlockShutdownSignals();
// Waits for one of them and returns its number.
int WaitForShutdownSignal();

}  // namespace berth

#endif  // BERTH_COMMON_SHUTDOWN_H_
