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
#include "scheduler/server_offline.h"
#include <CLI/CLI.hpp>

namespace {

constexpr int kExitUsage = 2;
constexpr char kExamples[] =
    "Examples:\n"
    "  berthd --config /etc/berth/berthd.toml\n"
    "  berthd --config berthd.toml --set listen=127.0.0.1:7443 --set lease.timeout=5m\n"
    "  berthd --config berthd.toml --check-config\n"
    "  berthd --config berthd.toml --restore /backup/berth-0412.db   (berth admin restore)\n"
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

// What is done instead of serving; each excludes the others.
struct Offline {
  bool check_config = false;
  bool migrate = false;
  std::string verify_backup;
  std::string restore;
  std::string cluster_name;
};

void AddOfflineOptions(CLI::App& app, Offline& offline) {
  CLI::Option* const check = app.add_flag("--check-config", offline.check_config,
                                          "Read the configuration, say what is wrong, and end");
  CLI::Option* const migrate =
      app.add_flag("--migrate-only", offline.migrate,
                   "Check the database, bring it to this version's schema, and end");
  CLI::Option* const verify = app.add_option("--verify-backup", offline.verify_backup,
                                             "Check a backup from end to end, and end");
  CLI::Option* const restore = app.add_option("--restore", offline.restore,
                                              "Put a backup in the place of the database, and end");
  app.add_option("--cluster-name", offline.cluster_name,
                 "With --restore: put the database that is there aside")
      ->needs(restore);
  check->excludes(migrate)->excludes(verify)->excludes(restore);
  migrate->excludes(verify)->excludes(restore);
  verify->excludes(restore);
}

int Print(const absl::StatusOr<std::string>& text) {
  if (!text.ok()) {
    PrintError(text.status());
    return EXIT_FAILURE;
  }
  std::cout << *text;
  return EXIT_SUCCESS;
}

int Run(const std::string& config, const std::vector<std::string>& assignments,
        const Offline& offline) {
  if (!offline.verify_backup.empty()) {
    return Print(berth::DescribeBackup(offline.verify_backup));
  }
  const auto options = ReadOptions(config, assignments);
  if (!options.ok()) {
    PrintError(options.status());
    return kExitUsage;
  }
  if (offline.check_config) {
    return Print(config + ": OK\n");
  }
  if (offline.migrate) {
    return Print(berth::MigrateOffline(*options));
  }
  if (!offline.restore.empty()) {
    return Print(berth::RestoreOffline(*options, offline.restore, offline.cluster_name,
                                       berth::SystemClock()));
  }
  return Serve(*options);
}

}  // namespace

int main(int argc, char** argv) {
  berth::BlockShutdownSignals();
  CLI::App app("The scheduler daemon of Berth.", "berthd");
  std::string config = "/etc/berth/berthd.toml";
  std::vector<std::string> assignments;
  Offline offline;
  app.add_option("--config", config, "Configuration file (TOML)")->capture_default_str();
  app.add_option("--set", assignments, "Use KEY=VALUE or SECTION.KEY=VALUE instead of the file's")
      ->allow_extra_args(false)
      ->take_all();
  AddOfflineOptions(app, offline);
  app.set_version_flag("--version", std::string("berthd ") + berth::Server::Version());
  app.footer(kExamples);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : kExitUsage;
  }
  return Run(config, assignments, offline);
}
