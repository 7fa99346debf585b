// Maintenance windows and reservations: nodes promised away for a span of time.

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/confirm.h"
#include "client/exit_codes.h"
#include "client/moment.h"
#include "client/node_list.h"
#include "client/text.h"
#include "client/views.h"
#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int64_t kNodesMax = 10'000;

constexpr Option kPlanOptions[] = {
    Value("nodes", "NODES", "these, e.g. qd-a[01-16]", 'N'),
    Value("from", "TIME", "begins, e.g. \"2026-12-06 08:00\" or +2h (now)"),
    Value("to", "TIME", "ends; or --for"),
    Value("for", "TIME", "how long, e.g. 6h"),
    Value("reason", "TEXT", "shown with the nodes"),
    Flag("dry-run", "only show the effect"),
    YesOption(),
};

constexpr Option kReserveOptions[] = {
    Value("tenant", "TENANT", "whose jobs may run there"),
    Value("nodes", "NODES|N", "these, e.g. qd-a[01-16], or so many", 'N'),
    WithAlias(Value("class", "CLASS", "of the nodes, where only their number is named"), "model"),
    Value("from", "TIME", "begins, e.g. \"2026-12-06 08:00\" or +2h (now)"),
    Value("to", "TIME", "ends; or --for"),
    Value("for", "TIME", "how long, e.g. 6h"),
    Value("reason", "TEXT", "shown with the nodes"),
    Flag("dry-run", "only show the effect"),
    YesOption(),
};

constexpr Option kEndOptions[] = {
    YesOption(),
};

absl::Status ReadSpan(const Arguments& arguments, absl::Time now, v1::AddBookingRequest& request) {
  absl::Time from = now;
  if (const OptionValue* const value = arguments.Find("from"); value != nullptr) {
    ASSIGN_OR_RETURN(from, FutureOf(*value, now));
  }
  const OptionValue* const to = arguments.Find("to");
  const OptionValue* const length = arguments.Find("for");
  if ((to == nullptr) == (length == nullptr)) {
    return ErrorAt({}, "name the end with either --to or --for", "e.g. --for 6h");
  }
  absl::Time end;
  if (to != nullptr) {
    ASSIGN_OR_RETURN(end, FutureOf(*to, now));
    if (end <= from) {
      return ValueError(*to, "is not after --from");
    }
  } else {
    ASSIGN_OR_RETURN(const absl::Duration duration, DurationOf(*length));
    end = from + duration;
  }
  request.set_from_us(absl::ToUnixMicros(from));
  request.set_to_us(absl::ToUnixMicros(end));
  return absl::OkStatus();
}

absl::Status ReadNodes(const Arguments& arguments, v1::AddBookingRequest& request) {
  const OptionValue* const value = arguments.Find("nodes");
  if (value == nullptr) {
    return ErrorAt({}, "name the nodes with --nodes", "berth nodes");
  }
  int64_t count = 0;
  const bool may_count = request.kind() == v1::BOOKING_KIND_RESERVATION;
  if (may_count && absl::SimpleAtoi(value->text, &count)) {
    ASSIGN_OR_RETURN(count, IntegerOf(*value, 1, kNodesMax));
    request.set_node_count(static_cast<int32_t>(count));
    request.set_device_class(arguments.Text("class"));
    return request.device_class().empty()
               ? ErrorAt({}, "name the class of the nodes with --class", "berth nodes")
               : absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> nodes, NodesOf(*value));
  request.mutable_nodes()->Assign(nodes.begin(), nodes.end());
  return absl::OkStatus();
}

std::string MomentText(int64_t micros) {
  return absl::FormatTime("%Y-%m-%d %H:%M", TimeFromMicros(micros), absl::LocalTimeZone());
}

std::string Sentence(const v1::Booking& booking) {
  const bool maintenance = booking.kind() == v1::BOOKING_KIND_MAINTENANCE;
  return absl::StrCat(
      maintenance ? "maintenance" : "reservation", " ", booking.id(), ": ",
      FoldNodes({booking.nodes().begin(), booking.nodes().end()}),
      booking.tenant().empty() ? "" : absl::StrCat(" for ", CleanText(booking.tenant())), " from ",
      MomentText(booking.from_us()), " to ", MomentText(booking.to_us()),
      booking.ended() ? ", ended" : "", "\n");
}

// Shows what a booking would do, asks, and makes it.
absl::StatusOr<int> AddBooking(Context& context, v1::AddBookingRequest request) {
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  request.set_dry_run(true);
  ASSIGN_OR_RETURN(const v1::AddBookingResponse preview, api->AddBooking(request));
  for (const std::string& effect : preview.effects()) {
    context.console.Err(absl::StrCat("effect: ", CleanText(effect), "\n"));
  }
  if (context.arguments.Has("dry-run")) {
    context.console.Err("nothing was booked\n");
    return kExitDone;
  }
  ASSIGN_OR_RETURN(const bool yes, Confirm(context, "Book these nodes?"));
  if (!yes) {
    context.console.Err("nothing was booked\n");
    return kExitFailed;
  }
  request.set_dry_run(false);
  ASSIGN_OR_RETURN(const v1::AddBookingResponse response, api->AddBooking(request));
  if (context.output.for_people()) {
    context.console.Out(Sentence(response.booking()));
    return kExitDone;
  }
  RETURN_IF_ERROR(context.Print(BookingListing({response.booking()}, absl::Now())));
  return kExitDone;
}

absl::StatusOr<int> RunMaintenancePlan(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 0, ""));
  v1::AddBookingRequest request;
  request.set_kind(v1::BOOKING_KIND_MAINTENANCE);
  request.set_reason(context.arguments.Text("reason"));
  RETURN_IF_ERROR(ReadNodes(context.arguments, request));
  RETURN_IF_ERROR(ReadSpan(context.arguments, absl::Now(), request));
  return AddBooking(context, std::move(request));
}

absl::StatusOr<int> RunReserveAdd(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 0, ""));
  v1::AddBookingRequest request;
  request.set_kind(v1::BOOKING_KIND_RESERVATION);
  request.set_tenant(context.arguments.Text("tenant"));
  request.set_reason(context.arguments.Text("reason"));
  if (request.tenant().empty()) {
    return ErrorAt({}, "name the tenant with --tenant", "berth tenants");
  }
  RETURN_IF_ERROR(ReadNodes(context.arguments, request));
  RETURN_IF_ERROR(ReadSpan(context.arguments, absl::Now(), request));
  return AddBooking(context, std::move(request));
}

absl::StatusOr<int> ListBookings(Context& context, v1::BookingKind kind) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 0, ""));
  v1::ListBookingsRequest request;
  request.set_kind(kind);
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(const v1::ListBookingsResponse response, api->ListBookings(request));
  RETURN_IF_ERROR(context.Print(
      BookingListing({response.bookings().begin(), response.bookings().end()}, absl::Now())));
  return kExitDone;
}

absl::StatusOr<int> RunMaintenanceList(Context& context) {
  return ListBookings(context, v1::BOOKING_KIND_MAINTENANCE);
}

absl::StatusOr<int> RunReserveList(Context& context) {
  return ListBookings(context, v1::BOOKING_KIND_RESERVATION);
}

// The booking of this kind that the word names.
absl::StatusOr<v1::Booking> FindBooking(ApiClient& api, const Word& word, v1::BookingKind kind) {
  uint64_t id = 0;
  if (!absl::SimpleAtoi(word.text, &id) || id == 0) {
    return ErrorAt(word.origin, absl::StrCat("\"", CleanText(word.text), "\" is no booking's id"));
  }
  v1::ListBookingsRequest request;
  request.set_kind(kind);
  ASSIGN_OR_RETURN(const v1::ListBookingsResponse response, api.ListBookings(request));
  const auto found = std::find_if(response.bookings().begin(), response.bookings().end(),
                                  [id](const v1::Booking& booking) { return booking.id() == id; });
  if (found == response.bookings().end()) {
    const bool maintenance = kind == v1::BOOKING_KIND_MAINTENANCE;
    return MakeError(
        absl::StatusCode::kNotFound,
        {.code = "B2005",
         .message = absl::StrCat("no ", maintenance ? "maintenance " : "reservation ", id),
         .why = "it is over, or there never was one",
         .fix = maintenance ? "berth maintenance list" : "berth reserve list"});
  }
  return *found;
}

absl::StatusOr<int> EndBooking(Context& context, v1::BookingKind kind) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1, "the booking's id"));
  ASSIGN_OR_RETURN(ApiClient* const api, context.Api());
  ASSIGN_OR_RETURN(v1::Booking booking, FindBooking(*api, context.arguments.words[0], kind));
  context.console.Err(Sentence(booking));
  ASSIGN_OR_RETURN(const bool yes, Confirm(context, "End it and open its nodes?"));
  if (!yes) {
    context.console.Err("nothing was changed\n");
    return kExitFailed;
  }
  v1::EndBookingRequest request;
  request.set_id(booking.id());
  RETURN_IF_ERROR(api->EndBooking(request).status());
  // The scheduler forgets what has ended: what it was is what was shown.
  booking.set_ended(true);
  if (context.output.for_people()) {
    context.console.Out(Sentence(booking));
    return kExitDone;
  }
  RETURN_IF_ERROR(context.Print(BookingListing({booking}, absl::Now())));
  return kExitDone;
}

absl::StatusOr<int> RunMaintenanceCancel(Context& context) {
  return EndBooking(context, v1::BOOKING_KIND_MAINTENANCE);
}

absl::StatusOr<int> RunReserveRemove(Context& context) {
  return EndBooking(context, v1::BOOKING_KIND_RESERVATION);
}

}  // namespace

const Command kMaintenancePlanCommand = {
    .name = "maintenance plan",
    .plural = nullptr,
    .group = CommandGroup::kBookings,
    .summary = "close nodes for a time; jobs that would overlap start elsewhere",
    .usage = "--nodes NODES [--from TIME] (--for TIME | --to TIME) [OPTIONS]",
    .examples =
        "berth maintenance plan --nodes n[01-16] --from \"2026-12-06 08:00\" --for 6h\n"
        "berth maintenance plan --nodes n31 --for 2h --reason \"HBM replacement\" --yes\n"
        "berth maintenance plan --nodes n[01-16] --from 22:00 --to 23:00 --dry-run\n",
    .options = kPlanOptions,
    .takes_job_options = false,
    .run = RunMaintenancePlan,
};

const Command kMaintenanceListCommand = {
    .name = "maintenance list",
    .plural = nullptr,
    .group = CommandGroup::kBookings,
    .summary = "windows that are under way or to come",
    .usage = "[OPTIONS]",
    .examples =
        "berth maintenance list\n"
        "berth maintenance list -o json\n"
        "berth maintenance list -o fields=id,from,to,nodes\n",
    .options = {},
    .takes_job_options = false,
    .run = RunMaintenanceList,
};

const Command kMaintenanceCancelCommand = {
    .name = "maintenance cancel",
    .plural = nullptr,
    .group = CommandGroup::kBookings,
    .summary = "end a window, or call it off",
    .usage = "ID [OPTIONS]",
    .examples =
        "berth maintenance cancel 3\n"
        "berth maintenance cancel 3 --yes\n"
        "berth maintenance cancel 3 --yes -o json\n",
    .options = kEndOptions,
    .takes_job_options = false,
    .run = RunMaintenanceCancel,
};

const Command kReserveAddCommand = {
    .name = "reserve add",
    .plural = nullptr,
    .group = CommandGroup::kBookings,
    .summary = "keep nodes for one tenant for a time",
    .usage = "--tenant TENANT --nodes NODES|N [--from TIME] (--for TIME | --to TIME) [OPTIONS]",
    .examples =
        "berth reserve add --tenant acme --nodes n[01-04] --from 22:00 --for 8h\n"
        "berth reserve add --tenant acme --nodes 4 --class nvidia-h800-80g --for 2d\n"
        "berth reserve add --tenant acme --nodes 4 --class nvidia-h800-80g --for 2d --dry-run\n",
    .options = kReserveOptions,
    .takes_job_options = false,
    .run = RunReserveAdd,
};

const Command kReserveListCommand = {
    .name = "reserve list",
    .plural = nullptr,
    .group = CommandGroup::kBookings,
    .summary = "reservations that are under way or to come",
    .usage = "[OPTIONS]",
    .examples =
        "berth reserve list\n"
        "berth reserve list -o json\n"
        "berth reserve list -o fields=id,tenant,from,to,nodes\n",
    .options = {},
    .takes_job_options = false,
    .run = RunReserveList,
};

const Command kReserveRemoveCommand = {
    .name = "reserve rm",
    .plural = nullptr,
    .group = CommandGroup::kBookings,
    .summary = "end a reservation, or call it off",
    .usage = "ID [OPTIONS]",
    .examples = "berth reserve rm 4\nberth reserve rm 4 --yes\nberth reserve rm 4 --yes -o json\n",
    .options = kEndOptions,
    .takes_job_options = false,
    .run = RunReserveRemove,
};

}  // namespace berth
