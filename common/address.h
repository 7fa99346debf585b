#ifndef BERTH_COMMON_ADDRESS_H_
#define BERTH_COMMON_ADDRESS_H_

// The addresses of the scheduler in configurations: HOST:PORT, where HOST is a name, an IPv4
// address or an IPv6 address in brackets.

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace berth {

// Only the form: whether there is such a host is seen when it is used. `port_least`: 0 where any
// free port will do, else 1. InvalidArgument repeats the address.
absl::Status CheckAddress(absl::string_view address, int port_least);

}  // namespace berth

#endif  // BERTH_COMMON_ADDRESS_H_
