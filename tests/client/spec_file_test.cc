#include "client/spec_file.h"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include <gtest/gtest.h>

#include "client/job_options.h"
#include "client/submission.h"
#include "client/text.h"
#include "common/error_detail.h"
#include "tests/client/fake_scheduler.h"
#include "tests/client/sample_job.h"
#include "tests/client/script_file.h"

namespace berth {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

absl::StatusOr<Submission> MakeAt(const std::vector<std::string>& words) {
  static const Environment* const environment = new Environment;
  const auto arguments = ParseArguments(ToWords(words), {JobOptions()});
  if (!arguments.ok()) {
    return arguments.status();
  }
  return MakeSubmission(
      *arguments,
      {.folder = "/home/wei", .project = "default", .environment = environment, .now = kNow});
}

// What is submitted with a file that says what `spec` does.
v1::JobSpec SubmittedAgain(const v1::JobSpec& spec, const std::vector<std::string>& more = {}) {
  const ScriptFile file(FormatSpecFile(spec, kNow));
  std::vector<std::string> words = {file.path()};
  words.insert(words.end(), more.begin(), more.end());
  const auto submission = MakeAt(words);
  EXPECT_TRUE(submission.ok()) << submission.status() << FormatSpecFile(spec, kNow);
  return submission.ok() ? submission->request.spec() : v1::JobSpec();
}

// Values of every option that a file may have, of which each alone and as many as go together are
// submitted.
const std::map<std::string, std::vector<std::string>>& Samples() {
  static const auto* const samples = new std::map<std::string, std::vector<std::string>>{
      {"name",         {"a \"b\" 作业"}                   },
      {"project",      {"llm"}                              },
      {"nodes",        {"4"}                                },
      {"devices",      {"0", "8"}                           },
      {"min-nodes",    {"1"}                                },
      {"device-share", {"0.001", "0.375"}                   },
      {"topology",     {"same-rack:require", "same-pod"}    },
      {"class",        {"a", "a|b"}                         },
      {"cpus",         {"1.5", "65535.999", "16"}           },
      {"memory",       {"1537MiB", "64GiB"}                 },
      {"disk",         {"200GiB"}                           },
      {"time",         {"36h", "90061s", "1500ms"}          },
      {"grace",        {"5m"}                               },
      {"stop-signal",  {"USR1"}                             },
      {"priority",     {"-1000", "7"}                       },
      {"env",          {"A=", "B=x y\n'\"=\\", "C=\x01\x7f"}},
      {"workdir",      {"/data"}                            },
      {"image",        {"registry.example/a:1"}             },
      {"stdin",        {""}                                 },
      {"no-stdin",     {""}                                 },
      {"launch",       {"node", "device"}                   },
      {"requeue",      {"none", "error,preempt"}            },
      {"max-requeues", {"0", "7"}                           },
      {"requeue-exit", {"75", "76"}                         },
      {"on-node-loss", {"requeue", "hold", "fail"}          },
      {"lease",        {"2h"}                               },
      {"array",        {"0-99%8", "1,3,5-9:2", "7"}         },
      {"matrix",       {"lr=1e-4,3e-4, x", "seed=1..3,7"}   },
      {"begin",        {"+2h"}                              },
      {"hold",         {""}                                 },
      {"no-hold",      {""}                                 },
      {"no-borrow",    {""}                                 },
      {"borrow",       {""}                                 },
      {"no-preempt",   {""}                                 },
      {"preempt",      {""}                                 },
      {"exclude",      {"n1,n2", "n3"}                      },
      {"label",        {"zone=east", "rack=a=b"}            },
      {"comment",      {"kept"}                             },
  };
  return *samples;
}

TEST(SpecFile, SubmitsTheSameAgainForEveryOption) {
  // --after and --max-fails have tests of their own; --upload-max says nothing about the job.
  const std::set<std::string> apart = {"after", "max-fails", "upload-max"};
  std::vector<std::string> together;
  for (const Option& option : JobOptions()) {
    if (option.command_line_only || apart.count(option.name) > 0) {
      continue;
    }
    const auto sample = Samples().find(option.name);
    ASSERT_NE(sample, Samples().end()) << "no sample of --" << option.name;
    for (const std::string& value : sample->second) {
      const std::string word = absl::StrCat("--", option.name, option.value == nullptr ? "" : "=");
      const auto made = MakeAt({absl::StrCat(word, value), "--", "./run", "", "it's"});
      ASSERT_TRUE(made.ok()) << made.status();
      EXPECT_EQ(SubmittedAgain(made->request.spec()).DebugString(),
                made->request.spec().DebugString());
      if (option.repeatable || value == sample->second.back()) {
        together.push_back(absl::StrCat(word, value));
      }
    }
  }
  std::erase_if(together, [](const std::string& word) {
    return word == "--array=7" || word == "--device-share=0.375";
  });
  together.insert(together.end(), {"--array=%3", "--max-fails=2", "--", "./run"});
  const auto made = MakeAt(together);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->request.spec().array().count(), 12);
  EXPECT_EQ(SubmittedAgain(made->request.spec()).DebugString(), made->request.spec().DebugString());
}

TEST(SpecFile, KeepsWhatNoOptionSays) {
  v1::JobSpec spec = MakeAt({"--", "a", "b"})->request.spec();
  spec.set_workdir_sha256(std::string(31, '\x7f') + '\x01');
  spec.set_idle_ms(90'000);
  EXPECT_EQ(SubmittedAgain(spec).DebugString(), spec.DebugString());
  for (const std::string script : {"#!/bin/sh\n#BERTH --nodes 7\necho \t\"é\"\r\n", "caf\xe9\n"}) {
    spec.set_script(script);
    EXPECT_EQ(SubmittedAgain(spec).DebugString(), spec.DebugString());
  }
  spec.set_begin_time_us(absl::ToUnixMicros(kNow) - 1);
  EXPECT_EQ(SubmittedAgain(spec).begin_time_us(), 0);
}

// Rule: no job changes the terminal of who looks at it.
TEST(SpecFile, ShowsControlCharactersAsEscapes) {
  v1::JobSpec spec = MakeAt({"--env=A=\x1b[2J\x7f\xc2\x9b"
                             "2J",
                             "--", "a"})
                         ->request.spec();
  spec.set_script(
      "echo \xc2\x9b"
      "2J\xc2\xa0é");
  const std::string text = FormatSpecFile(spec, kNow);
  EXPECT_NE(text.find(R"(A=\u001b[2J\u007f\u009b2J)"), std::string::npos) << text;
  const std::string line = absl::StrReplaceAll(text, {
                                                         {"\n", ""}
  });
  EXPECT_EQ(CleanText(line), line);
  EXPECT_EQ(SubmittedAgain(spec).DebugString(), spec.DebugString());
}

TEST(SpecFile, TheCommandLineChangesIt) {
  v1::JobSpec spec = MakeAt({"--nodes=2", "--env=A=1", "--env=B=1", "--", "a"})->request.spec();
  spec.set_workdir_sha256(std::string(32, 'x'));
  const v1::JobSpec changed =
      SubmittedAgain(spec, {"--nodes=3", "--env=B=2", "--workdir=/data", "--", "b", "c"});
  EXPECT_EQ(changed.gang().nodes(), 3);
  EXPECT_EQ(changed.environment().at("A"), "1");
  EXPECT_EQ(changed.environment().at("B"), "2");
  EXPECT_EQ(changed.command(1), "c");
  EXPECT_EQ(changed.working_directory(), "/data");
  EXPECT_EQ(changed.workdir_sha256(), "");
}

TEST(SpecFile, OfAJobIsWhatRetrySubmits) {
  FakeScheduler scheduler;
  v1::Job& job = scheduler.service.jobs[4790] = RunningJob(4790);
  job.set_state(v1::JOB_STATE_FAILED);
  job.set_priority(7);
  job.set_array_id(4799);
  job.set_array_index(3);
  v1::JobSpec& spec = scheduler.service.spec;
  spec.mutable_array()->set_count(6);
  spec.mutable_array()->set_fails_max(2);
  v1::Dependency& dependency = *spec.add_dependencies();
  dependency.set_kind(v1::DEPENDENCY_KIND_ANY);
  dependency.set_job_id(4711);
  const Outcome shown = scheduler.Run({"show", "4790", "--spec"});
  ASSERT_EQ(shown.code, 0) << shown.err;
  const ScriptFile file(shown.out);
  EXPECT_EQ(scheduler.Run({"submit", file.path()}).code, 0);
  EXPECT_EQ(scheduler.Run({"retry", "4790"}).code, 0);
  ASSERT_EQ(scheduler.service.submissions.size(), 2u);
  v1::JobSpec submitted = scheduler.service.submissions[0].spec();
  EXPECT_EQ(submitted.array().first(), 3);
  EXPECT_EQ(submitted.dependencies(0).job_id(), 4711u);
  EXPECT_EQ(submitted.DebugString(), scheduler.service.submissions[1].spec().DebugString());
}

TEST(SpecFile, OfAJobWhoseVariablesAreNotToldIsRefused) {
  FakeScheduler scheduler;
  scheduler.service.jobs[7] = RunningJob(7);
  (*scheduler.service.spec.mutable_environment())["TOKEN"] = "(redacted)";
  const Outcome shown = scheduler.Run({"show", "7", "--spec"});
  EXPECT_EQ(shown.code, 4);
  EXPECT_EQ(shown.out, "");
}

// Every one is an error in the file, which it names.
TEST(SpecFile, RefusesWhatIsNone) {
  std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"device": 8})",                             R"("device" is no option of a job)"  },
      {R"({"nodes": 1, "nodes": 2})",                  R"("nodes" stands there twice)"      },
      {R"({"nodes": [1]})",                            R"("nodes" is a list)"               },
      {R"({"nodes": {"a": 1}})",                       R"("nodes" is an object)"            },
      {R"({"nodes": null})",                           R"("nodes" has no value)"            },
      {R"({"nodes": true})",                           R"("nodes" is true or false)"        },
      {R"({"hold": "yes"})",                           R"("hold" is a switch)"              },
      {R"({"env": [["A=1"]]})",                        R"("env" is a list in a list)"       },
      {R"({"command": ["a", true]})",                  R"("command" is true or false)"      },
      {R"({"command": [1]})",                          R"("command" is a number)"           },
      {R"({"command": "a b"})",                        R"("command" is one text)"           },
      {R"({"time": 90})",                              R"(--time: "90" has no unit)"        },
      {R"({"tenant": "acme"})",                        R"("tenant" works on the command )"  },
      {R"({"idle": "soon"})",                          R"("idle" is no length of time)"     },
      {R"({"workdir-sha256": "abc"})",                 R"("workdir-sha256" is no SHA-256)"  },
      {R"({"script-base64": "*"})",                    R"("script-base64" is no base64)"    },
      {R"({"schema": "berth/v1", "kind": "JobList"})", R"("kind" is JobList, not JobSpec)"  },
      {R"({})",                                        "the command is empty"               },
      {"{\n  \"nodes\": 2,\n  \"name\": x\n}",         ":3:11: this is no JSON from here on"},
      {"{\"nodes\": 2",                                ":1:11: this is no JSON"             },
      {"{\"a" + std::string(20'000,                    '['),                                  "this is no JSON"},
      {"{\"env\": " + std::string(20'000,                                              '['),                                                   R"("env" is a list in a list)"},
      {"{\"name\": \"x\n\"}",                ":1:12: this is no JSON"  },
      {"{\"name\": \"\xff\"}",       "this is no JSON"                                         },
  };
  cases.emplace_back(absl::StrCat(R"({"script": ")", std::string((1 << 20) + 1, 'x'), "\"}"),
                     "\"script\" is larger than 1 MiB");
  cases.emplace_back("{\"name\": " + std::string(4 << 20, ' '), "is larger than 4 MiB");
  for (const auto& [text, message] : cases) {
    const ScriptFile file(text);
    const absl::Status status = MakeAt({file.path()}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text.substr(0, 100);
    EXPECT_NE(status.message().find(message), absl::string_view::npos) << status;
  }
  const std::string sha256(64, 'a');
  for (const std::string& both :
       {absl::StrCat(R"("workdir": ".", "workdir-sha256": ")", sha256, "\""),
        std::string(R"("script": "a", "script-base64": "YQ==")"),
        std::string(R"("class": "a", "model": "b")")}) {
    const ScriptFile file(absl::StrCat(R"({"command": ["a"], )", both, "}"));
    EXPECT_NE(MakeAt({file.path()}).status().message().find("one too many"),
              absl::string_view::npos)
        << both;
  }
}

TEST(SpecFile, AnEmptyOneIsAnErrorAtItsBegin) {
  EXPECT_EQ(ParseSpecFile("", "job.json").status().message(),
            "job.json:1:1: this is no JSON from here on");
}

TEST(SpecFile, IsToldFromAScript) {
  EXPECT_TRUE(IsSpecFile("\n {\n \"name\": \"x\"}", "job"));
  EXPECT_TRUE(IsSpecFile("{}", "stdin"));
  EXPECT_TRUE(IsSpecFile("{name: x}", "job.json"));
  EXPECT_FALSE(IsSpecFile("#!/bin/sh\n{ \"$@\"; }\n", "job"));
  EXPECT_FALSE(IsSpecFile("{ echo; }\n", "job.sh"));
  EXPECT_FALSE(IsSpecFile("", "job"));
}

}  // namespace
}  // namespace berth
