#ifndef BERTH_SIM_DECISION_HASH_H_
#define BERTH_SIM_DECISION_HASH_H_

// A number that two runs share only when they decided the same: FNV-1a (64 bits) over integers, the
// low byte first on every machine.

#include <cstdint>
#include <initializer_list>

namespace berth::sim {

class DecisionHash {
 public:
  void Add(std::initializer_list<uint64_t> values) {
    constexpr uint64_t kPrime = 0x100000001b3;
    for (uint64_t value : values) {
      for (int byte = 0; byte < 8; ++byte) {
        hash_ = (hash_ ^ (value & 0xff)) * kPrime;
        value >>= 8;
      }
    }
  }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_DECISION_HASH_H_
