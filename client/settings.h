#ifndef BERTH_CLIENT_SETTINGS_H_
#define BERTH_CLIENT_SETTINGS_H_

// How to reach the scheduler and as whom: options before environment before files.

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "client/api_client.h"
#include "client/option.h"

namespace berth {

using Environment = std::map<std::string, std::string>;

struct Settings {
  std::string server;  // HOST:PORT; empty: none configured
  std::string token;   // the bearer token itself; empty: see token_file
  std::string token_file;
  std::string ca;  // PEM file; empty: plaintext to a loopback server, else the system's CAs
  std::string project;
  std::string output;  // as for -o; empty: a table
  std::string output_origin;
};

// The value of a variable, or "".
std::string Variable(const Environment& environment, absl::string_view name);

// Reads BERTH_CONFIG or ~/.config/berth/config.toml, else /etc/berth/client.toml, then
// BERTH_SERVER, BERTH_TOKEN, BERTH_TOKEN_FILE, BERTH_CA, BERTH_PROJECT, BERTH_OUTPUT, then the
// options.
absl::StatusOr<Settings> ReadSettings(const Environment& environment, const Arguments& arguments);

// What a call needs, the token read from its file; an error says what is missing.
absl::StatusOr<Connection> MakeConnection(const Settings& settings);

}  // namespace berth

#endif  // BERTH_CLIENT_SETTINGS_H_
