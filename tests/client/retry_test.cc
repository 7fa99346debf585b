// What ended, submitted again with changed options.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "tests/client/fake_scheduler.h"
#include "tests/client/sample_job.h"

namespace berth {
namespace {

// Job 4790, which ran out of memory, as it was submitted.
void AddEndedJob(FakeScheduler& scheduler) {
  v1::Job& job = scheduler.service.jobs[4790] = RunningJob(4790);
  job.set_state(v1::JOB_STATE_FAILED);
  job.set_time_limit_ms(3'600'000);
  job.mutable_gang()->mutable_per_node()->set_memory_mib(1024);
  job.mutable_gang()->add_excluded_nodes("n7");
  v1::JobSpec& spec = scheduler.service.spec;
  spec.set_workdir_sha256(std::string(32, 'x'));
  (*spec.mutable_environment())["LR"] = "1e-4";
  (*spec.mutable_environment())["SEED"] = "1";
  spec.set_stop_signal("SIGUSR1");
  spec.set_image("debian12");
  v1::Dependency& dependency = *spec.add_dependencies();
  dependency.set_kind(v1::DEPENDENCY_KIND_OK);
  dependency.set_job_id(4711);
  scheduler.service.requeue.emplace().add_exit_codes(75);
}

v1::JobSpec RetryWith(FakeScheduler& scheduler, std::vector<std::string> words) {
  words.insert(words.begin(), {"retry", "4790"});
  const Outcome outcome = scheduler.Run(words);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return scheduler.service.submissions.empty() ? v1::JobSpec()
                                               : scheduler.service.submissions.back().spec();
}

TEST(RetryChanged, WhatIsNotGivenStays) {
  FakeScheduler scheduler;
  AddEndedJob(scheduler);
  const v1::JobSpec before = RetryWith(scheduler, {});
  v1::JobSpec after = RetryWith(scheduler, {"--memory", "64GiB", "--time=8h"});
  EXPECT_EQ(after.gang().per_node().memory_mib(), 64 << 10);
  EXPECT_EQ(after.time_limit_ms(), 8 * 3'600'000);
  EXPECT_EQ(before.workdir_sha256(), std::string(32, 'x'));
  after.mutable_gang()->mutable_per_node()->set_memory_mib(1024);
  after.set_time_limit_ms(3'600'000);
  EXPECT_EQ(after.DebugString(), before.DebugString());
}

TEST(RetryChanged, RepeatedOptionsAddAndTheCommandIsReplaced) {
  FakeScheduler scheduler;
  AddEndedJob(scheduler);
  const v1::JobSpec spec =
      RetryWith(scheduler, {"--env", "LR=3e-4", "--exclude", "n8,n7", "--requeue-exit", "76", "-n",
                            "again", "--no-borrow", "--", "python", "other.py"});
  EXPECT_EQ(spec.environment().at("LR"), "3e-4");
  EXPECT_EQ(spec.environment().at("SEED"), "1");
  EXPECT_EQ(spec.gang().excluded_nodes_size(), 2);
  EXPECT_EQ(spec.requeue().exit_codes_size(), 2);
  EXPECT_FALSE(spec.requeue().on_preempt());
  EXPECT_EQ(spec.name(), "again");
  EXPECT_TRUE(spec.no_borrow());
  EXPECT_EQ(spec.command(1), "other.py");
}

// What the job was submitted with can be taken back, and stays otherwise.
TEST(RetryChanged, SwitchesAreUndone) {
  FakeScheduler scheduler;
  AddEndedJob(scheduler);
  v1::JobSpec& spec = scheduler.service.spec;
  spec.set_hold(true);
  spec.set_not_preemptible(true);
  spec.set_open_stdin(true);
  scheduler.service.jobs[4790].set_no_borrow(true);
  const v1::JobSpec same = RetryWith(scheduler, {});
  EXPECT_TRUE(same.hold() && same.no_borrow() && same.not_preemptible() && same.open_stdin());
  const v1::JobSpec undone =
      RetryWith(scheduler, {"--no-hold", "--borrow", "--preempt", "--no-stdin"});
  EXPECT_FALSE(undone.hold() || undone.no_borrow() || undone.not_preemptible() ||
               undone.open_stdin());
  const v1::JobSpec last = RetryWith(scheduler, {"--no-hold", "--hold", "--no-borrow", "--borrow"});
  EXPECT_TRUE(last.hold());
  EXPECT_FALSE(last.no_borrow());
}

// A dependency that failed would end the job again; a folder takes the place of the uploaded one.
TEST(RetryChanged, DependenciesAndTheFolderAreReplaced) {
  FakeScheduler scheduler;
  AddEndedJob(scheduler);
  const v1::JobSpec spec = RetryWith(scheduler, {"--after", "any:4712", "--workdir", "/data/x"});
  ASSERT_EQ(spec.dependencies_size(), 1);
  EXPECT_EQ(spec.dependencies(0).job_id(), 4712u);
  EXPECT_EQ(spec.working_directory(), "/data/x");
  EXPECT_EQ(spec.workdir_sha256(), "");
}

TEST(RetryChanged, AShareAndWholeDevicesTakeEachOthersPlace) {
  FakeScheduler scheduler;
  AddEndedJob(scheduler);
  const v1::JobSpec shared = RetryWith(scheduler, {"--device-share", "0.25"});
  EXPECT_EQ(shared.gang().device_share_milli(), 250);
  EXPECT_EQ(shared.gang().devices_per_node(), 1);
  *scheduler.service.jobs[4790].mutable_gang() = shared.gang();
  EXPECT_EQ(RetryWith(scheduler, {"--devices", "4"}).gang().device_share_milli(), 0);
}

// The answer to the first try is lost: the second has the same key.
TEST(RetryChanged, ALostReplyStartsNoSecondJob) {
  FakeScheduler scheduler;
  AddEndedJob(scheduler);
  scheduler.service.failures = {absl::OkStatus(), absl::UnavailableError("restarting")};
  RetryWith(scheduler, {"--time", "2h"});
  ASSERT_EQ(scheduler.service.submissions.size(), 2u);
  EXPECT_EQ(scheduler.service.submissions[0].idempotency_key(),
            scheduler.service.submissions[1].idempotency_key());
  RetryWith(scheduler, {"--idempotency-key", "nightly"});
  EXPECT_EQ(scheduler.service.submissions.back().idempotency_key(), "nightly");
}

TEST(RetryChanged, TheTasksOfAnArrayMayBeOthers) {
  FakeScheduler scheduler;
  AddEndedJob(scheduler);
  v1::JobSpec& spec = scheduler.service.spec;
  spec.mutable_array()->set_count(6);
  spec.mutable_array()->set_concurrent_max(3);
  spec.mutable_array()->set_fails_max(2);
  for (const char* name : {"lr", "seed"}) {
    v1::MatrixParameter& parameter = *spec.add_matrix();
    parameter.set_name(name);
    parameter.add_values("1");
    parameter.add_values("2");
  }
  const v1::JobSpec other = RetryWith(scheduler, {"--matrix", "lr=5,6,7"});
  EXPECT_EQ(other.matrix(0).values(0), "5");
  EXPECT_EQ(other.matrix(1).name(), "seed");
  EXPECT_EQ(other.array().count(), 6);
  EXPECT_EQ(other.array().concurrent_max(), 3);
  EXPECT_EQ(other.array().fails_max(), 2);
  const v1::JobSpec chosen = RetryWith(scheduler, {"--array", "1,3"});
  EXPECT_EQ(chosen.array().ranges_size(), 2);
  EXPECT_EQ(chosen.array().count(), 0);
  EXPECT_EQ(RetryWith(scheduler, {"--array", "%1"}).array().count(), 6);
  EXPECT_EQ(RetryWith(scheduler, {"--array", "%1"}).array().concurrent_max(), 1);
}

TEST(RetryChanged, TriesWithoutSubmitting) {
  FakeScheduler scheduler;
  AddEndedJob(scheduler);
  const Outcome dry = scheduler.Run({"retry", "4790", "--time", "2h", "--dry-run"});
  EXPECT_NE(dry.out.find("nothing was submitted"), std::string::npos) << dry.out << dry.err;
  EXPECT_TRUE(scheduler.service.submissions.at(0).dry_run());
  scheduler.service.explanation.set_verdict(v1::Explanation::VERDICT_WAITS);
  EXPECT_EQ(scheduler.Run({"retry", "4790", "--time", "2h", "--plan"}).code, 10);
  EXPECT_EQ(scheduler.service.explained.at(0).submit().spec().time_limit_ms(), 2 * 3'600'000);
}

// Each is a usage error that names its option.
TEST(RetryChanged, RefusesWhatMakesNoSense) {
  FakeScheduler scheduler;
  AddEndedJob(scheduler);
  v1::Job& job = scheduler.service.jobs[4790];
  job.mutable_gang()->set_nodes(4);
  job.mutable_gang()->set_min_nodes(3);
  v1::Job& task = scheduler.service.jobs[4791] = job;
  task.set_array_id(4789);
  const std::vector<std::vector<std::string>> cases = {
      {"4790", "--nodes",        "2"   },
      {"4790", "--device-share", "0.5" },
      {"4790", "--upload-max",   "1GiB"},
      {"4790", "--tenant",       "else"},
      {"4790", "--max-fails",    "2"   },
      {"4790", "--time",         "90"  },
      {"4791", "--array",        "0-9" },
      {"4791", "--matrix",       "a=1" },
  };
  for (std::vector<std::string> words : cases) {
    words.insert(words.begin(), "retry");
    const Outcome outcome = scheduler.Run(words);
    EXPECT_EQ(outcome.code, 2) << words[2];
    EXPECT_NE(outcome.err.find(absl::StrCat("error[B1301]: ", words[2], ": ")), std::string::npos)
        << outcome.err;
  }
  EXPECT_EQ(scheduler.Run({"retry", "4790", "--"}).code, 2);
  EXPECT_TRUE(scheduler.service.submissions.empty());
}

}  // namespace
}  // namespace berth
