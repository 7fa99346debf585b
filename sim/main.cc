// berth-sim: the scheduler in virtual time, and the policies it is compared with.

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/faults/fault_search.h"
#include "sim/replay.h"
#include "sim/replay_policies.h"
#include "sim/saturate.h"
#include "sim/synthetic.h"
#include <CLI/CLI.hpp>

namespace berth::sim {
namespace {

using Command = std::function<absl::Status()>;

std::string Describe(const std::vector<std::pair<std::string, std::string>>& policies) {
  std::string text = "Policies:";
  for (auto [name, summary] : policies) {
    name.resize(16, ' ');
    text += "\n  " + name + summary;
  }
  return text + "\n";
}

void AddReplay(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand(
      "replay",
      "Replay a log of jobs under a policy.\n\n"
      "Examples:\n"
      "  berth-sim replay --policy easy --jobs kth_sp2_jobs.csv --devices 100\n"
      "  berth-sim replay --policy easy --estimate run --jobs kth_sp2_jobs.csv --devices 100 "
      "--schedule starts.csv\n"
      "  berth-sim replay --policy srtf --jobs muri_trace1.csv --cluster 8x8 --report srtf.json "
      "--plot srtf.svg");
  const auto options = std::make_shared<ReplayOptions>();
  command->add_option("--policy", options->policy, "see below")->required();
  command->add_option("--jobs", options->jobs, "CSV: job_id,submit_s,run_s,gpus[,req_s,user,vc]")
      ->required();
  command->add_option("--devices", options->devices, "one flat pool of so many devices");
  command->add_option("--cluster", options->cluster, "NODESxDEVICES, for example 8x8");
  command->add_option("--nodes", options->nodes, "CSV: sn,gpu[,cpu_milli,memory_mib,model]");
  command
      ->add_option("--estimate", options->estimate,
                   "what is believed of a job's run time: request (its limit) or run (the truth)")
      ->capture_default_str();
  command->add_option("--schedule", options->schedule, "write job_id,start_s,end_s to this file");
  command->add_option("--report", options->report, "write the metrics as JSON to this file");
  command->add_option("--plot", options->plot, "draw utilisation and queue into this SVG file");
  std::vector<std::pair<std::string, std::string>> policies;
  for (const ReplayPolicy& policy : ReplayPolicies()) {
    policies.emplace_back(policy.name, policy.summary);
  }
  command->footer(Describe(policies));
  command->callback([options, &chosen] { chosen = [options] { return RunReplay(*options); }; });
}

void AddSaturate(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("saturate",
                         "Place a stream of pods until nothing fits; nothing departs.\n\n"
                         "Example:\n"
                         "  berth-sim saturate --policy fgd --nodes openb_nodes_s42.csv --stream "
                         "openb_stream_s42.csv --report fgd.json");
  const auto options = std::make_shared<SaturateOptions>();
  command->add_option("--policy", options->policy, "see below")->required();
  command->add_option("--nodes", options->nodes, "CSV: sn,cpu_milli,gpu[,memory_mib,model]")
      ->required();
  command
      ->add_option("--stream", options->stream,
                   "CSV: name,cpu_milli,num_gpu,gpu_milli[,memory_mib,gpu_spec]")
      ->required();
  command->add_option("--report", options->report, "write the metrics as JSON to this file");
  command->add_option("--seed", options->seed, "of random choices")->capture_default_str();
  command->footer(Describe(SaturatePolicies()));
  command->callback([options, &chosen] { chosen = [options] { return RunSaturate(*options); }; });
}

void AddWorkload(CLI::App& command, WorkloadOptions& options) {
  command.add_option("--seed", options.seed, "another one gives another workload")
      ->capture_default_str();
  command.add_option("--jobs", options.jobs, "how many")->capture_default_str();
  command.add_option("--nodes", options.nodes, "how many; a quarter is of a second class")
      ->capture_default_str();
  command.add_option("--devices-per-node", options.devices_per_node, "of every node")
      ->capture_default_str();
  command.add_option("--tenants", options.tenants, "with contracts of different sizes")
      ->capture_default_str();
  command.add_option("--load", options.load_percent, "work offered, in percent of the capacity")
      ->capture_default_str();
}

void AddGenerate(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand(
      "generate",
      "Write a synthetic workload of many tenants as CSV.\n\n"
      "Example:\n"
      "  berth-sim generate --seed 7 --jobs 2000 --nodes 32 --out jobs.csv --out-nodes nodes.csv "
      "--out-tenants tenants.csv\n"
      "  berth-sim replay --policy easy --jobs jobs.csv --nodes nodes.csv");
  const auto options = std::make_shared<GenerateOptions>();
  AddWorkload(*command, options->workload);
  command
      ->add_option("--out", options->jobs,
                   "the jobs: job_id,submit_s,run_s,gpus,req_s,user,vc,nodes,class,priority")
      ->required();
  command->add_option("--out-nodes", options->nodes, "sn,cpu_milli,memory_mib,gpu,model");
  command->add_option("--out-tenants", options->tenants,
                      "vc,class,entitlement,limit,non_lendable,weight");
  command->callback(
      [options, &chosen] { chosen = [options] { return GenerateWorkload(*options); }; });
}

void AddRun(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("run",
                         "Run a synthetic workload of many tenants under Berth's scheduler: own, "
                         "lend, recall.\n\n"
                         "Examples:\n"
                         "  berth-sim run --seed 7 --jobs 2000 --nodes 32\n"
                         "  berth-sim run --jobs 20000 --nodes 128 --load 110 --report run.json "
                         "--plot run.svg");
  const auto options = std::make_shared<SyntheticOptions>();
  AddWorkload(*command, options->workload);
  command
      ->add_option("--round-interval", options->round_interval_s,
                   "seconds between rounds at least; 0: a round after every event")
      ->capture_default_str();
  command->add_option("--schedule", options->schedule, "write job_id,start_s,end_s to this file");
  command->add_option("--report", options->report, "write the metrics as JSON to this file");
  command->add_option("--plot", options->plot, "draw utilisation and queue into this SVG file");
  command->callback([options, &chosen] { chosen = [options] { return RunSynthetic(*options); }; });
}

void AddFaults(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand(
      "faults",
      "Search the protocol for faults: the real scheduler and agents in a simulated center, where\n"
      "messages are late, streams break, processes and nodes die, disks fill up and people change\n"
      "their minds. What must always hold is checked after every event. A seed that fails is\n"
      "printed with its last events, and fails again in the same way; exit code 1.\n\n"
      "Examples:\n"
      "  berth-sim faults --seeds 2000\n"
      "  berth-sim faults --seeds 1 --seed 4711");
  const auto options = std::make_shared<FaultSearchOptions>();
  command->add_option("--seeds", options->seeds, "how many")->capture_default_str();
  command->add_option("--seed", options->first_seed, "the first of them")->capture_default_str();
  command->add_option("--threads", options->threads, "0: one per processor")->capture_default_str();
  command->callback([options, &chosen] { chosen = [options] { return RunFaults(*options); }; });
}

int Main(int argc, char** argv) {
  CLI::App app(
      "The scheduler in virtual time, and the policies it is compared with.\n\n"
      "Examples:\n"
      "  berth-sim replay --policy easy --jobs kth_sp2_jobs.csv --devices 100\n"
      "  berth-sim saturate --policy fgd --nodes openb_nodes_s42.csv --stream "
      "openb_stream_s42.csv\n"
      "  berth-sim run --seed 7 --jobs 2000 --nodes 32\n"
      "  berth-sim faults --seeds 2000\n"
      "  berth-sim replay --help");
  app.require_subcommand(1);
  Command chosen;
  AddReplay(app, chosen);
  AddSaturate(app, chosen);
  AddGenerate(app, chosen);
  AddRun(app, chosen);
  AddFaults(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const absl::Status status = chosen();
  if (!status.ok()) {
    std::fprintf(stderr, "berth-sim: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace berth::sim

int main(int argc, char** argv) {
  return berth::sim::Main(argc, argv);
}
