#ifndef BERTH_CLIENT_MOMENT_H_
#define BERTH_CLIENT_MOMENT_H_

// Points in time as people write them on a command line.

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "client/option.h"

namespace berth {

// "2026-12-06 08:00", "2026-12-06", "08:00" (the next one), RFC 3339, "+2h" from now. Without an
// offset: in `zone`. InvalidArgument for anything else.
absl::StatusOr<absl::Time> ParseMoment(absl::string_view text, absl::Time now, absl::TimeZone zone);

// An option's value in the local time zone, with an error at its place; past times are refused.
absl::StatusOr<absl::Time> FutureOf(const OptionValue& value, absl::Time now);

// "10m" ago, or a point in time as ParseMoment reads it, where "08:00" is the last one.
// InvalidArgument for anything else.
absl::StatusOr<absl::Time> ParsePast(absl::string_view text, absl::Time now, absl::TimeZone zone);

// An option's value in the local time zone, with an error at its place; times to come are refused.
absl::StatusOr<absl::Time> PastOf(const OptionValue& value, absl::Time now);

}  // namespace berth

#endif  // BERTH_CLIENT_MOMENT_H_
