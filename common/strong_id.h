#ifndef BERTH_COMMON_STRONG_ID_H_
#define BERTH_COMMON_STRONG_ID_H_

// Integers that cannot be mixed up: a JobId is not a NodeId. 0 means "none".

#include <compare>
#include <cstdint>
#include <functional>
#include <utility>

namespace berth {

template <typename Tag, typename Value = uint64_t>
class StrongId {
 public:
  using value_type = Value;
  constexpr StrongId() = default;
  constexpr explicit StrongId(Value value) : value_(value) {}
  constexpr Value value() const { return value_; }
  constexpr explicit operator bool() const { return value_ != 0; }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;

  template <typename Hash>
  friend Hash AbslHashValue(Hash hash, StrongId id) {
    return Hash::combine(std::move(hash), id.value_);
  }

 private:
  Value value_ = 0;
};

}  // namespace berth

template <typename Tag, typename Value>
struct std::hash<berth::StrongId<Tag, Value>> {
  size_t operator()(berth::StrongId<Tag, Value> id) const { return std::hash<Value>()(id.value()); }
};

#endif  // BERTH_COMMON_STRONG_ID_H_
