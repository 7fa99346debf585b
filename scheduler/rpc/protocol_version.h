#ifndef BERTH_SCHEDULER_RPC_PROTOCOL_VERSION_H_
#define BERTH_SCHEDULER_RPC_PROTOCOL_VERSION_H_

// What this scheduler speaks, to users and to agents.

namespace berth {

inline constexpr char kServerVersion[] = "0.1.0";
inline constexpr int kProtocolMin = 1;
inline constexpr int kProtocolMax = 1;

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_PROTOCOL_VERSION_H_
