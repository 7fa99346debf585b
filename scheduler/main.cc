// berthd: the scheduler daemon.

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "common/clock.h"
#include "common/config_file.h"
#include "common/error_detail.h"
#include "common/log.h"
#include "common/shutdown.h"
#include "common/status_macros.h"
#include "scheduler/server.h"
#include <CLI/CLI.hpp>

namespace {

constexpr int kExitUsage = 2;
constexpr char kExamples[] =
    "Examples:\n"
    "  berthd --config /etc/berth/berthd.toml\n"
    "  berthd --config berthd.toml --set listen=127.0.0.1:7443 --set lease.timeout=5m\n"
    "  berthd --config berthd.toml --check-config\n"
    "\n"
    "The first operator's token: berth admin bootstrap --socket DATA_DIR/admin.sock\n";

void PrintError(const absl::Status& status) {
  const auto detail = berth::FindDetail(status);
  const std::string code = detail.has_value() ? "[" + detail->code + "]" : "";
  std::cerr << "error" << code << ": " << status.message() << "\n";
  if (detail.has_value()) {
    for (const std::string& why : detail->why) {
      std::cerr << "  why:  " << why << "\n";
    }
    for (const std::string& fix : detail->fix) {
      std::cerr << "  fix:  " << fix << "\n";
    }
  }
}

absl::StatusOr<berth::ServerOptions> ReadOptions(const std::string& path,
                                                 const std::vector<std::string>& assignments) {
  ASSIGN_OR_RETURN(berth::ConfigFile file, berth::ConfigFile::Read(path));
  for (const std::string& assignment : assignments) {
    RETURN_IF_ERROR(file.Override(assignment));
  }
  return berth::ReadServerOptions(file);
}

int Serve(const berth::ServerOptions& options) {
  berth::InitLog("berthd", options.log_level);
  const berth::SystemClock clock;
  auto server = berth::Server::Start(options, clock);
  if (!server.ok()) {
    PrintError(server.status());
    return EXIT_FAILURE;
  }
  const int signal = berth::WaitForShutdownSignal();
  berth::LogInfo("scheduler stopping", {
                                           {"signal", signal}
  });
  (*server)->Stop();
  berth::LogInfo("scheduler stopped");
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  berth::BlockShutdownSignals();
  CLI::App app("The scheduler daemon of Berth.", "berthd");
  std::string config = "/etc/berth/berthd.toml";
  std::vector<std::string> assignments;
  bool check_only = false;
  app.add_option("--config", config, "Configuration file (TOML)")->capture_default_str();
  app.add_option("--set", assignments, "Use KEY=VALUE or SECTION.KEY=VALUE instead of the file's")
      ->allow_extra_args(false)
      ->take_all();
  app.add_flag("--check-config", check_only, "Read the configuration, say what is wrong, and end");
  app.set_version_flag("--version", std::string("berthd ") + berth::Server::Version());
  app.footer(kExamples);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : kExitUsage;
  }
  const auto options = ReadOptions(config, assignments);
  if (!options.ok()) {
    PrintError(options.status());
    return kExitUsage;
  }
  if (check_only) {
    std::cout << config << ": OK\n";
    return EXIT_SUCCESS;
  }
  return Serve(*options);
}
