// berth-agent: one per node. See deploy/config/agent.toml for its configuration.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "agent/agent.h"
#include "agent/agent_options.h"
#include "common/config_file.h"
#include "common/error_detail.h"
#include "common/log.h"
#include "common/shutdown.h"
#include "common/status_macros.h"
#include <CLI/CLI.hpp>
#include <unistd.h>

namespace {

constexpr char kVersion[] = "0.1.0";

constexpr int kExitUsage = 2;

// For threads that a file system or a driver holds up, which may be for ever.
constexpr absl::Duration kStopPatience = absl::Seconds(10);

void PrintError(const absl::Status& status) {
  const auto detail = berth::FindDetail(status);
  std::fprintf(stderr, "error[%s]: %s\n", detail.has_value() ? detail->code.c_str() : "B9001",
               std::string(status.message()).c_str());
  if (detail.has_value()) {
    for (const std::string& why : detail->why) {
      std::fprintf(stderr, "  why:  %s\n", why.c_str());
    }
    for (const std::string& fix : detail->fix) {
      std::fprintf(stderr, "  fix:  %s\n", fix.c_str());
    }
  }
}

absl::StatusOr<berth::AgentOptions> ReadOptions(const std::string& path,
                                                const std::vector<std::string>& assignments) {
  ASSIGN_OR_RETURN(berth::ConfigFile file, berth::ConfigFile::Read(path));
  for (const std::string& assignment : assignments) {
    RETURN_IF_ERROR(file.Override(assignment));
  }
  return berth::ReadAgentOptions(file);
}

berth::LogLevel LevelOf(const std::string& name) {
  return name == "debug" ? berth::LogLevel::kDebug : berth::LogLevel::kInfo;
}

// Starts the agent and runs it until a signal. Whatever holds up its start or its end then, it does
// not for long: what was acknowledged is on the disk, and the tasks are their shims'.
absl::Status RunUntilSignal(const berth::AgentOptions& options) {
  absl::StatusOr<std::unique_ptr<berth::Agent>> agent(nullptr);
  absl::Notification is_started;  // or will never be
  absl::Notification is_told;
  absl::Notification is_over;
  std::thread signals([&] {
    berth::WaitForShutdownSignal();
    const absl::Time give_up = absl::Now() + kStopPatience;
    if (is_started.WaitForNotificationWithDeadline(give_up) && agent.ok()) {
      (*agent)->Stop();
    }
    is_told.Notify();
    if (!is_over.WaitForNotificationWithDeadline(give_up)) {
      berth::LogWarning("agent stops; what it waits for does not answer", {});
      std::_Exit(EXIT_SUCCESS);
    }
  });
  agent = berth::Agent::Start(options);
  is_started.Notify();
  if (agent.ok()) {
    (*agent)->Run();
  } else {
    kill(getpid(), SIGTERM);  // nobody else will
  }
  is_told.WaitForNotification();
  absl::Status status = agent.status();
  agent = nullptr;
  is_over.Notify();
  signals.join();
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  berth::BlockShutdownSignals();
  CLI::App app(
      "The agent of one node: reports its devices and runs its tasks.\n\n"
      "Examples:\n  berth-agent --config /etc/berth/agent.toml\n"
      "  berth-agent --config agent.toml --set node=gpu-01 --check-config");
  std::string path = "/etc/berth/agent.toml";
  std::vector<std::string> assignments;
  bool check_only = false;
  app.add_option("--config", path, "configuration file");
  app.add_option("--set", assignments, "KEY=VALUE that overrides the file; may be repeated");
  app.add_flag("--check-config", check_only, "read the configuration, say what is wrong, and end");
  app.set_version_flag("--version", std::string("berth-agent ") + kVersion);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : kExitUsage;
  }
  absl::StatusOr<berth::AgentOptions> options = ReadOptions(path, assignments);
  if (!options.ok()) {
    PrintError(options.status());
    return kExitUsage;
  }
  if (check_only) {
    std::printf("%s is good\n", path.c_str());
    return 0;
  }
  options->facts.agent_version = kVersion;
  berth::InitLog("berth-agent", LevelOf(options->log_level));
  if (const absl::Status status = RunUntilSignal(*options); !status.ok()) {
    PrintError(status);
    return EXIT_FAILURE;
  }
  return 0;
}
