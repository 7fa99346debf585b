#ifndef BERTH_COMMON_STATUS_MACROS_H_
#define BERTH_COMMON_STATUS_MACROS_H_

// Early return on a Status or StatusOr that is not OK.

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define RETURN_IF_ERROR(expression)                                         \
  do {                                                                      \
    if (::absl::Status berth_status_ = (expression); !berth_status_.ok()) { \
      return berth_status_;                                                 \
    }                                                                       \
  } while (false)

#define BERTH_CONCAT_INNER_(a, b) a##b
#define BERTH_CONCAT_(a, b) BERTH_CONCAT_INNER_(a, b)

#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_INNER_(BERTH_CONCAT_(berth_status_or_, __LINE__), target, expression)

#define ASSIGN_OR_RETURN_INNER_(temporary, target, expression) \
  auto temporary = (expression);                               \
  if (!temporary.ok()) {                                       \
    return std::move(temporary).status();                      \
  }                                                            \
  target = std::move(temporary).value()

#endif  // BERTH_COMMON_STATUS_MACROS_H_
