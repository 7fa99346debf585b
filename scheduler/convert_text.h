#ifndef BERTH_SCHEDULER_CONVERT_TEXT_H_
#define BERTH_SCHEDULER_CONVERT_TEXT_H_

// What a text from outside may look like before it becomes a name, a label or a line on somebody's
// terminal.

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace berth {

bool IsUtf8(absl::string_view text);
// UTF-8 without control characters (C0, DEL and C1).
bool IsPlainText(absl::string_view text);
// A letter or '_', then letters, digits and '_'.
bool IsVariableName(absl::string_view text);

// OK, or InvalidArgument that names `noun` ("comment") and the rule; empty is fine.
absl::Status CheckPlainText(absl::string_view noun, absl::string_view text, size_t bytes_max);

// For text from a node: control characters and broken UTF-8 become '?', and it is cut to
// `bytes_max`.
std::string MakePlain(absl::string_view text, size_t bytes_max);

// A text as part of an error message: quoted, printable, short.
std::string Quoted(absl::string_view text);

// InvalidArgument with why and fix.
absl::Status Refused(absl::string_view code, absl::string_view message, absl::string_view why,
                     absl::string_view fix);

}  // namespace berth

#endif  // BERTH_SCHEDULER_CONVERT_TEXT_H_
