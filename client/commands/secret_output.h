#ifndef BERTH_CLIENT_COMMANDS_SECRET_OUTPUT_H_
#define BERTH_CLIENT_COMMANDS_SECRET_OUTPUT_H_

// A new bearer token goes to one place: standard output or a file of its owner.

#include <string>

#include "absl/status/status.h"

#include "client/command.h"
#include "proto/client_api.pb.h"

namespace berth {

// With --token-file: into that file (mode 0600, replaced at once). Otherwise the token alone on a
// line, or as JSON with what is known about it.
absl::Status DeliverToken(Context& context, const v1::Token& token, const std::string& secret);

// Also says what the token is for. JSON never holds the secret unless `secret` is given.
Listing TokenListing(const std::vector<v1::Token>& tokens);

}  // namespace berth

#endif  // BERTH_CLIENT_COMMANDS_SECRET_OUTPUT_H_
