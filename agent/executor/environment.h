#ifndef BERTH_AGENT_EXECUTOR_ENVIRONMENT_H_
#define BERTH_AGENT_EXECUTOR_ENVIRONMENT_H_

// The environment of one process of a job, built from nothing: what the agent was started with
// never reaches a job. Pure.
//
// Later ones win: what every process needs, the operator's variables, those of the gang and of the
// user's job, the user's own. The user's never replace BERTH_* nor the variables that tell a
// process its devices, for those keep jobs on one node apart.

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "proto/agent_api.pb.h"
#include "proto/job.pb.h"

namespace berth {

struct TaskPaths {
  std::string folder;
  std::string output;
  std::string scratch;
  std::string stop_file;
  std::string host_file;
  std::string notice_socket;
  std::string work;
  std::string token = {};  // the job's own; empty: it has none
};

// What the ranks of one task have in common.
struct TaskContext {
  const v1::Assignment& assignment;
  const v1::JobSpec& spec;
  std::vector<v1::Start::Member> members = {};  // of the whole gang, by rank
  std::string rendezvous_address = {};
  int rendezvous_port = 0;                        // 0: none reserved
  std::vector<v1::DeviceKind> device_kinds = {};  // as assignment.devices
  TaskPaths paths = {};
  std::string server = {};   // of the scheduler, for who has a token
  std::string ca_file = {};  // empty: none
  std::string node = {};
  absl::Time start_time = absl::UnixEpoch();
  absl::Time end_time = absl::InfiniteFuture();  // infinite: no time limit
  std::map<std::string, std::string> image_environment = {};
  std::map<std::string, std::string> operator_environment = {};
  int cores = 1;  // per process
  std::string user_name = {};
  std::string home = {};
};

struct RankContext {
  int local_rank = 0;  // 0 with one process per node
};

// "NAME=VALUE", sorted by name, each name once.
std::vector<std::string> MakeEnvironment(const TaskContext& task, const RankContext& rank);

// "host slots=8" lines, as DeepSpeed and MPI read them.
std::string FormatHostFile(const std::vector<v1::Start::Member>& members);

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_ENVIRONMENT_H_
