#include "client/settings.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "common/address.h"
#include "common/config_file.h"
#include "common/credentials.h"
#include "common/error_detail.h"
#include "common/status_macros.h"
#include <unistd.h>

namespace berth {
namespace {

constexpr char kSystemConfig[] = "/etc/berth/client.toml";

// "~/" at the front becomes the home folder.
std::string ExpandHome(const std::string& path, const Environment& environment) {
  if (path.compare(0, 2, "~/") != 0) {
    return path;
  }
  return absl::StrCat(Variable(environment, "HOME"), path.substr(1));
}

// The file to read, or "" if there is none.
std::string ConfigPath(const Environment& environment) {
  if (std::string named = Variable(environment, "BERTH_CONFIG"); !named.empty()) {
    return named;
  }
  std::string folder = Variable(environment, "XDG_CONFIG_HOME");
  if (folder.empty()) {
    folder = absl::StrCat(Variable(environment, "HOME"), "/.config");
  }
  for (const std::string& path :
       {absl::StrCat(folder, "/berth/config.toml"), std::string(kSystemConfig)}) {
    if (access(path.c_str(), F_OK) == 0) {
      return path;
    }
  }
  return "";
}

absl::Status ReadFileInto(const Environment& environment, Settings& settings) {
  const std::string path = ConfigPath(environment);
  if (path.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(ConfigFile file, ConfigFile::Read(path));
  settings.server = file.String("", "server", "");
  settings.token_file = ExpandHome(file.String("", "token_file", ""), environment);
  settings.ca = ExpandHome(file.String("", "ca", ""), environment);
  settings.project = file.String("", "project", "");
  settings.output = file.String("", "output", "");
  return file.Finish();
}

void Replace(std::string& target, const std::string& value) {
  if (!value.empty()) {
    target = value;
  }
}

}  // namespace

std::string Variable(const Environment& environment, absl::string_view name) {
  const auto found = environment.find(std::string(name));
  return found == environment.end() ? "" : found->second;
}

absl::StatusOr<Settings> ReadSettings(const Environment& environment, const Arguments& arguments) {
  Settings settings;
  RETURN_IF_ERROR(ReadFileInto(environment, settings));
  Replace(settings.server, Variable(environment, "BERTH_SERVER"));
  Replace(settings.ca, Variable(environment, "BERTH_CA"));
  Replace(settings.project, Variable(environment, "BERTH_PROJECT"));
  Replace(settings.output, Variable(environment, "BERTH_OUTPUT"));
  Replace(settings.token_file, Variable(environment, "BERTH_TOKEN_FILE"));
  settings.token = Variable(environment, "BERTH_TOKEN");
  Replace(settings.server, arguments.Text("server"));
  Replace(settings.ca, arguments.Text("ca"));
  Replace(settings.output, arguments.Text("output"));
  return settings;
}

absl::StatusOr<Connection> MakeConnection(const Settings& settings) {
  if (settings.server.empty()) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.code = "B1101",
                      .message = "no scheduler is configured",
                      .why = "neither BERTH_SERVER nor a configuration file names one",
                      .fix = "export BERTH_SERVER=HOST:PORT, or write server = \"HOST:PORT\" into "
                             "~/.config/berth/config.toml"});
  }
  if (const absl::Status form = CheckAddress(settings.server, 1); !form.ok()) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.code = "B1101",
                      .message = form.message(),
                      .why = "",
                      .fix = "name the scheduler like berth.center.example:7443"});
  }
  Connection connection{.server = settings.server, .token = settings.token, .ca = settings.ca};
  if (connection.token.empty() && !settings.token_file.empty()) {
    ASSIGN_OR_RETURN(const Secret token, ReadTokenFile(settings.token_file));
    connection.token = token.Reveal();
  }
  connection.token = std::string(absl::StripAsciiWhitespace(connection.token));
  if (connection.token.empty()) {
    return MakeError(absl::StatusCode::kUnauthenticated,
                     {.code = "B7103",
                      .message = "no token is configured",
                      .why = "the scheduler answers only people it knows",
                      .fix = "export BERTH_TOKEN_FILE=FILE; ask your tenant admin for a token"});
  }
  RETURN_IF_ERROR(ParseBearerToken(connection.token).status());
  return connection;
}

}  // namespace berth
