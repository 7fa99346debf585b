#include "scheduler/core/booking.h"

#include <array>

#include "scheduler/core/enum_names.h"

namespace berth {
namespace {

constexpr std::array<const char*, 2> kBookingNames = {"maintenance", "reservation"};

}  // namespace

absl::string_view Name(BookingKind kind) {
  return NameIn(kBookingNames, kind);
}
std::optional<BookingKind> FindBookingKind(absl::string_view name) {
  return FindIn<BookingKind>(kBookingNames, name);
}

}  // namespace berth
