#include "common/address.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include <arpa/inet.h>

namespace berth {
namespace {

constexpr int kPortMost = 65535;
constexpr size_t kPortDigitsMost = 5;

bool IsPort(absl::string_view text, int least) {
  int port = 0;
  return !text.empty() && text.size() <= kPortDigitsMost &&
         std::all_of(text.begin(), text.end(), absl::ascii_isdigit) &&
         absl::SimpleAtoi(text, &port) && port >= least && port <= kPortMost;
}

bool IsAddress(int family, absl::string_view text) {
  in6_addr address{};
  return inet_pton(family, std::string(text).c_str(), &address) == 1;
}

// A name whose last part is a number is none: it was to be an IPv4 address.
bool IsHost(absl::string_view host) {
  if (absl::StartsWith(host, "[")) {
    return absl::EndsWith(host, "]") && IsAddress(AF_INET6, host.substr(1, host.size() - 2));
  }
  const bool is_name = !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_';
  });
  const absl::string_view last = host.substr(host.rfind('.') + 1);
  const bool is_numeric =
      !last.empty() && std::all_of(last.begin(), last.end(), absl::ascii_isdigit);
  return is_name && (!is_numeric || IsAddress(AF_INET, host));
}

}  // namespace

absl::Status CheckAddress(absl::string_view address, int port_least) {
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos || colon == 0 || colon + 1 == address.size()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is not HOST:PORT"));
  }
  const absl::string_view host = address.substr(0, colon);
  if (IsAddress(AF_INET6, address) || IsAddress(AF_INET6, host)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address, "\": an IPv6 address stands in brackets, as [::1]:7443"));
  }
  if (!IsHost(host)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address, "\": \"", host, "\" is neither a name nor an address"));
  }
  if (!IsPort(address.substr(colon + 1), port_least)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address, "\": a port is a number from ", port_least, " to ", kPortMost));
  }
  return absl::OkStatus();
}

}  // namespace berth
