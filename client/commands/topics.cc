#include "client/commands/topics.h"

namespace berth {
namespace {

constexpr char kDirectives[] = R"(Options in a job script

  #!/bin/bash
  #BERTH --name llm7b-sft --project llm
  #BERTH --nodes 4 --devices 8 --class nvidia-h800-80g    # per node
  #BERTH --time 36h --grace 10m --env "NOTE=two words"
  torchrun train.py

What follows #BERTH is read like options of `berth submit`, by the rules of shell words: quotes,
backslashes, and comments from a word that begins with #. Nothing is expanded.
The lines stand before the first command, in the first 32 KiB. The command line replaces single
values and adds to repeated ones (--env, --exclude, --label, --requeue-exit, --matrix);
--no-hold, --borrow, --preempt and --no-stdin there undo the switches of a line.
A script without a #! line runs under /bin/sh. Arguments of the script stand after "--".

Instead of a script, `berth submit` takes a specification: JSON with the same options by their
names, as `berth show JOB --spec` prints it.
)";

constexpr char kEnv[] = R"(Variables

Of this program:
  BERTH_SERVER       HOST:PORT of the scheduler
  BERTH_TOKEN_FILE   a file (mode 0600) with your token; or BERTH_TOKEN, the token itself
  BERTH_CA           the CA certificate of the scheduler (PEM)
  BERTH_PROJECT      the project of jobs that name none
  BERTH_OUTPUT       as for -o
  BERTH_CONFIG       instead of ~/.config/berth/config.toml (server, token_file, ca, project, output)
  BERTH_RECONNECT    how long run, wait and logs -f look for a lost scheduler (60s)

Of every task (the job starts with a clean environment; see --env):
  BERTH_JOB_ID BERTH_JOB_NAME BERTH_ATTEMPT BERTH_TENANT BERTH_PROJECT BERTH_USER
  BERTH_NODELIST BERTH_HOSTFILE BERTH_START_TIME BERTH_END_TIME BERTH_GRACE_SECONDS
  BERTH_STOP_FILE    appears before the stop signal
  BERTH_NOTIFY_SOCKET  where `berth notify` tells how far the job is
  BERTH_SERVER BERTH_TOKEN_FILE BERTH_CA   of a job of many nodes: for its `berth rsh` alone
  BERTH_ARRAY_ID BERTH_ARRAY_INDEX   of a task of an array
  BERTH_PARAM_<NAME>   its value of each parameter of --matrix, the name in upper case
  NNODES NODE_RANK NPROC_PER_NODE MASTER_ADDR MASTER_PORT, and the same as PET_* for torchrun
  with --launch device also RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE GROUP_RANK
  CUDA_VISIBLE_DEVICES or ASCEND_RT_VISIBLE_DEVICES, by the kind of device
)";

constexpr char kExitCodes[] = R"(Exit codes

Of every command:
  0  done                                   5  conflict: wrong state, or exists already
  1  failed; the reason is printed          6  refused by entitlement: can never run
  2  wrong usage or job file                7  scheduler unreachable or too slow: try again
  3  not found                              8  partly done: see each line
  4  no valid token, or not allowed         9  client and scheduler do not fit

Of `submit --plan`: 0 it would start now, 10 it would wait, 6 it never can.

Of `run`, `wait` and `submit --wait`: the job's own code (of the rank that failed first), or
  120  never started                        124  --timeout of this command; the job goes on
  121  cancelled                            125  the scheduler was lost while waiting
  122  reached its time limit, or was idle  126  the command is not executable on the node
  123  lost to preemption or a node fault   127  the command was not found on the node
  128+n  ended by signal n (137: killed, or out of memory)
A program may exit with 120 to 127 itself: `berth show -o json`, end.reason, tells.
)";

constexpr char kStates[] = R"(States of a job

  held -> pending -> starting -> running -> stopping -> an end
  running -> pending   again, as the next attempt (--requeue)

Ends: succeeded failed cancelled timeout dependency-failed
Why it ended (end.reason): exit signal oom disk-limit node-fault preempted time-limit idle budget
  image-error prepare-timeout admin cancelled dependency-failed launch-error
)";

constexpr char kReasons[] = R"(Codes: B, the area, a number. They never change their meaning.

  B1...  this program, the job file, the request    B6...  accounting
  B2...  entitlement and limits                     B7...  tokens and permissions
  B3...  capacity and placement                     B8...  the scheduler
  B4...  the job while it runs                      B9...  a fault of Berth
  B5...  nodes and their health

`berth help reasons CODE` says what one means; docs/error-codes.md has them all.

Why a job waits, in the order in which explanations list it:
  B3601 held              waits for `berth release`
  B3602 back-off          waits a little after a failed start
  B3603 dependency        waits for other jobs
  B3604 begin-time        may not begin yet
  B3605 array-throttle    as many tasks of the array run as may
  B2201 tenant-suspended  nothing of the tenant starts
  B2101 tenant-limit      the tenant's limit of devices is reached
  B2102 project-limit     the project's limit is reached
  B2303 non-preemptible   only what the tenant owns can be used for it
  B2301 borrowing         more than the tenant owns, and it may not borrow
  B2302 non-lendable      the free devices are kept for their owners
  B2304 blocks-owed       would break a block that is owed to its owner
  B2305 shortfall         fewer devices than were promised: each owner gets a share
  B3301 no-nodes          too few usable nodes have this class and these labels
  B3401 booked            nodes are promised away before it would end
  B3202 topology          enough is free, but not close enough together
  B3201 fragmentation     enough devices are free, but not on enough nodes
  B3102 host-resources    not enough cores or memory beside the free devices
  B3101 devices-busy      not enough devices are free
  B3503 recalling         devices are being given back for it
  B3501 behind-anchor     would delay a job that nothing may delay
  B3502 queue-head        the tenant's queue lets nothing pass its head
  B3500 being-evaluated   just submitted, or just changed
  B4101 preparing         its nodes are being prepared
  B4102 stopping          its processes are being ended
  B5101 node-silent       one of its nodes does not answer
)";

}  // namespace

std::span<const Topic> HelpTopics() {
  static constexpr Topic kTopics[] = {
      {"directives", kDirectives},
      {"env",        kEnv       },
      {"exit-codes", kExitCodes },
      {"states",     kStates    },
      {"reasons",    kReasons   },
  };
  return kTopics;
}

}  // namespace berth
