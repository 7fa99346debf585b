// The arrows and bounds of the design, held on the tree as it is; and each check is seen to fire on
// a planted violation.

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/architecture/core_purity.h"
#include "tests/architecture/include_rules.h"
#include "tests/architecture/size_limits.h"
#include "tests/architecture/source_text.h"

namespace berth::architecture {
namespace {

const std::vector<SourceFile>& Tree() {
  static const auto* const kTree = new std::vector<SourceFile>(ReadSourceTree(BERTH_SOURCE_DIR));
  return *kTree;
}

std::vector<SourceFile> OneFile(const std::string& path, const std::string& text) {
  return {
      SourceFile{path, text}
  };
}

std::string Lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "  Step();\n";
  return text;
}

TEST(ArchitectureTest, TheTreeIsRead) {
  ASSERT_GT(Tree().size(), 20u);
  EXPECT_TRUE(std::any_of(Tree().begin(), Tree().end(), [](const SourceFile& file) {
    return file.path == "scheduler/core/cluster.h" && !file.text.empty();
  }));
}

TEST(ArchitectureTest, ArrowsHold) {
  EXPECT_EQ(Describe(CheckArrows(Tree())), "");
}

TEST(ArchitectureTest, LibrariesStayWhereTheyBelong) {
  EXPECT_EQ(Describe(CheckLibraries(Tree())), "");
}

TEST(ArchitectureTest, CoreLadderHolds) {
  EXPECT_EQ(Describe(CheckCoreLadder(Tree())), "");
}

TEST(ArchitectureTest, CoresArePure) {
  EXPECT_EQ(Describe(CheckCorePurity(Tree())), "");
}

// Every code in the sources is in both registers, and every registered one is in the sources.
TEST(ArchitectureTest, EveryCodeIsRegisteredOnceAndDocumented) {
  const std::regex code("\"(B[0-9]{4})\"");
  std::set<std::string> used;
  std::multiset<std::string> registered;
  for (const SourceFile& file : Tree()) {
    const bool is_register = file.path == "client/commands/error_codes.cc";
    if (StartsWith(file.path, "tests/") || file.path == "client/commands/error_codes.h" ||
        file.path == "common/error_detail.h") {
      continue;
    }
    for (auto i = std::sregex_iterator(file.text.begin(), file.text.end(), code);
         i != std::sregex_iterator(); ++i) {
      if (is_register) {
        registered.insert((*i)[1]);
      } else {
        used.insert((*i)[1]);
      }
    }
  }
  EXPECT_GT(used.size(), 50u);
  for (const std::string& one : used) {
    EXPECT_EQ(registered.count(one), 1u) << one << " in client/commands/error_codes.cc";
  }
  std::ifstream file(std::string(BERTH_SOURCE_DIR) + "/docs/error-codes.md");
  const std::string documented((std::istreambuf_iterator<char>(file)), {});
  for (const std::string& one : registered) {
    EXPECT_EQ(used.count(one), 1u) << one << " is nowhere used";
    EXPECT_NE(documented.find("| " + one + " |"), std::string::npos) << one << " in docs";
  }
}

TEST(ArchitectureTest, FilesAndFunctionsStaySmall) {
  EXPECT_EQ(Describe(CheckSizes(Tree())), "");
}

struct PlantedInclude {
  const char* path;
  const char* include;
};

// Every arrow that must not exist, in both spellings of an include.
TEST(ArchitectureTest, ForbiddenArrowsAreFound) {
  const std::vector<PlantedInclude> planted = {
      {"scheduler/core/job.h",      "scheduler/store/store.h"    },
      {"scheduler/core/job.h",      "common/config_file.h"       },
      {"scheduler/core/job.h",      "proto/job.pb.h"             },
      {"scheduler/store/store.cc",  "scheduler/rpc/auth.h"       },
      {"scheduler/store/store.cc",  "scheduler/control_loop.h"   },
      {"scheduler/store/store.cc",  "proto/job.pb.h"             },
      {"scheduler/rpc/auth.cc",     "scheduler/store/store.h"    },
      {"scheduler/rpc/auth.cc",     "scheduler/web/http_server.h"},
      {"scheduler/web/metrics.cc",  "scheduler/rpc/auth.h"       },
      {"scheduler/control_loop.cc", "scheduler/rpc/auth.h"       },
      {"scheduler/control_loop.cc", "scheduler/convert.h"        },
      {"scheduler/convert.cc",      "scheduler/store/store.h"    },
      {"scheduler/main.cc",         "scheduler/core/cluster.h"   },
      {"scheduler/server.cc",       "agent/agent.h"              },
      {"agent/core/agent_core.cc",  "agent/executor/process.h"   },
      {"agent/executor/process.cc", "agent/devices/nvidia.h"     },
      {"agent/devices/nvidia.cc",   "agent/executor/process.h"   },
      {"agent/shim/main.cc",        "agent/executor/process.h"   },
      {"agent/agent.cc",            "scheduler/core/ids.h"       },
      {"agent/agent.cc",            "client/output.h"            },
      {"client/output.cc",          "scheduler/core/job.h"       },
      {"client/output.cc",          "agent/agent.h"              },
      {"common/log.cc",             "client/output.h"            },
      {"common/log.cc",             "sim/simulator.h"            },
      {"client/output.cc",          "tests/testing/builders.h"   },
      {"sim/simulator.cc",          "scheduler/store/store.h"    },
      {"sim/simulator.cc",          "agent/executor/process.h"   },
  };
  for (const PlantedInclude& plant : planted) {
    const std::string target = plant.include;
    EXPECT_EQ(CheckArrows(OneFile(plant.path, "#include \"" + target + "\"\n")).size(), 1u)
        << plant.path << " -> " << target;
    EXPECT_EQ(CheckArrows(OneFile(plant.path, "  #  include <" + target + ">\n")).size(), 1u)
        << plant.path << " -> <" << target << ">";
  }
}

TEST(ArchitectureTest, AllowedArrowsAreNotReported) {
  const std::vector<PlantedInclude> planted = {
      {"scheduler/core/job.h",      "scheduler/core/ids.h"    },
      {"scheduler/core/job.h",      "common/strong_id.h"      },
      {"scheduler/store/store.cc",  "scheduler/core/changes.h"},
      {"scheduler/rpc/auth.cc",     "scheduler/convert.h"     },
      {"scheduler/server.cc",       "scheduler/store/store.h" },
      {"agent/core/agent_core.cc",  "proto/agent_api.pb.h"    },
      {"sim/bench/rpc.cc",          "scheduler/server.h"      },
      {"tests/agent/agent_test.cc", "agent/agent.h"           },
      {"client/output.cc",          "vector"                  },
  };
  for (const PlantedInclude& plant : planted) {
    const std::string text = std::string("#include \"") + plant.include + "\"\n";
    EXPECT_EQ(Describe(CheckArrows(OneFile(plant.path, text))), "");
  }
}

TEST(ArchitectureTest, PathsOutsideTheLayoutAreFound) {
  EXPECT_EQ(CheckArrows(OneFile("scheduler/helpers/x.h", "")).size(), 1u);
  EXPECT_EQ(CheckArrows(OneFile("client/output.cc", "#include \"../agent/agent.h\"\n")).size(), 1u);
}

TEST(ArchitectureTest, LibrariesInTheWrongPlaceAreFound) {
  const std::vector<PlantedInclude> planted = {
      {"scheduler/control_loop.cc", "grpcpp/grpcpp.h"           },
      {"agent/executor/process.cc", "grpcpp/grpcpp.h"           },
      {"agent/core/agent_core.cc",  "proto/agent_api.grpc.pb.h" },
      {"client/output.cc",          "proto/client_api.grpc.pb.h"},
      {"scheduler/control_loop.cc", "sqlite3.h"                 },
      {"scheduler/store/store.cc",  "google/protobuf/message.h" },
      {"agent/shim/main.cc",        "proto/agent_api.pb.h"      },
      {"agent/agent.cc",            "toml++/toml.h"             },
      {"client/commands/ps.cc",     "CLI/CLI.hpp"               },
      {"scheduler/server.cc",       "spdlog/spdlog.h"           },
      {"scheduler/server.cc",       "nlohmann/json.hpp"         },
      {"common/log.cc",             "gtest/gtest.h"             },
  };
  for (const PlantedInclude& plant : planted) {
    const std::string text = std::string("#include <") + plant.include + ">\n";
    EXPECT_FALSE(CheckLibraries(OneFile(plant.path, text)).empty())
        << plant.path << " -> " << plant.include;
  }
}

TEST(ArchitectureTest, LadderViolationsAreFound) {
  const auto include = [](const std::string& path, const std::string& target) {
    return CheckCoreLadder(OneFile(path, "#include \"scheduler/core/" + target + "\"\n"));
  };
  EXPECT_EQ(include("scheduler/core/ids.h", "job.h").size(), 1u);
  EXPECT_EQ(include("scheduler/core/quota_tree.cc", "cluster.h").size(), 1u);
  EXPECT_EQ(include("scheduler/core/cluster_jobs.cc", "planner.h").size(), 1u);
  EXPECT_EQ(include("scheduler/core/backfill.cc", "reclaim.h").size(), 1u);
  EXPECT_EQ(include("scheduler/core/planner.cc", "engine.h").size(), 1u);
  EXPECT_EQ(include("scheduler/core/planner.cc", "backfill.h").size(), 0u);
  EXPECT_EQ(include("scheduler/core/cluster_jobs.cc", "cluster.h").size(), 0u);
  EXPECT_EQ(CheckCoreLadder(OneFile("scheduler/core/stray.cc", "")).size(), 1u);
}

TEST(ArchitectureTest, CyclesInCoreAreFound) {
  const std::vector<SourceFile> files = {
      {"scheduler/core/job.h",        "#include \"scheduler/core/node.h\"\n"      },
      {"scheduler/core/node.h",       "#include \"scheduler/core/allocation.h\"\n"},
      {"scheduler/core/allocation.h", "#include \"scheduler/core/job.h\"\n"       },
  };
  EXPECT_EQ(CheckCoreLadder(files).size(), 3u);
}

TEST(ArchitectureTest, ImpureWordsInCoreAreFound) {
  const std::vector<std::string> planted = {
      "auto now = absl::Now();",
      "auto now = std::chrono::steady_clock::now();",
      "long t = time(nullptr);",
      "long t = std::time(nullptr);",
      "clock_gettime(CLOCK_MONOTONIC, &ts);",
      "absl::SleepFor(delay);",
      "std::thread worker;",
      "absl::Mutex mu_;",
      "std::atomic<int> count;",
      "thread_local int depth;",
      "int dice = rand();",
      "std::mt19937 generator;",
      "absl::BitGen generator;",
      "spdlog::info(1);",
      "LogInfo(line);",
      "std::cerr << 1;",
      "grpc::Status status;",
      "sqlite3* db;",
      "google::protobuf::Message* message;",
      "const char* home = getenv(name);",
  };
  for (const std::string& line : planted) {
    const std::string text = "void F() {\n  " + line + "\n}\n";
    EXPECT_FALSE(CheckCorePurity(OneFile("scheduler/core/job.cc", text)).empty()) << line;
    EXPECT_TRUE(CheckCorePurity(OneFile("scheduler/rpc/auth.cc", text)).empty()) << line;
  }
}

TEST(ArchitectureTest, ImpureIncludesInCoreAreFound) {
  const std::vector<std::string> planted = {"<chrono>",
                                            "<thread>",
                                            "<mutex>",
                                            "<random>",
                                            "<iostream>",
                                            "<fstream>",
                                            "<sqlite3.h>",
                                            "<grpcpp/grpcpp.h>",
                                            "\"common/log.h\"",
                                            "\"common/clock.h\"",
                                            "\"absl/time/clock.h\"",
                                            "\"absl/synchronization/mutex.h\"",
                                            "\"proto/job.pb.h\"",
                                            "<spdlog/spdlog.h>"};
  for (const std::string& include : planted) {
    const std::string text = "#include " + include + "\n";
    EXPECT_EQ(CheckCorePurity(OneFile("scheduler/core/job.cc", text)).size(), 1u) << include;
  }
}

TEST(ArchitectureTest, HarmlessWordsInCoreAreNotReported) {
  const std::string text =
      "// absl::Now() would be a clock, std::thread a thread.\n"
      "void F(const Job& job) {\n"
      "  Say(\"time(nullptr), spdlog::info\");\n"
      "  Use(job.time(), job->clock(), Stop::time(1), R\"(rand())\", 'x', 1'000);\n"
      "}\n";
  EXPECT_EQ(Describe(CheckCorePurity(OneFile("scheduler/core/job.cc", text))), "");
  EXPECT_EQ(Describe(CheckCorePurity(
                OneFile("agent/core/agent_core.cc", "#include \"proto/agent_api.pb.h\"\n"))),
            "");
}

TEST(ArchitectureTest, LongFilesAndFunctionsAreFound) {
  EXPECT_EQ(CheckSizes(OneFile("client/a.cc", Lines(601))).size(), 1u);
  EXPECT_EQ(CheckSizes(OneFile("client/a.cc", Lines(600))).size(), 0u);
  const std::string header = "namespace x {\nint Sum(int a,\n        int b) const {\n";
  EXPECT_EQ(CheckSizes(OneFile("client/a.cc", header + Lines(60) + "}\n}\n")).size(), 1u);
  EXPECT_EQ(CheckSizes(OneFile("client/a.cc", header + Lines(59) + "}\n}\n")).size(), 0u);
  const std::string member =
      "class A : public B {\n public:\n  explicit A(int a) : a_{a}, b_(1) {\n";
  EXPECT_EQ(CheckSizes(OneFile("client/a.cc", member + Lines(61) + "}\n};\n")).size(), 1u);
}

TEST(ArchitectureTest, ManyParametersAreFound) {
  const std::string six = "void F(int a, int b, int c, int d, int e, int f) {}\n";
  EXPECT_EQ(CheckSizes(OneFile("client/a.cc", six)).size(), 1u);
  const std::string five =
      "std::map<int, int> F(std::map<int, int> a, std::function<void(int, int)> b, int c, int d,\n"
      "                     int e = G(1, 2)) noexcept {}\n";
  EXPECT_EQ(Describe(CheckSizes(OneFile("client/a.cc", five))), "");
  const std::string call =
      "bool X::operator()(int a, int b, int c, int d, int e, int f) const {}\n";
  EXPECT_EQ(CheckSizes(OneFile("client/a.cc", call)).size(), 1u);
}

TEST(ArchitectureTest, FunctionsAreTakenApart) {
  const std::string text =
      "namespace a::b {\n"
      "const int kTable[] = {1, 2};\n"
      "enum class E : int { kOne };\n"
      "struct P {\n  int x{3};\n  int Get() const { return x; }\n};\n"
      "template <typename T>\nT Twice(const T& value) {\n  if (value) {\n  }\n  return value;\n}\n"
      "P::P(int y) : x{y}, z_(y) {\n}\n"
      "auto Later() -> int { return 1; }\n"
      "}  // namespace\n";
  const std::vector<FunctionShape> functions = FindFunctions(text);
  ASSERT_EQ(functions.size(), 4u);
  EXPECT_EQ(functions[0].name, "Get");
  EXPECT_EQ(functions[1].name, "Twice");
  EXPECT_EQ(functions[1].body_lines, 4);
  EXPECT_EQ(functions[1].parameters, 1);
  EXPECT_EQ(functions[2].name, "P");
  EXPECT_EQ(functions[2].body_lines, 1);
  EXPECT_EQ(functions[3].name, "Later");
}

}  // namespace
}  // namespace berth::architecture
