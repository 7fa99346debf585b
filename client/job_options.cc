#include "client/job_options.h"

namespace berth {
namespace {

constexpr Option kJobOptions[] = {
    Value("name", "NAME", "what the job is called", 'n'),
    Value("project", "PROJECT", "the project it belongs to"),
    Value("nodes", "N", "nodes at the same time (1)", 'N'),
    Value("devices", "N", "devices on each node (1)", 'd'),
    Value("min-nodes", "N", "start with so few nodes, and shrink to them when an owner asks"),
    Value("device-share", "PART", "a part of one device, e.g. 0.25, beside others of the project"),
    Value("topology", "LEVEL", "same-ring, -rack, -block or -pod[:prefer|:require]"),
    WithAlias(
        Value("class", "A|B", "device classes, the best first; one of them for the whole job"),
        "model"),
    Value("cpus", "N", "processor cores on each node"),
    Value("memory", "SIZE", "memory on each node, e.g. 64GiB"),
    Value("disk", "SIZE", "at most so much on the disk of each node, e.g. 200GiB"),
    Value("time", "TIME", "ends the job at the latest after, e.g. 36h", 't'),
    Value("grace", "TIME", "between the stop signal and the kill, e.g. 5m"),
    Value("stop-signal", "SIGNAL", "asks the job to stop (SIGTERM)"),
    Value("priority", "N", "before others of your tenant, -1000 to 1000 (0)"),
    Repeated("env", "K[=V]", "a variable, or a copy of yours"),
    Value("workdir", "FOLDER", "start in a copy of this folder of yours (/PATH: of the nodes)"),
    Value("upload-max", "SIZE", "upload at most so much of it (200MiB)"),
    Value("image", "IMAGE", "run inside this OCI image, or root folder of the nodes"),
    WithAlias(Flag("stdin", "rank 0 reads what `berth attach` passes in (else /dev/null)", 'i'),
              "interactive"),
    Flag("no-stdin", "undoes --stdin of the file, or of the job that is retried"),
    Value("launch", "node|device", "run the command once per node, or per device (node)"),
    Value("requeue", "LIST",
          "run again after: node-fault, preempt, error; or none (node-fault,preempt)"),
    Value("max-requeues", "N", "run again at most so often (5)"),
    Repeated("requeue-exit", "CODE", "an exit code that asks to run again"),
    Value("on-node-loss", "WHAT", "a silent node: requeue, hold or fail (requeue)"),
    Value("lease", "TIME", "how long a cut-off node may go on, e.g. 2h"),
    Value("array", "RANGE", "many tasks, e.g. 0-99, 1,3,5-7, 0-98:2 or 0-99%8 (8 at a time)"),
    Repeated("matrix", "NAME=VALUES",
             "a task for each combination, e.g. lr=1e-4,3e-4 and seed=1..3"),
    Value("max-fails", "N", "once N tasks have failed, start no other task of the array"),
    Repeated("after", "KIND:JOB", "not before ok:, any:, fail: or started: of another job"),
    Value("begin", "TIME", "not before, e.g. 22:00, \"2026-12-06 08:00\" or +2h"),
    Flag("hold", "wait for `berth release`"),
    Flag("no-hold", "undoes --hold"),
    Flag("no-borrow", "start only on devices that your tenant owns"),
    Flag("borrow", "undoes --no-borrow"),
    Flag("no-preempt", "never give the devices back early"),
    Flag("preempt", "undoes --no-preempt"),
    Repeated("exclude", "NODES", "not on these nodes, e.g. n[07-09]"),
    WithAlias(Repeated("label", "K=V", "only on nodes with this label"), "node-label"),
    Value("comment", "TEXT", "kept with the job"),
    CommandLineOnly(Value("tenant", "TENANT", "on behalf of a tenant (operators)")),
    CommandLineOnly(Value("idempotency-key", "KEY", "the same key never makes a second job")),
    CommandLineOnly(Flag("dry-run", "only check whether the job would be accepted")),
};

}  // namespace

std::span<const Option> JobOptions() {
  return kJobOptions;
}

}  // namespace berth
