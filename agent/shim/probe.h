#ifndef BERTH_AGENT_SHIM_PROBE_H_
#define BERTH_AGENT_SHIM_PROBE_H_

// What a node can do to keep tasks apart.

namespace berth {

// Names of facilities, as they stand in a node's facts.
inline constexpr char kFacilityPid[] = "pid-namespace";
inline constexpr char kFacilityMounts[] = "private-mounts";
inline constexpr char kFacilityIpc[] = "ipc-namespace";
inline constexpr char kFacilityUts[] = "uts-namespace";
inline constexpr char kFacilityCgroup[] = "cgroup-namespace";
inline constexpr char kFacilityUsers[] = "task-users";
inline constexpr char kFacilityCapabilities[] = "capability-drop";
inline constexpr char kFacilitySeccomp[] = "seccomp";

// Tries each facility of this machine for real, in a child process of its own, and writes one line
// per facility to standard output: "NAME", or "NAME: at what it failed: why". `folder` has a folder
// "tmp" and stands for a task's. Returns the exit code of the process.
int ProbeFacilities(const char* folder);

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_PROBE_H_
