#ifndef BERTH_AGENT_SHIM_MOUNTS_H_
#define BERTH_AGENT_SHIM_MOUNTS_H_

// The few ways in which a sandbox mounts. False: errno tells.

#include <cstdint>

#include <sys/mount.h>

namespace berth {

inline constexpr uint64_t kHarmless = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

// Attributes of the mount at `path`; what is in both stays set.
bool SetMountAttributes(const char* path, uint64_t set, unsigned int flags, uint64_t clear = 0);
// `source` is also seen at `target`, without set-user-id programs and device files.
bool Bind(const char* source, const char* target);

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_MOUNTS_H_
