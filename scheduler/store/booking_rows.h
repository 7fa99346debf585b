#ifndef BERTH_SCHEDULER_STORE_BOOKING_ROWS_H_
#define BERTH_SCHEDULER_STORE_BOOKING_ROWS_H_

// Rows of maintenance windows and reservations. An ended one stays as the record of what was
// promised.

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "scheduler/core/booking.h"
#include "scheduler/store/database.h"

namespace berth {

// Adds a booking, or ends it.
absl::Status SaveBooking(Database& database, const Booking& booking);
// Those that have not ended, by id.
absl::StatusOr<std::vector<Booking>> LoadBookings(Database& database);
// The highest id ever given out.
absl::StatusOr<BookingId> FindLastBooking(Database& database);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_BOOKING_ROWS_H_
