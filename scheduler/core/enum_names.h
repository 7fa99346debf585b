#ifndef BERTH_SCHEDULER_CORE_ENUM_NAMES_H_
#define BERTH_SCHEDULER_CORE_ENUM_NAMES_H_

// Enumerators <-> the lower-kebab words that users and the database see. A table lists the words in
// the enumerators' order.

#include <array>
#include <cstddef>
#include <optional>

#include "absl/strings/string_view.h"

namespace berth {

template <typename Enum, size_t kCount>
absl::string_view NameIn(const std::array<const char*, kCount>& names, Enum value) {
  return names.at(static_cast<size_t>(value));
}

template <typename Enum, size_t kCount>
std::optional<Enum> FindIn(const std::array<const char*, kCount>& names, absl::string_view name) {
  for (size_t i = 0; i < kCount; ++i) {
    if (name == names[i]) {
      return static_cast<Enum>(i);
    }
  }
  return std::nullopt;
}

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_ENUM_NAMES_H_
