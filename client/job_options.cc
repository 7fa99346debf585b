#include "client/job_options.h"

namespace berth {
namespace {

constexpr Option kJobOptions[] = {
    {.name = "name",                                            .letter = 'n',                    .value = "NAME",.help = "what the job is called"},
    {.name = "project",                                                         .value = "PROJECT",                                                                         .help = "the project it belongs to"},
    {.name = "nodes",                                                         .letter = 'N',                                                                           .value = "N",        .help = "nodes at the same time (1)"},
    {.name = "devices",                     .letter = 'd',                                                     .value = "N",.help = "devices on each node (1)"},
    {.name = "class",
     .value = "A|B",
     .help = "device classes, the best first; one of them for "
             "the whole job",.alias = "model"},
    {.name = "cpus",                                            .value = "N",                                                                     .help = "processor cores on each node"},
    {.name = "memory",                                            .value = "SIZE",                     .help = "memory on each node, e.g. 64GiB"},
    {.name = "time",
     .letter = 't',
     .value = "TIME",
     .help = "ends the job at the latest after, "
             "e.g. 36h"},
    {.name = "grace",                                            .value = "TIME",                                                                               .help = "between the stop signal and the kill, e.g. 5m"},
    {.name = "stop-signal",                                                         .value = "SIGNAL",                                                                           .help = "asks the job to stop (SIGTERM)"},
    {.name = "priority",                                                         .value = "N",                                                                     .help = "before others of your tenant, -1000 to 1000 (0)"},
    {.name = "env",                                                         .value = "K[=V]",                                                                        .help = "a variable, or a copy of yours",.repeatable = true},
    {.name = "workdir",
     .value = "FOLDER",
     .help = "start in this folder of the nodes (a fresh one)"},
    {.name = "launch",
     .value = "node|device",
     .help = "run the command once per node, or per "
             "device (node)"},
    {.name = "requeue",
     .value = "LIST",
     .help = "run again after: node-fault, preempt, error; or "
             "none (node-fault,preempt)"},
    {.name = "max-requeues",                                   .value = "N",                                                                   .help = "run again at most so often (5)"},
    {.name = "requeue-exit",
     .value = "CODE",
     .help = "an exit code that asks to run again",
     .repeatable = true},
    {.name = "on-node-loss",
     .value = "WHAT",
     .help = "a silent node: requeue, hold or fail "
             "(requeue)"},
    {.name = "lease",             .value = "TIME",                                                                          .help = "how long a cut-off node may go on, e.g. 2h"},
    {.name = "hold",                                           .help = "wait for `berth release`"                                                                        },
    {.name = "no-borrow",                              .help = "start only on devices that your tenant owns"},
    {.name = "no-preempt",.help = "never give the devices back early"},
    {.name = "exclude",                                                         .value = "NODES",                                                                                                                                      .help = "not on these nodes",                                                                                               .repeatable = true},
    {.name = "label",                                         .value = "K=V", .help = "only on nodes with this label",.repeatable = true},
    {.name = "comment",                                                         .value = "TEXT",                                                                           .help = "kept with the job"},
    {.name = "tenant",
     .value = "TENANT",
     .help = "on behalf of a tenant (operators)",
     .command_line_only = true},
    {.name = "idempotency-key",
     .value = "KEY",
     .help = "the same key never makes a second job",
     .command_line_only = true},
    {.name = "dry-run",
     .help = "only check whether the job would be accepted",
     .command_line_only = true},
};

}  // namespace

std::span<const Option> JobOptions() {
  return kJobOptions;
}

}  // namespace berth
