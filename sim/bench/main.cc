// berth-bench: what the shipped binaries reach on this machine.

#include <climits>
#include <cstdio>
#include <string>

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
      "  berth-bench core round-512 memory");
  app.require_subcommand(1);
  std::string bin = OwnFolder();
  app.add_option("--bin", bin, "folder of berthd, berth-agent, berth-shim and berth");
  berth::ApiBenchOptions options;
  CLI::App* api =
      app.add_subcommand("api", "submissions and starts through the API and the client");
  api->add_option("--sequential", options.sequential, "submissions one at a time");
  api->add_option("--parallel", options.parallel, "submissions with --outstanding on their way");
  api->add_option("--outstanding", options.outstanding, "calls on their way");
  api->add_option("--bulk", options.bulk, "jobs through bulk calls");
  api->add_option("--processes", options.processes, "`berth submit` processes");
  api->add_option("--runs", options.runs, "jobs from submit to running");
  berth::CoreBenchOptions core_options;
  CLI::App* core = app.add_subcommand("core", "rounds, forks, memory and a simulation of the core");
  core->add_option("scenarios", core_options.scenarios,
                   "round-512, round-2k, round-10k, explain, memory, simulate; none: all");
  core->add_option("--rounds", core_options.rounds, "rounds measured on a full cluster");
  core->add_option("--ends", core_options.ends, "jobs that end one by one");
  core->add_option("--jobs", core_options.jobs, "jobs of the simulation");
  core->add_option("--nodes", core_options.nodes, "nodes of the simulation, with 8 devices each");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status =
      *core ? berth::RunCoreBench(core_options) : berth::RunApiBench(bin, options);
  if (!status.ok()) {
    std::fprintf(stderr, "berth-bench: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
