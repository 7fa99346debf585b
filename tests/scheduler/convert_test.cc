#include "scheduler/convert.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <gtest/gtest.h>

#include "common/credentials.h"
#include "common/error_detail.h"
#include "scheduler/convert_text.h"

namespace berth {
namespace {

v1::SubmitJobRequest GoodRequest() {
  v1::SubmitJobRequest request;
  v1::JobSpec& spec = *request.mutable_spec();
  spec.set_name("train");
  spec.mutable_gang()->set_nodes(2);
  spec.mutable_gang()->set_devices_per_node(8);
  spec.add_command("/usr/bin/python3");
  spec.add_command("train.py");
  return request;
}

struct BadSpec {
  const char* what;
  std::function<void(v1::JobSpec&)> change;
};

void ExpectRefused(const BadSpec& bad, absl::StatusCode code) {
  v1::SubmitJobRequest request = GoodRequest();
  bad.change(*request.mutable_spec());
  const auto event = ToSubmitJob(request);
  EXPECT_EQ(event.status().code(), code) << bad.what << ": " << event.status();
  const auto detail = FindDetail(event.status());
  ASSERT_TRUE(detail.has_value()) << bad.what;
  EXPECT_EQ(detail->code.substr(0, 3), "B12") << bad.what;
  EXPECT_TRUE(IsPlainText(event.status().message())) << bad.what;
}

TEST(ToSubmitJob, TakesEverythingOver) {
  v1::SubmitJobRequest request = GoodRequest();
  v1::JobSpec& spec = *request.mutable_spec();
  spec.set_project("llm");
  spec.mutable_gang()->mutable_per_node()->set_cpu_milli(4000);
  spec.mutable_gang()->mutable_per_node()->set_memory_mib(1024);
  spec.mutable_gang()->add_device_classes("sim-a");
  spec.mutable_gang()->add_device_classes("sim-b");
  (*spec.mutable_gang()->mutable_node_labels())["zone"] = "east";
  spec.mutable_gang()->add_excluded_nodes("n7");
  spec.set_time_limit_ms(3600 * 1000);
  spec.set_grace_ms(60 * 1000);
  spec.set_lease_ms(120 * 1000);
  spec.set_priority(-7);
  spec.set_not_preemptible(true);
  spec.set_no_borrow(true);
  spec.set_hold(true);
  spec.set_on_node_loss(v1::NODE_LOSS_POLICY_HOLD);
  spec.mutable_requeue()->set_on_error(true);
  spec.mutable_requeue()->set_max_requeues(2);
  spec.mutable_requeue()->add_exit_codes(75);
  request.set_on_behalf_of_tenant("acme");
  request.set_dry_run(true);

  const auto event = ToSubmitJob(request);
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(event->tenant, "acme");
  EXPECT_EQ(event->project, "llm");
  EXPECT_EQ(event->device_classes, (std::vector<std::string>{"sim-a", "sim-b"}));
  EXPECT_TRUE(event->dry_run);
  const JobSpec& job = event->spec;
  EXPECT_EQ(job.name, "train");
  EXPECT_EQ(job.gang.nodes, 2);
  EXPECT_EQ(job.gang.devices_per_node, 8);
  EXPECT_EQ(job.gang.per_node.cpu_milli, 4000);
  EXPECT_EQ(job.gang.per_node.memory_mib, 1024);
  EXPECT_EQ(job.gang.node_labels.at("zone"), "east");
  EXPECT_EQ(job.gang.excluded_nodes, (std::vector<std::string>{"n7"}));
  EXPECT_EQ(job.time_limit, absl::Hours(1));
  EXPECT_EQ(job.grace, absl::Minutes(1));
  EXPECT_EQ(job.lease_ms, 120'000);
  EXPECT_EQ(job.priority, -7);
  EXPECT_FALSE(job.preemptible);
  EXPECT_FALSE(job.may_borrow);
  EXPECT_TRUE(job.hold);
  EXPECT_EQ(job.on_node_loss, NodeLossPolicy::kHold);
  EXPECT_FALSE(job.requeue.on_node_fault);
  EXPECT_TRUE(job.requeue.on_error);
  EXPECT_EQ(job.requeue.max_requeues, 2);
  EXPECT_EQ(job.requeue.exit_codes, (std::vector<int>{75}));
}

TEST(ToSubmitJob, HasDefaults) {
  v1::SubmitJobRequest request;
  request.mutable_spec()->add_command("/opt/tools/run.sh");
  const auto event = ToSubmitJob(request);
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(event->spec.name, "run.sh");
  EXPECT_EQ(event->spec.gang.nodes, 1);
  EXPECT_EQ(event->spec.gang.devices_per_node, 1);
  EXPECT_EQ(event->spec.time_limit, absl::ZeroDuration());
  EXPECT_EQ(event->spec.grace, absl::ZeroDuration());
  EXPECT_TRUE(event->spec.preemptible);
  EXPECT_TRUE(event->spec.may_borrow);
  EXPECT_TRUE(event->spec.requeue.on_node_fault);
  EXPECT_EQ(event->spec.requeue.max_requeues, 5);
  request.mutable_spec()->clear_command();
  request.mutable_spec()->set_script("#!/bin/sh\ntrue\n");
  EXPECT_EQ(ToSubmitJob(request)->spec.name, "script");
}

TEST(ToSubmitJob, RefusesBadText) {
  const BadSpec cases[] = {
      {"long name",           [](v1::JobSpec& s) { s.set_name(std::string(129, 'n')); }                      },
      {"escape in the name",  [](v1::JobSpec& s) { s.set_name("a\x1b[31m"); }                                },
      {"newline in the name", [](v1::JobSpec& s) { s.set_name("a\nb"); }                                     },
      {"broken UTF-8",        [](v1::JobSpec& s) { s.set_name("a\xff"); }                                    },
      {"C1 control",          [](v1::JobSpec& s) { s.set_name("a\xc2\x9b"); }                                },
      {"project",             [](v1::JobSpec& s) { s.set_project("Bad Project"); }                           },
      {"comment",             [](v1::JobSpec& s) { s.set_comment(std::string(5000, 'c')); }                  },
      {"no command",          [](v1::JobSpec& s) { s.clear_command(); }                                      },
      {"empty command",       [](v1::JobSpec& s) { s.set_command(0, ""); }                                   },
      {"NUL in argv",         [](v1::JobSpec& s) { s.set_command(1, std::string("a\0b", 3)); }               },
      {"long argv",           [](v1::JobSpec& s) { s.set_command(1, std::string(1 << 20, 'a')); }            },
      {"large script",        [](v1::JobSpec& s) { s.set_script(std::string((1 << 20) + 1, 'a')); }          },
      {"NUL in the script",   [](v1::JobSpec& s) { s.set_script(std::string("#!\0", 3)); }                   },
      {"relative folder",     [](v1::JobSpec& s) { s.set_working_directory("../../etc"); }                   },
      {"dots in folder",      [](v1::JobSpec& s) { s.set_working_directory("/data/../../etc"); }             },
      {"home folder",         [](v1::JobSpec& s) { s.set_working_directory("~root"); }                       },
      {"NUL in folder",       [](v1::JobSpec& s) { s.set_working_directory(std::string("/a\0", 3)); }        },
      {"long folder",
       [](v1::JobSpec& s) { s.set_working_directory("/" + std::string(5000, 'd')); }                         },
      {"stop signal",         [](v1::JobSpec& s) { s.set_stop_signal("SIGKILL"); }                           },
      {"class",               [](v1::JobSpec& s) { s.mutable_gang()->add_device_classes("A 100"); }          },
      {"label",               [](v1::JobSpec& s) { (*s.mutable_gang()->mutable_node_labels())["a\n"] = "b"; }},
      {"excluded node",       [](v1::JobSpec& s) { s.mutable_gang()->add_excluded_nodes("N 1"); }            },
  };
  for (const BadSpec& bad : cases) {
    ExpectRefused(bad, absl::StatusCode::kInvalidArgument);
  }
}

TEST(ToSubmitJob, RefusesBadEnvironments) {
  const auto with = [](const std::string& name, const std::string& value) {
    return [name, value](v1::JobSpec& s) { (*s.mutable_environment())[name] = value; };
  };
  const BadSpec cases[] = {
      {"empty name", with("",                    "x")},
      {"equals sign",            with("A=B",                          "x")},
      {"digit first",        with("1A",         "x")},
      {"space",with("A B",          "x")},
      {"Berth's own",      with("BERTH_JOB_ID",                           "x")},
      {"NUL in value",            with("A",                          std::string("a\0b", 3))},
      {"too much",        with("A",        std::string((256 << 10) + 1, 'x'))},
      {"too many",
       [](v1::JobSpec& s) {
         for (int i = 0; i < 1001; ++i) {
           (*s.mutable_environment())[absl::StrCat("V", i)] = "x";
         }
       }},
  };
  for (const BadSpec& bad : cases) {
    ExpectRefused(bad, absl::StatusCode::kInvalidArgument);
  }
}

TEST(ToSubmitJob, RefusesAbsurdNumbers) {
  constexpr int32_t kLeast = std::numeric_limits<int32_t>::min();
  constexpr int32_t kMost = std::numeric_limits<int32_t>::max();
  constexpr int64_t kMost64 = std::numeric_limits<int64_t>::max();
  std::vector<BadSpec> cases;
  for (const int32_t nodes : {0, -1, 4097, kLeast, kMost}) {
    cases.push_back({"nodes", [nodes](v1::JobSpec& s) { s.mutable_gang()->set_nodes(nodes); }});
  }
  for (const int32_t devices : {-1, 65, kLeast, kMost}) {
    cases.push_back({"devices", [devices](v1::JobSpec& s) {
                       s.mutable_gang()->set_devices_per_node(devices);
                     }});
  }
  for (const int64_t value : {int64_t{-1}, kMost64, -kMost64 - 1}) {
    cases.push_back({"time limit", [value](v1::JobSpec& s) { s.set_time_limit_ms(value); }});
    cases.push_back({"grace", [value](v1::JobSpec& s) { s.set_grace_ms(value); }});
    cases.push_back({"lease", [value](v1::JobSpec& s) { s.set_lease_ms(value); }});
    cases.push_back({"cpu", [value](v1::JobSpec& s) {
                       s.mutable_gang()->mutable_per_node()->set_cpu_milli(value);
                     }});
    cases.push_back({"memory", [value](v1::JobSpec& s) {
                       s.mutable_gang()->mutable_per_node()->set_memory_mib(value);
                     }});
  }
  for (const int32_t value : {-1001, 1001, kLeast, kMost}) {
    cases.push_back({"priority", [value](v1::JobSpec& s) { s.set_priority(value); }});
  }
  cases.push_back({"grace above the limit", [](v1::JobSpec& s) {
                     s.set_time_limit_ms(1000);
                     s.set_grace_ms(1000);
                   }});
  cases.push_back({"requeues", [](v1::JobSpec& s) { s.mutable_requeue()->set_max_requeues(101); }});
  cases.push_back({"exit code", [](v1::JobSpec& s) { s.mutable_requeue()->add_exit_codes(0); }});
  cases.push_back({"launch", [](v1::JobSpec& s) { s.set_launch(static_cast<v1::LaunchMode>(9)); }});
  for (const BadSpec& bad : cases) {
    ExpectRefused(bad, absl::StatusCode::kInvalidArgument);
  }
}

TEST(ToSubmitJob, TakesInteractiveJobsOfOneNode) {
  v1::SubmitJobRequest request = GoodRequest();
  request.mutable_spec()->mutable_gang()->set_nodes(1);
  request.mutable_spec()->set_idle_ms(1000);
  EXPECT_TRUE(ToSubmitJob(request).ok());
  ExpectRefused({"two nodes", [](v1::JobSpec& s) { s.set_idle_ms(1000); }},
                absl::StatusCode::kInvalidArgument);
  ExpectRefused({"an array",
                 [](v1::JobSpec& s) {
                   s.set_idle_ms(1000);
                   s.mutable_gang()->set_nodes(1);
                   s.mutable_array()->set_count(2);
                 }},
                absl::StatusCode::kInvalidArgument);
  ExpectRefused({"before now", [](v1::JobSpec& s) { s.set_idle_ms(-1); }},
                absl::StatusCode::kInvalidArgument);
}

TEST(ToSubmitJob, TakesImagesButNoOptionsInTheirPlace) {
  for (const char* image :
       {"registry.example:5000/a/b:2.5", "busybox@sha256:00", "/srv/images/a"}) {
    v1::SubmitJobRequest request = GoodRequest();
    request.mutable_spec()->set_image(image);
    EXPECT_TRUE(ToSubmitJob(request).ok()) << image;
  }
  for (const char* image : {"--privileged", "a b", "a\nb", " "}) {
    ExpectRefused({image, [image](v1::JobSpec& s) { s.set_image(image); }},
                  absl::StatusCode::kInvalidArgument);
  }
}

TEST(ToSubmitJob, TakesElasticSharedAndCloseGangsOver) {
  v1::SubmitJobRequest request = GoodRequest();
  v1::GangSpec& gang = *request.mutable_spec()->mutable_gang();
  gang.set_min_nodes(1);
  gang.mutable_topology()->set_level(v1::TopologyRequest::LEVEL_RACK);
  gang.mutable_topology()->set_required(true);
  const auto elastic = ToSubmitJob(request);
  ASSERT_TRUE(elastic.ok()) << elastic.status();
  EXPECT_EQ(elastic->spec.gang.min_nodes, 1);
  EXPECT_EQ(elastic->spec.gang.topology, TopologyLevel::kRack);
  EXPECT_TRUE(elastic->spec.gang.topology_required);
  gang.set_min_nodes(3);
  EXPECT_EQ(ToSubmitJob(request).status().code(), absl::StatusCode::kInvalidArgument);
  gang.set_min_nodes(0);
  gang.set_device_share_milli(250);
  EXPECT_EQ(ToSubmitJob(request).status().code(), absl::StatusCode::kInvalidArgument);
  gang.set_nodes(1);
  gang.set_devices_per_node(1);
  EXPECT_EQ(ToSubmitJob(request)->spec.gang.device_share_milli, 250);
}

TEST(ToSubmitJob, TakesArrayDependenciesAndBeginOver) {
  v1::SubmitJobRequest request = GoodRequest();
  v1::JobSpec& spec = *request.mutable_spec();
  spec.mutable_array()->set_first(10);
  spec.mutable_array()->set_count(5);
  spec.mutable_array()->set_concurrent_max(2);
  for (const uint64_t id : {9, 7, 9}) {
    v1::Dependency& dependency = *spec.add_dependencies();
    dependency.set_kind(v1::DEPENDENCY_KIND_STARTED);
    dependency.set_job_id(id);
  }
  spec.set_begin_time_us(1234567);
  const auto event = ToSubmitJob(request);
  ASSERT_TRUE(event.ok()) << event.status();
  const ArrayRange& array = event->spec.array;
  EXPECT_EQ(array.first, 10);
  EXPECT_EQ(array.count, 5);
  EXPECT_EQ(array.step, 1);
  EXPECT_EQ(array.concurrent_max, 2);
  const std::vector<Dependency> expected = {
      {DependencyKind::kStarted, JobId(7)},
      {DependencyKind::kStarted, JobId(9)}
  };
  EXPECT_TRUE(event->spec.dependencies == expected);
  EXPECT_EQ(event->spec.begin_at, absl::FromUnixMicros(1234567));
}

TEST(ToSubmitJob, RefusesBadArraysAndDependencies) {
  const BadSpec cases[] = {
      {"no task",                [](v1::JobSpec& s) { s.mutable_array()->set_first(3); }                       },
      {"many tasks",             [](v1::JobSpec& s) { s.mutable_array()->set_count(1000 * 1000 + 1); }         },
      {"negative index",
       [](v1::JobSpec& s) {
         s.mutable_array()->set_count(3);
         s.mutable_array()->set_first(-1);
       }                                                                                                       },
      {"index beyond the bound",
       [](v1::JobSpec& s) {
         s.mutable_array()->set_count(1000);
         s.mutable_array()->set_step(100 * 1000 * 1000);
       }                                                                                                       },
      {"no kind",                [](v1::JobSpec& s) { s.add_dependencies()->set_job_id(1); }                   },
      {"no job",                 [](v1::JobSpec& s) { s.add_dependencies()->set_kind(v1::DEPENDENCY_KIND_OK); }},
      {"unknown kind",
       [](v1::JobSpec& s) { s.add_dependencies()->set_kind(static_cast<v1::DependencyKind>(99)); }             },
      {"begin",                  [](v1::JobSpec& s) { s.set_begin_time_us(-1); }                               },
  };
  for (const BadSpec& bad : cases) {
    ExpectRefused(bad, absl::StatusCode::kInvalidArgument);
  }
}

void AddRange(v1::JobSpec& spec, int first, int count, int step) {
  v1::IndexRange& range = *spec.mutable_array()->add_ranges();
  range.set_first(first);
  range.set_count(count);
  range.set_step(step);
}

TEST(ToSubmitJob, TakesSeveralRangesThatAscend) {
  v1::SubmitJobRequest request = GoodRequest();
  v1::JobSpec& spec = *request.mutable_spec();
  spec.mutable_array()->set_fails_max(2);
  AddRange(spec, 1, 1, 0);
  AddRange(spec, 3, 3, 2);
  const auto event = ToSubmitJob(request);
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(event->spec.array.count, 4);
  EXPECT_EQ(event->spec.array.fails_max, 2);
  EXPECT_EQ(IndexesText(RangesOf(event->spec.array)), "1,3-7:2");
  AddRange(spec, 7, 1, 1);
  EXPECT_FALSE(ToSubmitJob(request).ok());
  spec.mutable_array()->mutable_ranges()->RemoveLast();
  spec.mutable_array()->set_count(4);
  EXPECT_FALSE(ToSubmitJob(request).ok());
  spec.mutable_array()->set_count(0);
  spec.mutable_array()->set_fails_max(-1);
  EXPECT_FALSE(ToSubmitJob(request).ok());
}

TEST(ToProto, AnArrayTellsWhichTasksWereCancelledUnstarted) {
  JobRecord record;
  record.job.spec.array.count = 10;
  record.job.tasks = {.next = 4, .live = 3, .cancelled = 3};
  SetCancelled(record.job.spec.array, {
                                          IndexRange{2, 1, 1},
                                          IndexRange{6, 2, 2}
  });
  const v1::ArrayStatus array = ToProto(record, Cluster()).array();
  EXPECT_EQ(array.started(), 3);
  ASSERT_EQ(array.cancelled_unstarted_size(), 2);
  EXPECT_EQ(array.cancelled_unstarted(1).first(), 6);
  EXPECT_EQ(array.cancelled_unstarted(1).count(), 2);
  EXPECT_EQ(array.ranges_size(), 0);
}

// `values`: with commas between them.
void AddParameter(v1::JobSpec& spec, absl::string_view name, absl::string_view values) {
  v1::MatrixParameter& parameter = *spec.add_matrix();
  parameter.set_name(std::string(name));
  for (const absl::string_view value : absl::StrSplit(values, ',')) {
    parameter.add_values(std::string(value));
  }
}

TEST(ToSubmitJob, AMatrixHasATaskForEachCombination) {
  v1::SubmitJobRequest request = GoodRequest();
  v1::JobSpec& spec = *request.mutable_spec();
  AddParameter(spec, "lr", "1e-4,3e-4");
  AddParameter(spec, "seed", "1,2,3");
  EXPECT_EQ(ToSubmitJob(request)->spec.array.count, 6);
  spec.mutable_array()->set_first(3);
  spec.mutable_array()->set_count(3);
  EXPECT_EQ(ToSubmitJob(request)->spec.array.first, 3);
  spec.mutable_array()->set_count(4);
  const auto beyond = ToSubmitJob(request).status();
  EXPECT_EQ(beyond.message(), "task 6 of the array has no combination of parameters");
  EXPECT_EQ(FindDetail(beyond)->code, "B1231");
}

void AddManyCombinations(v1::JobSpec& spec) {
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g"}) {
    AddParameter(spec, name, "0,1,2,3,4,5,6,7,8,9");
  }
}

void AddSameNameTwice(v1::JobSpec& spec) {
  AddParameter(spec, "lr", "1");
  AddParameter(spec, "Lr", "2");
}

TEST(ToSubmitJob, RefusesBadMatrices) {
  const BadSpec cases[] = {
      {"name",        [](v1::JobSpec& s) { AddParameter(s, "l=r", "1"); }   },
      {"no value",    [](v1::JobSpec& s) { s.add_matrix()->set_name("lr"); }},
      {"empty value", [](v1::JobSpec& s) { AddParameter(s, "lr", "1,,2"); } },
      {"value twice", [](v1::JobSpec& s) { AddParameter(s, "lr", "1,1"); }  },
      {"control",     [](v1::JobSpec& s) { AddParameter(s, "lr", "1\n"); }  },
      {"name twice",  AddSameNameTwice                                      },
      {"too many",    AddManyCombinations                                   },
  };
  for (const BadSpec& bad : cases) {
    ExpectRefused(bad, absl::StatusCode::kInvalidArgument);
  }
}

TEST(ToSubmitJob, AnInteractiveJobHasNoMatrix) {
  v1::SubmitJobRequest request = GoodRequest();
  request.mutable_spec()->set_idle_ms(1000);
  request.mutable_spec()->mutable_gang()->set_nodes(1);
  EXPECT_TRUE(ToSubmitJob(request).ok());
  AddParameter(*request.mutable_spec(), "lr", "1");
  EXPECT_EQ(FindDetail(ToSubmitJob(request).status())->code, "B1230");
}

TEST(ToSubmitJob, RefusesBadKeysAndTenants) {
  v1::SubmitJobRequest request = GoodRequest();
  request.set_idempotency_key(std::string(129, 'k'));
  EXPECT_EQ(ToSubmitJob(request).status().code(), absl::StatusCode::kInvalidArgument);
  request.set_idempotency_key("a\nb");
  EXPECT_EQ(ToSubmitJob(request).status().code(), absl::StatusCode::kInvalidArgument);
  request.set_idempotency_key("");
  request.set_on_behalf_of_tenant("No Such");
  EXPECT_EQ(ToSubmitJob(request).status().code(), absl::StatusCode::kInvalidArgument);
}

// The hash must not depend on the order in which a client filled its maps.
TEST(ToSubmitPayload, IsTheSameForTheSameSpec) {
  v1::SubmitJobRequest forwards = GoodRequest();
  v1::SubmitJobRequest backwards = GoodRequest();
  for (int i = 0; i < 200; ++i) {
    (*forwards.mutable_spec()->mutable_environment())[absl::StrCat("V", i)] = "x";
    (*backwards.mutable_spec()->mutable_environment())[absl::StrCat("V", 199 - i)] = "x";
  }
  const SubmitPayload a = ToSubmitPayload(forwards);
  EXPECT_EQ(a.payload_hash, ToSubmitPayload(backwards).payload_hash);
  EXPECT_EQ(a.payload_hash, Sha256(a.payload));
  v1::JobSpec spec;
  ASSERT_TRUE(spec.ParseFromString(a.payload));
  EXPECT_EQ(spec.environment_size(), 200);
  backwards.mutable_spec()->set_comment("other");
  EXPECT_NE(a.payload_hash, ToSubmitPayload(backwards).payload_hash);
}

TEST(ToTaskReport, MakesTextsSafe) {
  v1::Report report;
  report.set_kind(v1::REPORT_KIND_REFUSED);
  report.set_refusal(v1::REFUSAL_LOCK_HELD);
  report.set_message("\x1b[2Jgone\n" + std::string(5000, 'x'));
  EXPECT_TRUE(CheckReport(report).ok());
  const TaskReport event = ToTaskReport(report);
  EXPECT_EQ(event.kind, ReportKind::kRefused);
  EXPECT_EQ(event.refusal, Refusal::kLockHeld);
  EXPECT_EQ(event.message.substr(0, 9), "?[2Jgone?");
  EXPECT_EQ(event.message.size(), 1024u);
}

TEST(CheckReport, RefusesUnknownKinds) {
  v1::Report report;
  EXPECT_FALSE(CheckReport(report).ok());
  report.set_kind(static_cast<v1::ReportKind>(99));
  EXPECT_FALSE(CheckReport(report).ok());
  report.set_kind(v1::REPORT_KIND_EXITED);
  EXPECT_TRUE(CheckReport(report).ok());
  report.set_rendezvous_port(70000);
  EXPECT_FALSE(CheckReport(report).ok());
}

TEST(ToProto, CarriesAnAssignment) {
  AssignTask task;
  task.allocation.id = AllocationId(5);
  task.allocation.job = JobId(6);
  task.allocation.attempt = 2;
  task.allocation.rank = 1;
  task.allocation.assign_seq = 9;
  task.allocation.devices = {
      {.index = 3, .milli = 1000, .uuid = "u3"}
  };
  task.device_classes = {"sim"};
  task.time_limit = absl::Hours(2);
  task.grace = absl::Seconds(30);
  task.node_count = 2;
  task.payload = "spec";
  const v1::SchedulerMessage message =
      ToProto(NodeCommand{.node = NodeId(1), .session = SessionId(2), .kind = task});
  ASSERT_EQ(message.assign().assignments_size(), 1);
  const v1::Assignment& assignment = message.assign().assignments(0);
  EXPECT_EQ(assignment.allocation_id(), 5u);
  EXPECT_EQ(assignment.assign_seq(), 9);
  EXPECT_EQ(assignment.rank(), 1);
  EXPECT_EQ(assignment.devices(0).uuid(), "u3");
  EXPECT_EQ(assignment.devices(0).device_class(), "sim");
  EXPECT_EQ(assignment.job_spec_sha256(), Sha256("spec"));
  EXPECT_EQ(assignment.time_limit_ms(), 2 * 3600 * 1000);
}

TEST(Text, MakePlainKeepsWholeCharacters) {
  EXPECT_EQ(MakePlain("h\xc3\xa9llo", 2), "h");
  EXPECT_EQ(MakePlain("h\xc3\xa9llo", 3), "h\xc3\xa9");
  EXPECT_EQ(MakePlain("a\xff"
                      "b\tc",
                      10),
            "a?b?c");
  EXPECT_FALSE(IsUtf8("\xed\xa0\x80"));
  EXPECT_FALSE(IsUtf8("\xc0\xaf"));
  EXPECT_FALSE(IsUtf8("\xf4\x90\x80\x80"));
  EXPECT_TRUE(IsUtf8("\xf0\x9f\x98\x80"));
}

TEST(ToQuotaLimits, BlocksHaveALevelAndANumber) {
  v1::QuotaLimits limits;
  limits.set_entitlement(48);
  limits.set_block_level("node");
  limits.set_block_level_count(6);
  auto blocks = ToQuotaLimits(limits);
  ASSERT_TRUE(blocks.ok()) << blocks.status();
  EXPECT_EQ(blocks->block_level, TopologyLevel::kNone);
  EXPECT_EQ(blocks->block_count, 6);
  limits.set_block_level("rack");
  EXPECT_EQ(ToQuotaLimits(limits)->block_level, TopologyLevel::kRack);
  limits.set_block_level("ring");
  EXPECT_EQ(ToQuotaLimits(limits).status().code(), absl::StatusCode::kInvalidArgument);
  limits.set_block_level("");
  EXPECT_EQ(ToQuotaLimits(limits).status().code(), absl::StatusCode::kInvalidArgument);
  limits.set_block_level("pod");
  limits.set_block_level_count(0);
  EXPECT_EQ(ToQuotaLimits(limits).status().code(), absl::StatusCode::kInvalidArgument);
}

// A certificate can be checked by who lost a job, without learning who the others are.
TEST(ToProtoReclaim, NamesOnlyWhatTheActorMaySee) {
  Cluster cluster;
  Tenant owner;
  owner.name = "owner";
  Tenant borrower;
  borrower.name = "borrower";
  Reclaim reclaim;
  reclaim.id = ReclaimId(1);
  reclaim.tenant = cluster.AddTenant(owner);
  reclaim.claim = JobId(9);
  reclaim.entitlement = 16;
  reclaim.candidates.resize(2);
  reclaim.candidates[0].tenant = cluster.AddTenant(borrower);
  reclaim.candidates[0].job = JobId(4);
  reclaim.candidates[0].devices = 8;
  reclaim.candidates[1].tenant = reclaim.tenant;
  reclaim.candidates[1].job = JobId(5);
  Actor member;
  member.tenant = reclaim.candidates[0].tenant;
  const v1::Reclaim seen = ToProto(reclaim, member, cluster);
  EXPECT_EQ(seen.tenant(), "another tenant");
  EXPECT_EQ(seen.claim_job_id(), 0u);
  EXPECT_EQ(seen.entitlement(), 16);
  EXPECT_EQ(seen.candidates(0).tenant(), "borrower");
  EXPECT_EQ(seen.candidates(0).job_id(), 4u);
  EXPECT_EQ(seen.candidates(0).devices(), 8);
  EXPECT_EQ(seen.candidates(1).tenant(), "another tenant");
  EXPECT_EQ(seen.candidates(1).job_id(), 0u);
  Actor operator_actor;
  operator_actor.role = Role::kOperator;
  const v1::Reclaim all = ToProto(reclaim, operator_actor, cluster);
  EXPECT_EQ(all.tenant(), "owner");
  EXPECT_EQ(all.claim_job_id(), 9u);
  EXPECT_EQ(all.candidates(1).job_id(), 5u);
}

TEST(CheckFacts, ADeviceIsNotOnOfferBesideAPartOfItself) {
  v1::NodeFacts facts;
  for (int index = 0; index < 2; ++index) {
    v1::Device& device = *facts.add_devices();
    device.set_index(index);
    device.set_uuid(absl::StrCat("GPU-", index));
    device.set_device_class("gpu");
    device.set_kind(v1::DEVICE_KIND_NVIDIA);
  }
  EXPECT_TRUE(CheckFacts(facts).ok()) << CheckFacts(facts);
  facts.mutable_devices(1)->set_part_of("GPU-2");
  EXPECT_TRUE(CheckFacts(facts).ok()) << CheckFacts(facts);
  for (const std::string& whole :
       {std::string("GPU-0"), std::string("GPU\n"), std::string(1 << 20, 'x')}) {
    facts.mutable_devices(1)->set_part_of(whole);
    EXPECT_FALSE(CheckFacts(facts).ok()) << whole.substr(0, 9);
  }
}

}  // namespace
}  // namespace berth
