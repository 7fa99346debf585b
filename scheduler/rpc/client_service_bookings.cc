// The part of the client service that is about promises: queues of tenants and their suspension,
// bookings of nodes.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "common/status_macros.h"
#include "scheduler/convert.h"
#include "scheduler/rpc/client_events.h"
#include "scheduler/rpc/client_service.h"

namespace berth {
namespace {

// A tenant's people see what closes nodes for them, and what is kept for them.
bool MaySee(const Actor& actor, const Booking& booking) {
  return booking.kind == BookingKind::kMaintenance || actor.MaySee(booking.tenant);
}

void FillBooking(const ReadView& view, BookingId id, v1::Booking* out) {
  const auto& bookings = view.cluster().bookings();
  if (const auto found = bookings.find(id); found != bookings.end()) {
    *out = ToProto(found->second, view.cluster());
  } else {
    // It ended with this turn.
    out->set_id(id.value());
    out->set_ended(true);
  }
}

}  // namespace

ClientService::Reactor* ClientService::SetTenantQueue(Context* context,
                                                      const v1::SetTenantQueueRequest* request,
                                                      v1::SetTenantQueueResponse* response) {
  return router_.Apply(
      context, *request,
      {.rpc = "Client.SetTenantQueue",
       .object = absl::StrCat("tenant/", request->tenant()),
       .event = ToEvent(*request),
       .answer = [=](const Actor&, const Outcome& outcome, const ReadView& view) {
         if (const Tenant* tenant = view.cluster().quota().FindTenant(outcome.tenant)) {
           *response->mutable_tenant() = ToProto(*tenant);
         }
         return absl::OkStatus();
       }});
}

ClientService::Reactor* ClientService::SuspendTenant(Context* context,
                                                     const v1::SuspendTenantRequest* request,
                                                     v1::SuspendTenantResponse* response) {
  return router_.Apply(
      context, *request,
      {.rpc = "Client.SuspendTenant",
       .object = absl::StrCat("tenant/", request->tenant()),
       .event = ToEvent(*request),
       .answer = [=](const Actor&, const Outcome& outcome, const ReadView& view) {
         if (const Tenant* tenant = view.cluster().quota().FindTenant(outcome.tenant)) {
           *response->mutable_tenant() = ToProto(*tenant);
         }
         response->mutable_effects()->Assign(outcome.notes.begin(), outcome.notes.end());
         return absl::OkStatus();
       }});
}

ClientService::Reactor* ClientService::AddBooking(Context* context,
                                                  const v1::AddBookingRequest* request,
                                                  v1::AddBookingResponse* response) {
  return router_.Apply(context, *request,
                       {.rpc = "Client.AddBooking",
                        .object = absl::StrCat("booking/", request->tenant()),
                        .event = ToEvent(*request),
                        .answer = [=](const Actor&, const Outcome& outcome, const ReadView& view) {
                          if (outcome.booking) {
                            FillBooking(view, outcome.booking, response->mutable_booking());
                          }
                          response->mutable_effects()->Assign(outcome.notes.begin(),
                                                              outcome.notes.end());
                          return absl::OkStatus();
                        }});
}

ClientService::Reactor* ClientService::ListBookings(Context* context,
                                                    const v1::ListBookingsRequest* request,
                                                    v1::ListBookingsResponse* response) {
  return router_.Read(
      context, "Client.ListBookings", [=](const Actor& actor, const ReadView& view) {
        std::vector<const Booking*> bookings;
        for (const auto& [id, booking] : view.cluster().bookings()) {
          if (!booking.ended && MaySee(actor, booking)) {
            bookings.push_back(&booking);
          }
        }
        std::stable_sort(bookings.begin(), bookings.end(),
                         [](const Booking* a, const Booking* b) { return a->from < b->from; });
        for (const Booking* booking : bookings) {
          v1::Booking message = ToProto(*booking, view.cluster());
          if (request->kind() == v1::BOOKING_KIND_UNSPECIFIED ||
              request->kind() == message.kind()) {
            *response->add_bookings() = std::move(message);
          }
        }
        return absl::OkStatus();
      });
}

ClientService::Reactor* ClientService::EndBooking(Context* context,
                                                  const v1::EndBookingRequest* request,
                                                  v1::EndBookingResponse* response) {
  return router_.Apply(context, *request,
                       {.rpc = "Client.EndBooking",
                        .object = absl::StrCat("booking/", request->id()),
                        .event = ToEvent(*request),
                        .answer = [=](const Actor&, const Outcome& outcome, const ReadView& view) {
                          FillBooking(view, outcome.booking, response->mutable_booking());
                          return absl::OkStatus();
                        }});
}

}  // namespace berth
