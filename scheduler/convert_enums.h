#ifndef BERTH_SCHEDULER_CONVERT_ENUMS_H_
#define BERTH_SCHEDULER_CONVERT_ENUMS_H_

// The core's enumerators and the protocol's are in the same order. Where the core has no "none",
// the protocol's numbers are one higher.

namespace berth {

// For enumerations whose first core value is not "none".
template <typename To, typename From>
constexpr To RaiseEnum(From value) {
  return static_cast<To>(static_cast<int>(value) + 1);
}
template <typename To, typename From>
constexpr To LowerEnum(From value) {
  return static_cast<To>(static_cast<int>(value) - 1);
}
// For enumerations with a "none" on both sides.
template <typename To, typename From>
constexpr To SameEnum(From value) {
  return static_cast<To>(static_cast<int>(value));
}

}  // namespace berth

#endif  // BERTH_SCHEDULER_CONVERT_ENUMS_H_
