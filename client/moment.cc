#include "client/moment.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "client/text.h"
#include "common/quantity.h"
#include "common/status_macros.h"

namespace berth {
namespace {

// Forms without an offset; all but the last name a day.
constexpr const char* kForms[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M",
                                  "%Y-%m-%dT%H:%M", "%Y-%m-%d"};

// The next time that the clock shows "HH:MM".
bool ParseClock(absl::string_view text, absl::Time now, absl::TimeZone zone, absl::Time& moment) {
  const absl::CivilDay today = absl::ToCivilDay(now, zone);
  for (const int days : {0, 1}) {
    const std::string day = absl::FormatCivilTime(today + days);
    std::string error;
    if (!absl::ParseTime("%Y-%m-%d %H:%M", absl::StrCat(day, " ", text), zone, &moment, &error)) {
      return false;
    }
    if (moment > now) {
      break;
    }
  }
  return true;
}

// The forms that name a day.
bool ParseDay(absl::string_view text, absl::TimeZone zone, absl::Time& moment) {
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &moment, &error)) {
    return true;
  }
  for (const char* form : kForms) {
    if (absl::ParseTime(form, text, zone, &moment, &error)) {
      return true;
    }
  }
  return false;
}

absl::Status NoMoment(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat("\"", CleanText(text), "\" is no point in time"));
}

}  // namespace

absl::StatusOr<absl::Time> ParseMoment(absl::string_view text, absl::Time now,
                                       absl::TimeZone zone) {
  if (absl::StartsWith(text, "+")) {
    ASSIGN_OR_RETURN(const absl::Duration length, ParseDuration(text.substr(1)));
    return now + length;
  }
  absl::Time moment;
  if (ParseDay(text, zone, moment) || ParseClock(text, now, zone, moment)) {
    return moment;
  }
  return NoMoment(text);
}

absl::StatusOr<absl::Time> ParsePast(absl::string_view text, absl::Time now, absl::TimeZone zone) {
  if (const auto length = ParseDuration(text); length.ok()) {
    return now - *length;
  }
  absl::Time moment;
  if (ParseDay(text, zone, moment)) {
    return moment;
  }
  // The next time that it shows, seen from a day ago, is the last one.
  if (ParseClock(text, now - absl::Hours(24), zone, moment)) {
    return moment;
  }
  return NoMoment(text);
}

absl::StatusOr<absl::Time> FutureOf(const OptionValue& value, absl::Time now) {
  const auto moment = ParseMoment(value.text, now, absl::LocalTimeZone());
  if (!moment.ok()) {
    return ValueError(
        value, CleanText(moment.status().message()),
        "write it like \"2026-12-06 08:00\", 08:00, +2h or 2026-12-06T08:00:00+08:00");
  }
  if (*moment <= now) {
    return ValueError(value, absl::StrCat("\"", CleanText(value.text), "\" is over"),
                      "give a time that is still to come");
  }
  return *moment;
}

absl::StatusOr<absl::Time> PastOf(const OptionValue& value, absl::Time now) {
  const auto moment = ParsePast(value.text, now, absl::LocalTimeZone());
  if (!moment.ok()) {
    return ValueError(
        value, CleanText(moment.status().message()),
        "write it like 10m, 08:00, \"2026-12-06 08:00\" or 2026-12-06T08:00:00+08:00");
  }
  if (*moment > now) {
    return ValueError(value, absl::StrCat("\"", CleanText(value.text), "\" is still to come"),
                      "give a time that is over");
  }
  return *moment;
}

}  // namespace berth
