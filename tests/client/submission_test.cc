#include "client/submission.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include <gtest/gtest.h>

#include "client/job_options.h"
#include "common/error_detail.h"
#include "tests/client/script_file.h"

namespace berth {
namespace {

const Environment& TestEnvironment() {
  static const Environment* const environment = new Environment{
      {"HF_TOKEN", "secret"}
  };
  return *environment;
}

absl::StatusOr<Submission> Make(const std::vector<std::string>& words) {
  const auto arguments = ParseArguments(ToWords(words), {JobOptions()});
  if (!arguments.ok()) {
    return arguments.status();
  }
  return MakeSubmission(*arguments, {.folder = "/home/wei/code",
                                     .project = "default-project",
                                     .environment = &TestEnvironment()});
}

v1::JobSpec SpecOf(const std::vector<std::string>& words) {
  const auto submission = Make(words);
  EXPECT_TRUE(submission.ok()) << submission.status();
  return submission.ok() ? submission->request.spec() : v1::JobSpec();
}

TEST(Submission, HasTheDefaultsOfASmallJob) {
  const v1::JobSpec spec = SpecOf({"--", "/usr/bin/python", "x.py"});
  EXPECT_EQ(spec.name(), "python");
  EXPECT_EQ(spec.project(), "default-project");
  EXPECT_EQ(spec.gang().nodes(), 1);
  EXPECT_EQ(spec.gang().devices_per_node(), 1);
  EXPECT_EQ(spec.time_limit_ms(), 0);
  EXPECT_EQ(spec.grace_ms(), 0);
  EXPECT_TRUE(spec.requeue().on_node_fault());
  EXPECT_TRUE(spec.requeue().on_preempt());
  EXPECT_FALSE(spec.requeue().on_error());
  EXPECT_EQ(spec.requeue().max_requeues(), 5);
  EXPECT_EQ(spec.environment_size(), 0);
}

// The words of one line, as a shell would split it.
v1::JobSpec SpecOfLine(const std::string& line) {
  std::vector<std::string> words;
  const auto split = SplitShellWords(line, {});
  EXPECT_TRUE(split.ok()) << split.status();
  for (const Word& word : split.value_or(std::vector<Word>())) {
    words.push_back(word.text);
  }
  return SpecOf(words);
}

TEST(Submission, ReadsTheShapeOfTheGang) {
  const v1::JobSpec spec = SpecOfLine(
      "-N4 -d 8 --class 'a|b' --cpus 1.5 --memory=2GiB --exclude n1,n2 --exclude n[2-3] "
      "--label zone=east -- true");
  EXPECT_EQ(spec.gang().nodes(), 4);
  EXPECT_EQ(spec.gang().devices_per_node(), 8);
  EXPECT_EQ(spec.gang().device_classes(1), "b");
  EXPECT_EQ(spec.gang().per_node().cpu_milli(), 1500);
  EXPECT_EQ(spec.gang().per_node().memory_mib(), 2048);
  EXPECT_EQ(spec.gang().excluded_nodes_size(), 3);
  EXPECT_EQ(spec.gang().node_labels().at("zone"), "east");
}

// Rule: a relative folder is the caller's and is uploaded, an absolute one is of the nodes.
TEST(Submission, ARelativeFolderIsUploaded) {
  const auto upload = [](std::vector<std::string> words) {
    words.insert(words.end(), {"--", "true"});
    const auto submission = Make(words);
    EXPECT_TRUE(submission.ok()) << submission.status();
    EXPECT_EQ(submission->request.spec().workdir_sha256(), "");
    return absl::StrCat(submission->upload_folder, " ",
                        submission->request.spec().working_directory(), " ",
                        submission->upload_bytes_max >> 20);
  };
  EXPECT_EQ(upload({"--workdir", "."}), "/home/wei/code  200");
  EXPECT_EQ(upload({"--workdir", "../data/.", "--upload-max", "1GiB"}), "/home/wei/data  1024");
  EXPECT_EQ(upload({"--workdir", "/data/./x"}), " /data/x 200");
  EXPECT_EQ(upload({}), "  200");
}

TEST(Submission, ReadsWhatTheTasksGet) {
  const v1::JobSpec spec = SpecOfLine(
      "--name='x y' --project p --env A=b=c --env HF_TOKEN --workdir /data/../sets/. --launch "
      "device "
      "--stop-signal usr1 --comment c -- true");
  EXPECT_EQ(spec.name(), "x y");
  EXPECT_EQ(spec.project(), "p");
  EXPECT_EQ(spec.environment().at("A"), "b=c");
  EXPECT_EQ(spec.environment().at("HF_TOKEN"), "secret");
  EXPECT_EQ(spec.working_directory(), "/sets");
  EXPECT_EQ(spec.launch(), v1::LAUNCH_MODE_DEVICE);
  EXPECT_EQ(spec.stop_signal(), "SIGUSR1");
  EXPECT_EQ(spec.comment(), "c");
}

TEST(Submission, ReadsTimesAndPolicies) {
  const v1::JobSpec spec = SpecOfLine(
      "-t 36h --grace 10m --priority -3 --requeue error --max-requeues 2 --requeue-exit 75 "
      "--on-node-loss hold --lease 2h --hold --no-borrow --no-preempt -- true");
  EXPECT_EQ(spec.time_limit_ms(), 36 * 3600 * 1000);
  EXPECT_EQ(spec.grace_ms(), 600'000);
  EXPECT_EQ(spec.priority(), -3);
  EXPECT_FALSE(spec.requeue().on_node_fault());
  EXPECT_TRUE(spec.requeue().on_error());
  EXPECT_EQ(spec.requeue().max_requeues(), 2);
  EXPECT_EQ(spec.requeue().exit_codes(0), 75);
  EXPECT_EQ(spec.on_node_loss(), v1::NODE_LOSS_POLICY_HOLD);
  EXPECT_EQ(spec.lease_ms(), 7'200'000);
  EXPECT_TRUE(spec.hold());
  EXPECT_TRUE(spec.no_borrow());
  EXPECT_TRUE(spec.not_preemptible());
}

TEST(Submission, TheCommandLineReplacesSingleValuesAndAddsToLists) {
  const ScriptFile script(
      "#!/bin/sh\n#BERTH --nodes 2 --name file --env A=1 --env B=1 --hold --no-borrow\necho\n");
  const v1::JobSpec spec =
      SpecOf({script.path(), "--nodes", "3", "--env", "B=2", "--no-hold", "--", "arg"});
  EXPECT_FALSE(spec.hold());
  EXPECT_TRUE(spec.no_borrow());
  EXPECT_EQ(spec.gang().nodes(), 3);
  EXPECT_EQ(spec.name(), "file");
  EXPECT_EQ(spec.environment().at("A"), "1");
  EXPECT_EQ(spec.environment().at("B"), "2");
  EXPECT_EQ(spec.command_size(), 1);
  EXPECT_EQ(spec.command(0), "arg");
  EXPECT_EQ(spec.script().substr(0, 9), "#!/bin/sh");
}

TEST(Submission, AnErrorInTheFileNamesLineColumnAndShowsIt) {
  const ScriptFile script("#!/bin/sh\n#BERTH --devcies 8\necho\n");
  const auto submission = Make({script.path()});
  EXPECT_EQ(submission.status().message(), script.path() + ":2:8: unknown option \"--devcies\"");
  const auto detail = FindDetail(submission.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->why,
            (std::vector<std::string>{"2 | #BERTH --devcies 8", "  |        ^^^^^^^^^"}));
  EXPECT_EQ(detail->fix, std::vector<std::string>{"did you mean --devices?"});
}

TEST(Submission, AValueInTheFileIsPointedAt) {
  const ScriptFile script("#BERTH --time 90\necho\n");
  const absl::Status status = Make({script.path()}).status();
  EXPECT_EQ(status.message(), script.path() + ":1:15: --time: \"90\" has no unit");
  EXPECT_EQ(FindDetail(status)->why.at(1), "  |               ^^");
}

TEST(Submission, DirectivesAreOptionsOfTheJobOnly) {
  for (const char* line : {"#BERTH --dry-run", "#BERTH --tenant x", "#BERTH --parsable",
                           "#BERTH word", "#BERTH -- x"}) {
    const ScriptFile script(std::string(line) + "\necho\n");
    EXPECT_EQ(Make({script.path()}).status().code(), absl::StatusCode::kInvalidArgument) << line;
  }
}

// A part of a thousandth counts as one; what the machine makes of a decimal number does not.
TEST(Submission, TakesCoresByTheThousandth) {
  for (const auto& [text, cpu_milli] : {
           std::pair{"2.007",     2007    },
           std::pair{"65535.999", 65535999},
           std::pair{"0.0005",    1       },
           std::pair{"1e-300",    1       }
  }) {
    const auto submission = Make({"--cpus", text, "--", "a"});
    ASSERT_TRUE(submission.ok()) << submission.status();
    EXPECT_EQ(submission->request.spec().gang().per_node().cpu_milli(), cpu_milli) << text;
  }
}

TEST(Submission, RefusesAbsurdValues) {
  for (const char* line : {"--nodes -1",
                           "--nodes 0",
                           "--nodes 5000",
                           "--nodes 1e3",
                           "--nodes 99999999999999999999",
                           "--devices -1",
                           "--devices 65",
                           "--devices '1;2'",
                           "--cpus nan",
                           "--cpus -2",
                           "--cpus 1e308",
                           "--memory -1G",
                           "--memory 0G",
                           "--memory 64",
                           "--time 0s",
                           "--time -1h",
                           "--time 12:30:00",
                           "--priority 1001",
                           "--env =x",
                           "--env 1A=x",
                           "--env NOT_SET",
                           "--launch both",
                           "--requeue sometimes",
                           "--requeue ''",
                           "--requeue-exit 256",
                           "--on-node-loss x",
                           "--label x",
                           "--stop-signal KILL",
                           "--name ''",
                           "--name a\x1b[2J",
                           "--name \xff",
                           "--class 'a||b'",
                           "--exclude a,,b",
                           "--workdir ''",
                           "--hold=yes",
                           "--node 2",
                           "-x",
                           "--max-requeues -1"}) {
    const auto split = SplitShellWords(absl::StrCat(line, " -- true"), {});
    ASSERT_TRUE(split.ok()) << line;
    std::vector<std::string> words;
    for (const Word& word : *split) {
      words.push_back(word.text);
    }
    EXPECT_EQ(Make(words).status().code(), absl::StatusCode::kInvalidArgument) << line;
  }
  EXPECT_EQ(Make({"--nodes"}).status().message(), "--nodes needs a value");
}

TEST(Submission, NothingToRunIsAnError) {
  EXPECT_EQ(Make({}).status().message(), "there is nothing to run");
  EXPECT_FALSE(Make({"--"}).ok());
  EXPECT_FALSE(Make({"--", ""}).ok());
  const ScriptFile script("echo\n");
  EXPECT_NE(Make({script.path(), "more"}).status().message().find("unexpected word \"more\""),
            absl::string_view::npos);
}

TEST(NewIdempotencyKey, IsUniqueAndSortsByTime) {
  std::set<std::string> keys;
  const absl::Time now = absl::Now();
  for (int i = 0; i < 1000; ++i) {
    keys.insert(NewIdempotencyKey(now));
  }
  EXPECT_EQ(keys.size(), 1000u);
  EXPECT_LT(NewIdempotencyKey(now), NewIdempotencyKey(now + absl::Seconds(1)));
}

TEST(Submission, ArraysHaveARangeAStepAndABound) {
  const v1::ArraySpec all = SpecOf({"--array", "0-99%8", "--", "true"}).array();
  EXPECT_EQ(all.first(), 0);
  EXPECT_EQ(all.count(), 100);
  EXPECT_EQ(all.step(), 1);
  EXPECT_EQ(all.concurrent_max(), 8);
  const v1::ArraySpec odd = SpecOf({"--array", "1-10:3", "--", "true"}).array();
  EXPECT_EQ(odd.count(), 4);
  EXPECT_EQ(odd.step(), 3);
  EXPECT_EQ(odd.concurrent_max(), 0);
  EXPECT_EQ(SpecOf({"--array", "7", "--", "true"}).array().count(), 1);
  const v1::ArraySpec several =
      SpecOf({"--array", "1,3,5-9:2%2", "--max-fails", "3", "--", "true"}).array();
  ASSERT_EQ(several.ranges_size(), 3);
  EXPECT_EQ(several.ranges(2).first(), 5);
  EXPECT_EQ(several.ranges(2).count(), 3);
  EXPECT_EQ(several.ranges(2).step(), 2);
  EXPECT_EQ(several.count(), 0);
  EXPECT_EQ(several.concurrent_max(), 2);
  EXPECT_EQ(several.fails_max(), 3);
  EXPECT_FALSE(SpecOf({"--", "true"}).has_array());
}

std::vector<std::string> ValuesOf(const v1::MatrixParameter& parameter) {
  return {parameter.values().begin(), parameter.values().end()};
}

TEST(Submission, AMatrixIsAnArrayOfAllCombinations) {
  const v1::JobSpec spec =
      SpecOf({"--matrix", "lr=1e-4,3e-4", "--matrix", "seed=1..3,7", "--", "true"});
  ASSERT_EQ(spec.matrix_size(), 2);
  EXPECT_EQ(spec.matrix(0).name(), "lr");
  EXPECT_EQ(ValuesOf(spec.matrix(0)), (std::vector<std::string>{"1e-4", "3e-4"}));
  EXPECT_EQ(ValuesOf(spec.matrix(1)), (std::vector<std::string>{"1", "2", "3", "7"}));
  EXPECT_EQ(spec.array().first(), 0);
  EXPECT_EQ(spec.array().count(), 8);
  EXPECT_EQ(spec.array().concurrent_max(), 0);
}

TEST(Submission, ARangeSelectsAmongTheCombinationsOfAMatrix) {
  const std::vector<std::string> seeds = {"--matrix", "seed=-1..4", "--array"};
  const auto array_of = [&seeds](const std::string& range) {
    std::vector<std::string> words = seeds;
    words.insert(words.end(), {range, "--", "true"});
    return SpecOf(words).array();
  };
  EXPECT_EQ(array_of("%4").count(), 6);
  EXPECT_EQ(array_of("%4").concurrent_max(), 4);
  EXPECT_EQ(array_of("2-5:3%1").first(), 2);
  EXPECT_EQ(array_of("2-5:3%1").count(), 2);
  EXPECT_EQ(Make({"--matrix", "seed=1..6", "--array", "0-6", "--", "true"}).status().message(),
            "--array: \"0-6\" goes beyond the matrix, which has 6 combinations");
}

TEST(Submission, ValuesOfAMatrixStayAsTheyAreWritten) {
  EXPECT_EQ(ValuesOf(SpecOf({"--matrix", "p=a=b, c ,../d,x..y,1.50", "--", "true"}).matrix(0)),
            (std::vector<std::string>{"a=b", " c ", "../d", "x..y", "1.50"}));
}

TEST(Submission, TheCommandLineReplacesAParameterOfTheFile) {
  const ScriptFile file("#!/bin/sh\n#BERTH --matrix lr=1,2 --matrix seed=1..3\ntrue\n");
  const v1::JobSpec spec = SpecOf({file.path(), "--matrix", "LR=5"});
  ASSERT_EQ(spec.matrix_size(), 2);
  EXPECT_EQ(spec.matrix(0).name(), "LR");
  EXPECT_EQ(ValuesOf(spec.matrix(0)), (std::vector<std::string>{"5"}));
  EXPECT_EQ(spec.array().count(), 3);
}

TEST(Submission, GangsMayShrinkShareAndStandTogether) {
  const v1::JobSpec spec =
      SpecOf({"--nodes", "8", "--min-nodes", "2", "--topology", "same-leaf:require", "--", "true"});
  EXPECT_EQ(spec.gang().min_nodes(), 2);
  EXPECT_EQ(spec.gang().topology().level(), v1::TopologyRequest::LEVEL_RACK);
  EXPECT_TRUE(spec.gang().topology().required());
  const v1::JobSpec share =
      SpecOf({"--device-share", "0.25", "--topology", "same-ring", "--", "x"});
  EXPECT_EQ(share.gang().device_share_milli(), 250);
  EXPECT_EQ(share.gang().topology().level(), v1::TopologyRequest::LEVEL_RING);
  EXPECT_FALSE(share.gang().topology().required());
}

TEST(Submission, DependenciesKeepTheirWords) {
  const auto submission = Make({"--after", "ok:4811,any:last", "--after", "@tokenize", "--", "x"});
  ASSERT_TRUE(submission.ok()) << submission.status();
  ASSERT_EQ(submission->after.size(), 3u);
  EXPECT_EQ(submission->after[0].kind, v1::DEPENDENCY_KIND_OK);
  EXPECT_EQ(submission->after[0].jobs.text, "4811");
  EXPECT_EQ(submission->after[1].kind, v1::DEPENDENCY_KIND_ANY);
  EXPECT_EQ(submission->after[1].jobs.text, "last");
  EXPECT_EQ(submission->after[2].kind, v1::DEPENDENCY_KIND_OK);
  EXPECT_EQ(submission->after[2].jobs.text, "@tokenize");
}

TEST(Submission, ABeginTimeIsStillToCome) {
  const int64_t now_us = absl::ToUnixMicros(absl::Now());
  const int64_t begin_us = SpecOf({"--begin", "+1h", "--", "x"}).begin_time_us();
  EXPECT_GE(begin_us, now_us + int64_t{3600} * 1000 * 1000);
  EXPECT_LE(begin_us, now_us + int64_t{2 * 3600} * 1000 * 1000);
}

// Every one is a usage error that names its option.
TEST(Submission, RefusesBadPlacesAndTimes) {
  const std::vector<std::vector<std::string>> cases = {
      {"--min-nodes", "3",             "--nodes", "2"},
      {"--min-nodes",          "0"                        },
      {"--device-share", "1"},
      {"--device-share",          "0.0001"                                 },
      {"--device-share","half"},
      {"--device-share",            "0.5",                                                  "--devices", "2"},
      {"--topology","same-room"},
      {"--topology",             "same-rack:must"                },
      {"--array",             "9-3"                                                                 },
      {"--array",             "0-9%0"   },
      {"--array",             "0-9:0"},
      {"--array",             "a-b"                },
      {"--array",             "-1-3"                                                                 },
      {"--array",             "0-1000000"   },
      {"--array",             "%4"},
      {"--array",             "1,1"                },
      {"--array",             "3,1-5"                                                                 },
      {"--array",             "1,,2"   },
      {"--max-fails",             "1"},
      {"--array",             "%"            },
      {"--matrix",             "lr"                                                                 },
      {"--matrix",             "=1"      },
      {"--matrix",             "l-r=1"},
      {"--matrix",             "lr="            },
      {"--matrix",             "lr=1,,2"                                                                 },
      {"--matrix",             "lr=1,1"      },
      {"--matrix",             "seed=3..1"},
      {"--matrix",             "seed=01..03"            },
      {"--matrix",             "seed=0..9223372036854775807"                                                                 },
      {"--matrix",             "seed=1..20000"      },
      {"--matrix",             "seed=1\n"},
      {"--after",             "when:3"            },
      {"--after",             "ok:"                                                                  },
      {"--begin",             "yesterday"       },
      {"--begin",             "2020-01-01"},
  };
  for (std::vector<std::string> words : cases) {
    const std::string option = words[0];
    words.insert(words.end(), {"--", "true"});
    const auto submission = Make(words);
    EXPECT_EQ(submission.status().code(), absl::StatusCode::kInvalidArgument) << words[1];
    EXPECT_NE(submission.status().message().find(option + ": "), absl::string_view::npos)
        << submission.status();
  }
}

}  // namespace
}  // namespace berth
