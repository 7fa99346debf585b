// berth-bench: what the shipped binaries reach on this machine.

#include <climits>
#include <cstdio>
#include <string>

#include "sim/bench/agent_bench.h"
#include "sim/bench/api_bench.h"
#include "sim/bench/core_bench.h"
#include <CLI/CLI.hpp>
#include <unistd.h>

namespace {

// The folder of this program.
std::string OwnFolder() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
  const std::string whole(path, length > 0 ? static_cast<size_t>(length) : 0);
  return whole.substr(0, whole.rfind('/'));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Benchmarks of Berth on this machine; servers and clients share its cores.\n\n"
      "Examples:\n  berth-bench api --sequential 2000\n"
      "  berth-bench agent --tasks 3000\n"
      "  berth-bench core round-512 memory");
  app.require_subcommand(1);
  std::string bin = OwnFolder();
  app.add_option("--bin", bin, "folder of berthd, berth-agent, berth-shim and berth");
  std::string folder;
  app.add_option("--data-in", folder,
                 "an existing folder for all that scheduler and agent write: put it on the file "
                 "system that is to be measured ($TMPDIR, or /tmp)");
  berth::ApiBenchOptions options;
  CLI::App* api =
      app.add_subcommand("api", "submissions and starts through the API and the client");
  api->add_option("--sequential", options.sequential, "submissions one at a time");
  api->add_option("--parallel", options.parallel, "submissions with --outstanding on their way");
  api->add_option("--outstanding", options.outstanding, "calls on their way");
  api->add_option("--bulk", options.bulk, "jobs through bulk calls");
  api->add_option("--processes", options.processes, "`berth submit` processes");
  api->add_option("--runs", options.runs, "jobs from submit to running");
  berth::AgentBenchOptions agent_options;
  CLI::App* agent = app.add_subcommand(
      "agent", "launches, tasks per second and the log path of one node; as root: isolated");
  agent->add_option("--launches", agent_options.launches, "tasks of `true` one at a time");
  agent->add_option("--tasks", agent_options.tasks, "tasks of `true` in one array");
  agent->add_option("--at-once", agent_options.at_once, "tasks of the array that run at once")
      ->check(CLI::Range(1, 64));
  agent->add_option("--log-mb", agent_options.log_mb, "size of a log, in millions of bytes");
  berth::CoreBenchOptions core_options;
  CLI::App* core = app.add_subcommand("core", "rounds, forks, memory and a simulation of the core");
  core->add_option("scenarios", core_options.scenarios,
                   "round-512, round-2k, round-10k, explain, memory, simulate; none: all");
  core->add_option("--rounds", core_options.rounds, "rounds measured on a full cluster");
  core->add_option("--ends", core_options.ends, "jobs that end one by one");
  core->add_option("--jobs", core_options.jobs, "jobs of the simulation");
  core->add_option("--nodes", core_options.nodes, "nodes of the simulation, with 8 devices each");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.folder = folder;
  agent_options.folder = folder;
  const absl::Status status = *core    ? berth::RunCoreBench(core_options)
                              : *agent ? berth::RunAgentBench(bin, agent_options)
                                       : berth::RunApiBench(bin, options);
  if (!status.ok()) {
    std::fprintf(stderr, "berth-bench: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
