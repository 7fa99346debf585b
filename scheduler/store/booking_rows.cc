#include "scheduler/store/booking_rows.h"

#include "common/status_macros.h"
#include "scheduler/store/column_codec.h"

namespace berth {

absl::Status SaveBooking(Database& database, const Booking& booking) {
  Statement row = database.Prepare(
      "INSERT INTO bookings (id, kind, tenant_id, nodes, from_us, to_us, reason, user_id, ended) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (id) DO UPDATE SET to_us = excluded.to_us, ended = excluded.ended");
  row.BindId(booking.id);
  row.BindWord(booking.kind);
  row.BindId(booking.tenant);
  row.BindText(EncodeIds(booking.nodes));
  row.BindTime(booking.from);
  row.BindTime(booking.to);
  row.BindText(booking.reason);
  row.BindId(booking.by);
  row.BindInt(booking.ended ? 1 : 0);
  return row.Run();
}

absl::StatusOr<std::vector<Booking>> LoadBookings(Database& database) {
  Statement rows = database.Prepare(
      "SELECT id, kind, tenant_id, nodes, from_us, to_us, reason, user_id FROM bookings "
      "WHERE ended = 0 ORDER BY id");
  std::vector<Booking> bookings;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) {
      return bookings;
    }
    Booking& booking = bookings.emplace_back();
    booking.id = rows.ReadId<BookingId>();
    booking.kind = rows.ReadWord(FindBookingKind);
    booking.tenant = rows.ReadId<TenantId>();
    booking.nodes = DecodeIds<NodeId>(rows.ReadText());
    booking.from = rows.ReadTime();
    booking.to = rows.ReadTime(absl::InfiniteFuture());
    booking.reason = rows.ReadText();
    booking.by = rows.ReadId<UserId>();
  }
}

absl::StatusOr<BookingId> FindLastBooking(Database& database) {
  ASSIGN_OR_RETURN(const int64_t last,
                   database.QueryInt("SELECT ifnull(max(id), 0) FROM bookings"));
  return BookingId(static_cast<uint64_t>(last));
}

}  // namespace berth
