#ifndef BERTH_CLIENT_COMMANDS_ERROR_CODES_H_
#define BERTH_CLIENT_COMMANDS_ERROR_CODES_H_

// The register of all codes, of every program: a code has one meaning for ever.
// docs/error-codes.md has the same rows, and tests/architecture_test.cc holds both to the sources.

#include <span>

#include "absl/strings/string_view.h"

namespace berth {

struct ErrorCode {
  const char* code;     // "B3101"
  const char* meaning;  // a sentence without its period
};

// By code.
std::span<const ErrorCode> ErrorCodes();
// Null for none.
const ErrorCode* FindErrorCode(absl::string_view code);

}  // namespace berth

#endif  // BERTH_CLIENT_COMMANDS_ERROR_CODES_H_
