#include "agent/executor/environment.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <gtest/gtest.h>

namespace berth {
namespace {

using Variables = std::map<std::string, std::string>;

// Those of `variables` that `names` has too.
Variables Among(const Variables& names, const Variables& variables) {
  Variables found;
  for (const auto& [name, value] : variables) {
    if (names.count(name) == 1) {
      found[name] = value;
    }
  }
  return found;
}

// One node's share of a job: by default node 1 of 2, with devices 4 and 5 of 8.
class EnvironmentTest : public testing::Test {
 protected:
  EnvironmentTest() {
    assignment_.set_job_id(4711);
    assignment_.set_job_name("llm 7b = sft");
    assignment_.set_attempt(2);
    assignment_.set_tenant("acme");
    assignment_.set_project("llm");
    assignment_.set_user("lin");
    assignment_.set_rank(1);
    assignment_.set_node_count(2);
    assignment_.set_grace_ms(30'500);
    AddMember("qd-a03", "10.0.0.3", 2);
    AddMember("qd-a04", "10.0.0.4", 2);
    AddDevice(4, v1::DEVICE_KIND_SIMULATED);
    AddDevice(5, v1::DEVICE_KIND_SIMULATED);
    task_.rendezvous_address = "10.0.0.3";
    task_.rendezvous_port = 20017;
    task_.paths = {.folder = "/d/jobs/4711/2",
                   .output = "/d/jobs/4711/output",
                   .scratch = "/d/jobs/4711/2/scratch",
                   .stop_file = "/d/jobs/4711/2/stop",
                   .host_file = "/d/jobs/4711/2/hosts",
                   .notice_socket = "/d/jobs/4711/2/notify.sock",
                   .work = "/d/jobs/4711/2/work"};
    task_.node = "qd-a04";
    task_.start_time = absl::FromUnixSeconds(1'800'000'000);
    task_.end_time = absl::FromUnixSeconds(1'800'003'600);
    task_.cores = 16;
    task_.user_name = "runner";
    task_.home = "/home/runner";
  }

  void AddMember(const std::string& node, const std::string& address, int devices) {
    v1::Start::Member& member = task_.members.emplace_back();
    member.set_rank(static_cast<int>(task_.members.size()) - 1);
    member.set_node(node);
    member.set_address(address);
    member.set_devices(devices);
  }
  void AddDevice(int index, v1::DeviceKind kind) {
    v1::DeviceAssignment& device = *assignment_.add_devices();
    device.set_index(index);
    device.set_uuid(absl::StrCat("GPU-", index));
    task_.device_kinds.push_back(kind);
  }
  void RemoveDevices() {
    assignment_.clear_devices();
    task_.device_kinds.clear();
    for (v1::Start::Member& member : task_.members) {
      member.set_devices(0);
    }
  }
  void SetKinds(v1::DeviceKind kind) { task_.device_kinds.assign(2, kind); }

  Variables Make(int local_rank = 0) {
    Variables variables;
    for (const std::string& line : MakeEnvironment(task_, {.local_rank = local_rank})) {
      const std::pair<std::string, std::string> parts =
          absl::StrSplit(line, absl::MaxSplits('=', 1));
      EXPECT_TRUE(variables.insert(parts).second) << parts.first << " is there twice";
    }
    return variables;
  }

  v1::Assignment assignment_;
  v1::JobSpec spec_;
  TaskContext task_{.assignment = assignment_, .spec = spec_};
};

TEST_F(EnvironmentTest, TellsWhoseJobItIsAndWhereAndHowLong) {
  auto variables = Make();
  EXPECT_EQ(variables["BERTH_JOB_ID"], "4711");
  EXPECT_EQ(variables["BERTH_JOB_NAME"], "llm 7b = sft");
  EXPECT_EQ(variables["BERTH_ATTEMPT"], "2");
  EXPECT_EQ(variables["BERTH_TENANT"], "acme");
  EXPECT_EQ(variables["BERTH_PROJECT"], "llm");
  EXPECT_EQ(variables["BERTH_USER"], "lin");
  EXPECT_EQ(variables["BERTH_NODE"], "qd-a04");
  EXPECT_EQ(variables["BERTH_NODELIST"], "qd-a[03-04]");
  EXPECT_EQ(variables["BERTH_NODE_IPS"], "10.0.0.3,10.0.0.4");
  EXPECT_EQ(variables["BERTH_HOSTFILE"], "/d/jobs/4711/2/hosts");
  EXPECT_EQ(variables["BERTH_NOTIFY_SOCKET"], "/d/jobs/4711/2/notify.sock");
  EXPECT_EQ(variables["BERTH_START_TIME"], "1800000000");
  EXPECT_EQ(variables["BERTH_END_TIME"], "1800003600");
  EXPECT_EQ(variables["BERTH_GRACE_SECONDS"], "30");
  EXPECT_EQ(variables["BERTH_OUTPUT_DIR"], "/d/jobs/4711/output");
  EXPECT_EQ(variables["BERTH_CODE_DIR"], "/d/jobs/4711/2/work");
  EXPECT_EQ(variables["BERTH_SCRATCH"], "/d/jobs/4711/2/scratch");
  EXPECT_EQ(variables["BERTH_STOP_FILE"], "/d/jobs/4711/2/stop");
}

TEST_F(EnvironmentTest, ATaskOfAnArrayKnowsItsIndex) {
  Variables variables = Make();
  EXPECT_EQ(variables.count("BERTH_ARRAY_ID"), 0U);
  EXPECT_EQ(variables.count("BERTH_ARRAY_INDEX"), 0U);
  assignment_.set_array_id(4700);
  assignment_.set_array_index(0);
  variables = Make();
  EXPECT_EQ(variables["BERTH_ARRAY_ID"], "4700");
  EXPECT_EQ(variables["BERTH_ARRAY_INDEX"], "0");
}

TEST_F(EnvironmentTest, ATaskOfAMatrixHasItsValues) {
  for (const auto& [name, values] : {
           std::pair{"lr",   std::vector<std::string>{"1e-4", "3e-4"}},
           std::pair{"seed", std::vector<std::string>{"1", "2", "3"} }
  }) {
    v1::MatrixParameter& parameter = *spec_.add_matrix();
    parameter.set_name(name);
    parameter.mutable_values()->Assign(values.begin(), values.end());
  }
  EXPECT_EQ(Make().count("BERTH_PARAM_LR"), 0U);
  assignment_.set_array_id(4700);
  assignment_.set_array_index(4);
  Variables variables = Make();
  EXPECT_EQ(variables["BERTH_PARAM_LR"], "3e-4");
  EXPECT_EQ(variables["BERTH_PARAM_SEED"], "2");
  assignment_.set_array_index(6);
  EXPECT_EQ(Make().count("BERTH_PARAM_LR"), 0U);
}

TEST_F(EnvironmentTest, HasWhatEveryProcessNeeds) {
  auto variables = Make();
  EXPECT_EQ(variables["PATH"], "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  EXPECT_EQ(variables["HOME"], "/home/runner");
  EXPECT_EQ(variables["USER"], "runner");
  EXPECT_EQ(variables["LOGNAME"], "runner");
  EXPECT_EQ(variables["SHELL"], "/bin/sh");
  EXPECT_EQ(variables["LANG"], "C.UTF-8");
  EXPECT_EQ(variables["TMPDIR"], "/d/jobs/4711/2/scratch");
}

TEST_F(EnvironmentTest, AUserWithoutAHomeGetsTheWorkFolder) {
  task_.home = "";
  EXPECT_EQ(Make()["HOME"], "/d/jobs/4711/2/work");
}

// torchrun takes its flags' defaults from PET_*, and must not find a WORLD_SIZE of nodes.
TEST_F(EnvironmentTest, LaunchPerNodeSpeaksToTorchrun) {
  const Variables expected = {
      {"NNODES",             "2"       },
      {"NODE_RANK",          "1"       },
      {"NPROC_PER_NODE",     "2"       },
      {"MASTER_ADDR",        "10.0.0.3"},
      {"MASTER_PORT",        "20017"   },
      {"PET_NNODES",         "2"       },
      {"PET_NODE_RANK",      "1"       },
      {"PET_NPROC_PER_NODE", "2"       },
      {"PET_MASTER_ADDR",    "10.0.0.3"},
      {"PET_MASTER_PORT",    "20017"   },
      {"BERTH_RANK",         "1"       },
      {"BERTH_RANK_COUNT",   "2"       },
      {"BERTH_NODE_RANK",    "1"       },
      {"BERTH_NODE_COUNT",   "2"       },
      {"OMP_NUM_THREADS",    "8"       }, // two workers share the cores
  };
  for (const v1::LaunchMode launch : {v1::LAUNCH_MODE_UNSPECIFIED, v1::LAUNCH_MODE_NODE}) {
    spec_.set_launch(launch);
    EXPECT_EQ(Among(expected, Make()), expected);
  }
}

TEST_F(EnvironmentTest, LaunchPerNodeSetsNoRank) {
  const Variables variables = Make();
  for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK",
                           "RANK_ID", "RANK_SIZE", "DEVICE_ID"}) {
    EXPECT_EQ(variables.count(name), 0u) << name;
  }
}

TEST_F(EnvironmentTest, LaunchPerDeviceTellsEveryRankItsPlace) {
  spec_.set_launch(v1::LAUNCH_MODE_DEVICE);
  for (int local_rank = 0; local_rank < 2; ++local_rank) {
    const std::string local = absl::StrCat(local_rank);
    const std::string rank = absl::StrCat(2 + local_rank);
    const Variables expected = {
        {"RANK",                 rank      },
        {"WORLD_SIZE",           "4"       },
        {"LOCAL_RANK",           local     },
        {"LOCAL_WORLD_SIZE",     "2"       },
        {"GROUP_RANK",           "1"       },
        {"RANK_ID",              rank      },
        {"RANK_SIZE",            "4"       },
        {"DEVICE_ID",            local     },
        {"NNODES",               "2"       },
        {"NODE_RANK",            "1"       },
        {"MASTER_ADDR",          "10.0.0.3"},
        {"PET_MASTER_PORT",      "20017"   },
        {"CUDA_VISIBLE_DEVICES", "4,5"     }, // LOCAL_RANK chooses among all
        {"BERTH_RANK",           rank      },
        {"BERTH_RANK_COUNT",     "4"       },
        {"BERTH_NODE_COUNT",     "2"       },
        {"OMP_NUM_THREADS",      "16"      }, // cores are those of one process
    };
    EXPECT_EQ(Among(expected, Make(local_rank)), expected);
  }
}

TEST_F(EnvironmentTest, RanksFollowTheDevicesOfTheNodesBefore) {
  spec_.set_launch(v1::LAUNCH_MODE_DEVICE);
  task_.members[0].set_devices(8);
  auto variables = Make(1);
  EXPECT_EQ(variables["RANK"], "9");
  EXPECT_EQ(variables["WORLD_SIZE"], "10");
}

TEST_F(EnvironmentTest, WithoutDevicesANodeIsOneRankAndSeesNone) {
  RemoveDevices();
  auto per_node = Make();
  EXPECT_EQ(per_node["NPROC_PER_NODE"], "1");
  EXPECT_EQ(per_node["PET_NPROC_PER_NODE"], "1");
  EXPECT_EQ(per_node.count("RANK"), 0u);
  EXPECT_EQ(per_node.count("CUDA_VISIBLE_DEVICES"), 1u);
  EXPECT_EQ(per_node["CUDA_VISIBLE_DEVICES"], "");
  EXPECT_EQ(per_node["NVIDIA_VISIBLE_DEVICES"], "void");
  EXPECT_EQ(per_node["OMP_NUM_THREADS"], "16");
  spec_.set_launch(v1::LAUNCH_MODE_DEVICE);
  auto per_device = Make();
  EXPECT_EQ(per_device["RANK"], "1");
  EXPECT_EQ(per_device["WORLD_SIZE"], "2");
  EXPECT_EQ(per_device["LOCAL_RANK"], "0");
  EXPECT_EQ(per_device["LOCAL_WORLD_SIZE"], "1");
}

TEST_F(EnvironmentTest, NvidiaDevicesAreCountedAsTheBusCountsThem) {
  SetKinds(v1::DEVICE_KIND_NVIDIA);
  auto variables = Make();
  EXPECT_EQ(variables["CUDA_VISIBLE_DEVICES"], "4,5");
  EXPECT_EQ(variables["CUDA_DEVICE_ORDER"], "PCI_BUS_ID");
  EXPECT_EQ(variables["NVIDIA_VISIBLE_DEVICES"], "GPU-4,GPU-5");
  EXPECT_EQ(variables.count("ASCEND_RT_VISIBLE_DEVICES"), 0u);
}

// CUDA knows a MIG instance by its uuid only.
TEST_F(EnvironmentTest, MigInstancesAreSeenByTheirUuids) {
  SetKinds(v1::DEVICE_KIND_NVIDIA);
  for (v1::DeviceAssignment& device : *assignment_.mutable_devices()) {
    device.set_uuid(absl::StrCat("MIG-", device.index()));
  }
  auto variables = Make();
  EXPECT_EQ(variables["CUDA_VISIBLE_DEVICES"], "MIG-4,MIG-5");
  EXPECT_EQ(variables["NVIDIA_VISIBLE_DEVICES"], "MIG-4,MIG-5");
}

// What ASCEND_RT_VISIBLE_DEVICES counts are chips; a vNPU is all that its task's /dev has.
TEST_F(EnvironmentTest, VnpusAreToldByTheirNumbersAlone) {
  SetKinds(v1::DEVICE_KIND_ASCEND);
  for (v1::DeviceAssignment& device : *assignment_.mutable_devices()) {
    device.set_device_class("ascend-910b3-vnpu-vir05-1c-16g");
  }
  auto variables = Make();
  EXPECT_EQ(variables["ASCEND_VISIBLE_DEVICES"], "4,5");
  EXPECT_EQ(variables.count("ASCEND_RT_VISIBLE_DEVICES"), 0u);
}

TEST_F(EnvironmentTest, AscendDevicesHaveTheirOwnVariables) {
  SetKinds(v1::DEVICE_KIND_ASCEND);
  auto variables = Make();
  EXPECT_EQ(variables["ASCEND_RT_VISIBLE_DEVICES"], "4,5");
  EXPECT_EQ(variables["ASCEND_VISIBLE_DEVICES"], "4,5");
  EXPECT_EQ(variables["CUDA_VISIBLE_DEVICES"], "");
}

TEST_F(EnvironmentTest, SimulatedDevicesLookLikeNvidias) {
  auto variables = Make();
  EXPECT_EQ(variables["CUDA_VISIBLE_DEVICES"], "4,5");
  EXPECT_EQ(variables["NVIDIA_VISIBLE_DEVICES"], "void");
}

TEST_F(EnvironmentTest, TheOperatorsVariablesYieldToTheGangsAndTheUsers) {
  task_.operator_environment = {
      {"NCCL_SOCKET_IFNAME",   "bond0"   },
      {"PATH",                 "/opt/bin"},
      {"MASTER_ADDR",          "wrong"   },
      {"CUDA_VISIBLE_DEVICES", "0"       },
      {"BERTH_TENANT",         "wrong"   },
      {"HTTP_PROXY",           "operator"},
  };
  (*spec_.mutable_environment())["HTTP_PROXY"] = "user";
  auto variables = Make();
  EXPECT_EQ(variables["NCCL_SOCKET_IFNAME"], "bond0");
  EXPECT_EQ(variables["PATH"], "/opt/bin");
  EXPECT_EQ(variables["MASTER_ADDR"], "10.0.0.3");
  EXPECT_EQ(variables["CUDA_VISIBLE_DEVICES"], "4,5");
  EXPECT_EQ(variables["BERTH_TENANT"], "acme");
  EXPECT_EQ(variables["HTTP_PROXY"], "user");
}

TEST_F(EnvironmentTest, TheUsersVariablesComeLastButForBerthsAndTheDevices) {
  auto& user = *spec_.mutable_environment();
  user["PATH"] = "/mine";
  user["OMP_NUM_THREADS"] = "3";
  user["LD_LIBRARY_PATH"] = "/mine/lib";
  user["EMPTY"] = "";
  user["EQUALS"] = "a=b=c";
  user["BERTH_TENANT"] = "other";
  user["BERTH_OF_MY_OWN"] = "x";
  user["CUDA_VISIBLE_DEVICES"] = "0,1,2,3,4,5,6,7";
  user["NVIDIA_VISIBLE_DEVICES"] = "all";
  user["ASCEND_RT_VISIBLE_DEVICES"] = "0";
  user["CUDA_DEVICE_ORDER"] = "FASTEST_FIRST";
  auto variables = Make();
  EXPECT_EQ(variables["PATH"], "/mine");
  EXPECT_EQ(variables["OMP_NUM_THREADS"], "3");
  EXPECT_EQ(variables["LD_LIBRARY_PATH"], "/mine/lib");
  EXPECT_EQ(variables.count("EMPTY"), 1u);
  EXPECT_EQ(variables["EQUALS"], "a=b=c");
  EXPECT_EQ(variables["BERTH_TENANT"], "acme");
  EXPECT_EQ(variables.count("BERTH_OF_MY_OWN"), 0u);
  EXPECT_EQ(variables["CUDA_VISIBLE_DEVICES"], "4,5");
  EXPECT_EQ(variables["NVIDIA_VISIBLE_DEVICES"], "void");
  EXPECT_EQ(variables.count("ASCEND_RT_VISIBLE_DEVICES"), 0u);
  EXPECT_EQ(variables["CUDA_DEVICE_ORDER"], "PCI_BUS_ID");
}

TEST_F(EnvironmentTest, OnlyWithATokenOfItsOwnAJobIsToldOfTheScheduler) {
  const Variables names = {
      {"BERTH_SERVER",     ""},
      {"BERTH_TOKEN_FILE", ""},
      {"BERTH_CA",         ""}
  };
  task_.server = "center:7443";
  EXPECT_EQ(Among(names, Make()), Variables());
  task_.paths.token = "/d/jobs/4711/2/token";
  EXPECT_EQ(Among(names, Make()),
            (Variables{
                {"BERTH_SERVER",     "center:7443"         },
                {"BERTH_TOKEN_FILE", "/d/jobs/4711/2/token"}
  }));
  task_.ca_file = "/etc/berth/ca.pem";
  task_.operator_environment = {
      {"BERTH_SERVER", "gate:7443"}
  };
  EXPECT_EQ(Among(names, Make()), (Variables{
                                      {"BERTH_SERVER",     "gate:7443"           },
                                      {"BERTH_TOKEN_FILE", "/d/jobs/4711/2/token"},
                                      {"BERTH_CA",         "/etc/berth/ca.pem"   }
  }));
}

// A name with "=" in it would be read as another name.
TEST_F(EnvironmentTest, WhatIsNoVariableIsLeftOut) {
  const auto before = Make();
  auto& user = *spec_.mutable_environment();
  user[""] = "x";
  user["PATH=/x"] = "x";
  user[std::string("PATH\0x", 6)] = "x";
  user["CUT"] = std::string("a\0b", 3);
  EXPECT_EQ(Make(), before);
}

TEST_F(EnvironmentTest, NothingOfTheAgentsOwnEnvironmentComesThrough) {
  const auto variables = Make();
  const std::set<std::string> known = {"PATH",  "HOME", "USER",   "LOGNAME",
                                       "SHELL", "LANG", "TMPDIR", "OMP_NUM_THREADS"};
  for (const auto& [name, value] : variables) {
    const bool is_ours = absl::StartsWith(name, "BERTH_") || absl::StartsWith(name, "PET_") ||
                         absl::StartsWith(name, "CUDA_") || absl::StartsWith(name, "NVIDIA_") ||
                         absl::StartsWith(name, "MASTER_") || name == "NNODES" ||
                         name == "NODE_RANK" || name == "NPROC_PER_NODE";
    EXPECT_TRUE(is_ours || known.count(name) == 1) << name;
  }
}

TEST_F(EnvironmentTest, IsSorted) {
  const std::vector<std::string> lines = MakeEnvironment(task_, {});
  std::vector<std::string> names;
  names.reserve(lines.size());
  for (const std::string& line : lines) {
    names.push_back(line.substr(0, line.find('=')));
  }
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

TEST_F(EnvironmentTest, WithoutALimitOrAPortNoneIsTold) {
  task_.end_time = absl::InfiniteFuture();
  task_.rendezvous_port = 0;
  const auto variables = Make();
  EXPECT_EQ(variables.count("BERTH_END_TIME"), 0u);
  EXPECT_EQ(variables.count("MASTER_PORT"), 0u);
  EXPECT_EQ(variables.count("PET_MASTER_PORT"), 0u);
  EXPECT_EQ(variables.count("MASTER_ADDR"), 1u);
}

TEST_F(EnvironmentTest, EveryWorkerHasAtLeastOneThread) {
  task_.cores = 1;
  EXPECT_EQ(Make()["OMP_NUM_THREADS"], "1");
}

TEST_F(EnvironmentTest, HostFileHasALinePerNode) {
  task_.members[1].set_devices(0);
  EXPECT_EQ(FormatHostFile(task_.members), "10.0.0.3 slots=2\n10.0.0.4 slots=1\n");
  EXPECT_EQ(FormatHostFile({}), "");
}

}  // namespace
}  // namespace berth
