#include <cstdio>
#include <thread>

#include "absl/time/clock.h"
#include <gtest/gtest.h>

#include "client/unreachable.h"
#include "common/error_detail.h"
#include "tests/client/fake_scheduler.h"
#include "tests/client/sample_job.h"
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace berth {
namespace {

using nlohmann::json;

v1::Job EndedJob(uint64_t id, v1::JobState state, v1::EndReason reason, int exit_code) {
  v1::Job job = RunningJob(id);
  job.set_state(state);
  job.set_ended_at_us(1'700'000'009'000'000);
  job.mutable_end()->set_reason(reason);
  job.mutable_end()->set_exit_code(exit_code);
  job.mutable_end()->set_failed_rank(exit_code == 0 ? -1 : 3);
  return job;
}

absl::Status Refused() {
  return WithDetail(absl::FailedPreconditionError("never"),
                    {.code = "B2107", .why = {}, .fix = {}, .refused_by_entitlement = true});
}

absl::Status Retryable() {
  return WithDetail(absl::ResourceExhaustedError("too many submissions"),
                    {.code = "B8104", .why = {}, .fix = {}, .retryable = true});
}

TEST(Submit, PrintsTheIdAloneWhenParsable) {
  FakeScheduler scheduler;
  const Outcome outcome = scheduler.Run({"submit", "--parsable", "-N", "2", "--", "echo", "-n"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "4812\n");
  ASSERT_EQ(scheduler.service.submissions.size(), 1u);
  const v1::JobSpec& spec = scheduler.service.submissions[0].spec();
  EXPECT_EQ(spec.gang().nodes(), 2);
  EXPECT_EQ(spec.command_size(), 2);
  EXPECT_EQ(spec.command(1), "-n");
  EXPECT_EQ(spec.name(), "echo");
}

TEST(Submit, TriesAgainWithTheSameKeyWhileTheSchedulerIsAway) {
  FakeScheduler scheduler;
  scheduler.service.failures = {absl::UnavailableError("restarting"),
                                absl::DeadlineExceededError("slow")};
  const Outcome outcome = scheduler.Run({"submit", "--parsable", "--", "true"});
  EXPECT_EQ(outcome.out, "4812\n");
  ASSERT_EQ(scheduler.service.submissions.size(), 3u);
  EXPECT_EQ(scheduler.service.submissions[0].idempotency_key().size(), 26u);
  EXPECT_EQ(scheduler.service.submissions[0].idempotency_key(),
            scheduler.service.submissions[2].idempotency_key());
}

TEST(Submit, ReachesASchedulerThatComesBackMeanwhile) {
  FakeScheduler scheduler;
  scheduler.Stop();
  std::thread restart([&] {
    usleep(1'500'000);
    scheduler.Start();
  });
  const absl::Time start = absl::Now();
  EXPECT_EQ(scheduler.Run({"submit", "--parsable", "--", "true"}).out, "4812\n");
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  restart.join();
}

TEST(Submit, AKeyOfTheCallerIsKept) {
  FakeScheduler scheduler;
  EXPECT_EQ(scheduler.Run({"submit", "--idempotency-key", "k1", "--", "true"}).code, 0);
  EXPECT_EQ(scheduler.service.submissions.at(0).idempotency_key(), "k1");
}

TEST(Submit, TellsAnUnreachableSchedulerWithSeven) {
  FakeScheduler scheduler;
  scheduler.Stop();
  const Outcome outcome = scheduler.Run({"submit", "--timeout", "300ms", "--", "true"});
  EXPECT_EQ(outcome.code, 7);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err.find("error[B1102]: cannot reach the scheduler at 127.0.0.1:"), 0u)
      << outcome.err;
  EXPECT_NE(outcome.err.find("(connection refused)"), std::string::npos) << outcome.err;
}

TEST(Submit, DryRunSubmitsNothing) {
  FakeScheduler scheduler;
  const Outcome outcome = scheduler.Run({"submit", "--dry-run", "-d", "4", "--", "true"});
  EXPECT_EQ(outcome.out, "would be accepted: true, 1 node × 4 devices; nothing was submitted\n");
  EXPECT_TRUE(scheduler.service.submissions.at(0).dry_run());
}

TEST(Errors, EveryStatusHasItsExitCode) {
  const std::vector<std::pair<absl::Status, int>> expected = {
      {absl::InvalidArgumentError("x"),    2},
      {absl::NotFoundError("x"),           3},
      {absl::PermissionDeniedError("x"),   4},
      {absl::UnauthenticatedError("x"),    4},
      {absl::AlreadyExistsError("x"),      5},
      {absl::FailedPreconditionError("x"), 5},
      {absl::AbortedError("x"),            5},
      {Refused(),                          6},
      {Retryable(),                        7},
      {absl::ResourceExhaustedError("x"),  1},
      {absl::UnimplementedError("x"),      9},
      {absl::InternalError("x"),           1},
  };
  for (const auto& [status, code] : expected) {
    FakeScheduler scheduler;
    scheduler.service.failures = {status};
    EXPECT_EQ(scheduler.Run({"submit", "--", "true"}).code, code) << status;
  }
}

TEST(Errors, InJsonModeAreOneObjectOnStandardError) {
  FakeScheduler scheduler;
  scheduler.service.failures = {Refused()};
  const Outcome outcome = scheduler.Run({"submit", "-o", "json", "--", "true"});
  EXPECT_EQ(outcome.code, 6);
  EXPECT_EQ(outcome.out, "");
  const json error = json::parse(outcome.err);
  EXPECT_EQ(error["code"], "B2107");
  EXPECT_EQ(error["message"], "never");
  EXPECT_EQ(error["retryable"], false);
  EXPECT_TRUE(error["why"].is_array());
}

TEST(Errors, AlsoBeforeTheOptionsAreRead) {
  const Outcome outcome = RunBerth({"submit", "--nope", "-o", "json"}, {});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(json::parse(outcome.err)["code"], "B1301");
}

TEST(Errors, NoServerAndNoTokenAreToldBeforeAnyCall) {
  EXPECT_EQ(RunBerth(
                {
                    "ps"
  },
                {{"BERTH_CONFIG", "/dev/null"}})
                .code,
            2);
  const Outcome outcome = RunBerth(
      {
          "ps"
  },
      {{"BERTH_CONFIG", "/dev/null"}, {"BERTH_SERVER", "127.0.0.1:1"}});
  EXPECT_EQ(outcome.code, 4);
  EXPECT_NE(outcome.err.find("error[B7103]"), std::string::npos) << outcome.err;
}

TEST(Calls, CarryTheToken) {
  FakeScheduler scheduler;
  EXPECT_EQ(scheduler.Run({"whoami"}).code, 0);
  EXPECT_EQ(scheduler.service.authorization, "Bearer " + scheduler.token());
}

TEST(Ps, JsonHasTheFrozenFields) {
  FakeScheduler scheduler;
  scheduler.service.jobs[12] = RunningJob(12);
  const Outcome outcome = scheduler.Run({"ps", "-o", "json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json list = json::parse(outcome.out);
  EXPECT_EQ(list["schema"], "berth/v1");
  EXPECT_EQ(list["kind"], "JobList");
  EXPECT_TRUE(list["generated_at"].is_string());
  ASSERT_EQ(list["items"].size(), 1u);
  const json& job = list["items"][0];
  EXPECT_EQ(job["id"], 12);
  EXPECT_EQ(job["name"], "llm7b");
  EXPECT_EQ(job["tenant"], "acme");
  EXPECT_EQ(job["project"], "llm");
  EXPECT_EQ(job["user"], "wei");
  EXPECT_EQ(job["state"], "running");
  EXPECT_TRUE(job["reason"].is_null());
  EXPECT_EQ(job["attempt"], 0);
  EXPECT_EQ(job["submitted_at"], "2023-11-14T22:13:20.000000+00:00");
  EXPECT_EQ(job["started_at"], "2023-11-14T22:13:21.500000+00:00");
  EXPECT_TRUE(job["ended_at"].is_null());
  EXPECT_TRUE(job["end"].is_null());
  EXPECT_EQ(job["nodes"], json({"n1"}));
  EXPECT_EQ(job["devices"][1],
            json({
                {"node",  "n1"          },
                {"index", 4             },
                {"class", "sim-a100-80g"},
                {"uuid",  "uuid-4"      }
  }));
  EXPECT_EQ(job["funding"], "borrowed");
}

TEST(Ps, MembersSeeTheirOwnAndOperatorsAll) {
  FakeScheduler scheduler;
  scheduler.Run({"ps"});
  EXPECT_TRUE(scheduler.service.lists.at(0).mine());
  scheduler.Run({"ps", "-A"});
  EXPECT_FALSE(scheduler.service.lists.at(1).mine());
  scheduler.service.role = v1::ROLE_OPERATOR;
  scheduler.Run({"ps", "-a", "--state", "starting,failed"});
  EXPECT_FALSE(scheduler.service.lists.at(2).mine());
  EXPECT_TRUE(scheduler.service.lists.at(2).all_states());
  EXPECT_EQ(scheduler.service.lists.at(2).states_size(), 3);
}

TEST(Ps, ANameCannotMoveTheCursor) {
  FakeScheduler scheduler;
  scheduler.service.jobs[12] = RunningJob(12);
  scheduler.service.jobs[12].set_name("a\x1b[2Jb");
  for (const char* format : {"table", "wide", "csv", "json", "fields=id,name"}) {
    const Outcome outcome = scheduler.Run({"ps", "-o", format});
    if (std::string(format) != "csv") {
      EXPECT_EQ(outcome.out.find('\x1b'), std::string::npos) << format;
    }
    EXPECT_NE(outcome.out.find('a'), std::string::npos) << format;
  }
}

TEST(Ps, AnUnknownStateNamesTheNearest) {
  FakeScheduler scheduler;
  const Outcome outcome = scheduler.Run({"ps", "--state", "runing"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("did you mean running?"), std::string::npos) << outcome.err;
}

TEST(Show, JsonIsAnEnvelopeWithOneItem) {
  FakeScheduler scheduler;
  scheduler.service.jobs[12] = EndedJob(12, v1::JOB_STATE_FAILED, v1::END_REASON_EXIT, 7);
  const Outcome outcome = scheduler.Run({"show", "12", "-o", "json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json list = json::parse(outcome.out);
  EXPECT_EQ(list["kind"], "JobList");
  ASSERT_EQ(list["items"].size(), 1u);
  EXPECT_EQ(list["items"][0]["state"], "failed");
  EXPECT_EQ(list["items"][0]["end"]["reason"], "exit");
  EXPECT_EQ(list["items"][0]["end"]["exit_code"], 7);
  EXPECT_EQ(list["items"][0]["end"]["failed_rank"], 3);
}

TEST(Show, AJobThatIsNotThereIsThree) {
  FakeScheduler scheduler;
  scheduler.service.failures = {absl::NotFoundError("no job 99")};
  const Outcome outcome = scheduler.Run({"show", "99"});
  EXPECT_EQ(outcome.code, 3);
  // Not a code that means something else.
  EXPECT_EQ(outcome.err, "error[B9001]: no job 99\n");
}

TEST(Wait, ExitsWithTheJobsCode) {
  FakeScheduler scheduler;
  scheduler.service.jobs[1] = EndedJob(1, v1::JOB_STATE_SUCCEEDED, v1::END_REASON_EXIT, 0);
  scheduler.service.jobs[2] = EndedJob(2, v1::JOB_STATE_FAILED, v1::END_REASON_EXIT, 42);
  scheduler.service.jobs[3] = EndedJob(3, v1::JOB_STATE_CANCELLED, v1::END_REASON_CANCELLED, 0);
  EXPECT_EQ(scheduler.Run({"wait", "1"}).code, 0);
  EXPECT_EQ(scheduler.Run({"wait", "2"}).code, 42);
  EXPECT_EQ(scheduler.Run({"wait", "1,3", "2"}).code, 121);
}

TEST(Wait, GivesUpWithOneHundredTwentyFour) {
  FakeScheduler scheduler;
  scheduler.service.jobs[1] = RunningJob(1);
  scheduler.service.never_done = true;
  EXPECT_EQ(scheduler.Run({"wait", "1", "--timeout", "150ms"}).code, 124);
}

TEST(Wait, SurvivesAScheduerThatIsAwayForAMoment) {
  FakeScheduler scheduler;
  scheduler.service.jobs[2] = EndedJob(2, v1::JOB_STATE_FAILED, v1::END_REASON_EXIT, 42);
  scheduler.service.failures = {absl::UnavailableError("restarting"),
                                absl::UnavailableError("restarting")};
  EXPECT_EQ(scheduler.Run({"wait", "2"}).code, 42);
}

TEST(Wait, ALostSchedulerIsOneHundredTwentyFive) {
  FakeScheduler scheduler;
  scheduler.reconnect = "1s";
  scheduler.Stop();
  EXPECT_EQ(scheduler.Run({"wait", "2"}).code, 125);
  EXPECT_EQ(scheduler.Run({"wait", "2", "--timeout", "200ms"}).code, 124);
}

TEST(Wait, GoesOnWithARestartedScheduler) {
  FakeScheduler scheduler;
  scheduler.service.jobs[2] = EndedJob(2, v1::JOB_STATE_FAILED, v1::END_REASON_EXIT, 42);
  scheduler.Stop();
  std::thread restart([&] {
    usleep(300'000);
    scheduler.Start();
  });
  EXPECT_EQ(scheduler.Run({"wait", "2"}).code, 42);
  restart.join();
}

TEST(Logs, WritesTheBytesAsTheyAre) {
  FakeScheduler scheduler;
  scheduler.service.log = std::string("one\n\x1b[1mtwo\x00\xff\n", 15);
  const Outcome outcome = scheduler.Run({"logs", "12", "--rank", "0", "--tail", "9"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, scheduler.service.log);
  EXPECT_EQ(scheduler.service.log_requests.at(0).tail_lines(), 9);
  EXPECT_EQ(scheduler.service.log_requests.at(0).rank(), 0);
  EXPECT_EQ(scheduler.service.log_requests.at(0).attempt(), -1);
}

TEST(Logs, FollowingGoesOnWhereTheConnectionBroke) {
  FakeScheduler scheduler;
  scheduler.service.jobs[12] = RunningJob(12);
  scheduler.service.log = "0123456789";
  scheduler.service.failures = {absl::OkStatus(), absl::UnavailableError("restarting")};
  const Outcome outcome = scheduler.Run({"logs", "-f", "12"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "0123456789");
  ASSERT_EQ(scheduler.service.log_requests.size(), 2u);
  EXPECT_EQ(scheduler.service.log_requests[1].offset_bytes(), 5);
}

TEST(Run, StreamsTheLogAndExitsWithTheJobsCode) {
  FakeScheduler scheduler;
  scheduler.service.jobs[4812] = EndedJob(4812, v1::JOB_STATE_FAILED, v1::END_REASON_EXIT, 7);
  scheduler.service.log = "epoch 1\nepoch 2\n";
  const Outcome outcome = scheduler.Run({"run", "--", "python", "train.py"});
  EXPECT_EQ(outcome.code, 7);
  EXPECT_EQ(outcome.out, "epoch 1\nepoch 2\n");
  EXPECT_NE(outcome.err.find("job 4812 failed exit:7 r3"), std::string::npos) << outcome.err;
}

TEST(Run, AJobThatNeverStartedHasNoLog) {
  FakeScheduler scheduler;
  v1::Job job = EndedJob(4812, v1::JOB_STATE_FAILED, v1::END_REASON_PREPARE_TIMEOUT, 0);
  job.set_started_at_us(0);
  scheduler.service.jobs[4812] = job;
  EXPECT_EQ(scheduler.Run({"run", "--", "true"}).code, 120);
  EXPECT_TRUE(scheduler.service.log_requests.empty());
}

TEST(Shell, OfItsOwnHasLowerLimitsAndIsNotRunAgain) {
  FakeScheduler scheduler;
  ASSERT_EQ(scheduler.Run({"shell", "-d", "2", "--dry-run"}).code, 0);
  ASSERT_EQ(scheduler
                .Run({"shell", "--idle", "5m", "--time", "9h", "--name", "notebook", "--requeue",
                      "preempt", "--dry-run"})
                .code,
            0);
  ASSERT_EQ(scheduler.service.submissions.size(), 2u);
  const v1::JobSpec& plain = scheduler.service.submissions[0].spec();
  EXPECT_EQ(plain.name(), "shell");
  EXPECT_EQ(plain.gang().devices_per_node(), 2);
  EXPECT_EQ(plain.idle_ms(), 30 * 60 * 1000);
  EXPECT_EQ(plain.time_limit_ms(), 2 * 3600 * 1000);
  EXPECT_FALSE(plain.requeue().on_preempt() || plain.requeue().on_node_fault());
  const v1::JobSpec& chosen = scheduler.service.submissions[1].spec();
  EXPECT_EQ(chosen.name(), "notebook");
  EXPECT_EQ(chosen.idle_ms(), 5 * 60 * 1000);
  EXPECT_EQ(chosen.time_limit_ms(), 9 * 3600 * 1000);
  EXPECT_TRUE(chosen.requeue().on_preempt());
}

TEST(Shell, TakesNoCommandAndInARunningJobNoOptionsOfAJob) {
  FakeScheduler scheduler;
  EXPECT_EQ(scheduler.Run({"shell", "-d", "1", "--", "python"}).code, 2);
  const Outcome inside = scheduler.Run({"shell", "12", "--devices", "1"});
  EXPECT_EQ(inside.code, 2);
  EXPECT_NE(inside.err.find("--devices"), std::string::npos) << inside.err;
  EXPECT_TRUE(scheduler.service.submissions.empty());
}

TEST(Cancel, SomeOfManyIsEight) {
  FakeScheduler scheduler;
  scheduler.service.jobs[1] = EndedJob(1, v1::JOB_STATE_CANCELLED, v1::END_REASON_CANCELLED, 0);
  const Outcome some = scheduler.Run({"cancel", "1-2"});
  EXPECT_EQ(some.code, 8);
  EXPECT_EQ(some.out, "job 1 cancelled\n");
  EXPECT_NE(some.err.find("no such job"), std::string::npos);
  EXPECT_EQ(scheduler.Run({"cancel", "1"}).code, 0);
  EXPECT_EQ(scheduler.Run({"cancel", "5"}).code, 3);
  EXPECT_EQ(scheduler.Run({"cancel", "5,6"}).code, 3);
}

TEST(JobIds, RefuseNonsense) {
  FakeScheduler scheduler;
  for (const char* word : {"x", "0", "-1x", "5-", "9-3", "1-999999999", "last~x", "", "1,,2"}) {
    EXPECT_EQ(scheduler.Run({"cancel", "--reason", "r", word}).code, 2) << word;
  }
}

TEST(JobIds, TheLargestNumberIsOneJob) {
  FakeScheduler scheduler;
  EXPECT_EQ(scheduler.Run({"show", "18446744073709551615", "-o", "name"}).out,
            "18446744073709551615\n");
}

TEST(JobIds, LastIsMyNewest) {
  FakeScheduler scheduler;
  scheduler.service.jobs[7] = RunningJob(7);
  const Outcome outcome = scheduler.Run({"show", "last", "-o", "name"});
  EXPECT_EQ(outcome.out, "7\n") << outcome.err;
  EXPECT_TRUE(scheduler.service.lists.at(0).mine());
  EXPECT_TRUE(scheduler.service.lists.at(0).all_states());
  // What an array has started since is not what was submitted.
  EXPECT_TRUE(scheduler.service.lists.at(0).without_tasks());
}

TEST(Quota, SetKeepsWhatIsNotNamed) {
  FakeScheduler scheduler;
  v1::QuotaRow row;
  row.set_tenant("acme");
  row.set_device_class("sim");
  row.mutable_limits()->set_entitlement(8);
  row.mutable_limits()->set_limit(16);
  row.mutable_limits()->set_non_lendable(2);
  scheduler.service.quota = {row};
  EXPECT_EQ(scheduler.Run({"quota", "set", "acme", "--class", "sim", "--entitlement", "12"}).code,
            0);
  const v1::QuotaLimits& limits = scheduler.service.quota_changes.at(0).limits();
  EXPECT_EQ(limits.entitlement(), 12);
  EXPECT_EQ(limits.limit(), 16);
  EXPECT_EQ(limits.non_lendable(), 2);
  EXPECT_EQ(scheduler.Run({"quota", "set", "acme", "--class", "sim", "--limit", "none"}).code, 0);
  EXPECT_FALSE(scheduler.service.quota_changes.at(1).limits().has_limit());
}

// A change replaces one that is still to come.
TEST(Quota, SetWithoutAChangeIsRefused) {
  FakeScheduler scheduler;
  EXPECT_EQ(scheduler.Run({"quota", "set", "acme", "--class", "sim"}).code, 2);
  EXPECT_TRUE(scheduler.service.quota_changes.empty());
  const std::string out = scheduler
                              .Run({"quota", "set", "acme", "--class", "sim", "--weight", "3", "-d",
                                    "8", "--non-lendable", "2"})
                              .out;
  EXPECT_NE(out.find("→ entitlement 8, limit none, never lent 2, weight 3\n"), std::string::npos)
      << out;
}

TEST(Quota, JsonHasTheFrozenFields) {
  FakeScheduler scheduler;
  v1::QuotaRow row;
  row.set_tenant("acme");
  row.set_device_class("sim");
  row.mutable_limits()->set_entitlement(8);
  row.set_used(9);
  row.set_owned(8);
  row.set_borrowed(1);
  scheduler.service.quota = {row};
  const json item = json::parse(scheduler.Run({"quota", "-o", "json"}).out)["items"][0];
  EXPECT_EQ(item["tenant"], "acme");
  EXPECT_EQ(item["class"], "sim");
  EXPECT_EQ(item["entitlement"], 8);
  EXPECT_TRUE(item["limit"].is_null());
  EXPECT_EQ(item["used"], 9);
  EXPECT_EQ(item["owned"], 8);
  EXPECT_EQ(item["borrowed"], 1);
  EXPECT_EQ(item["lent"], 0);
}

TEST(Nodes, JsonHasTheFrozenFields) {
  FakeScheduler scheduler;
  v1::Node node;
  node.set_name("n1");
  node.set_state(v1::NODE_STATE_READY);
  node.set_device_class("sim");
  node.mutable_facts()->add_devices();
  node.mutable_facts()->set_agent_version("0.1.0");
  node.mutable_facts()->add_facilities("cgroup-v2");
  scheduler.service.nodes = {node};
  const json item = json::parse(scheduler.Run({"nodes", "-o", "json"}).out)["items"][0];
  EXPECT_EQ(item["name"], "n1");
  EXPECT_EQ(item["state"], "ready");
  EXPECT_EQ(item["class"], "sim");
  EXPECT_EQ(item["devices_total"], 1);
  EXPECT_EQ(item["classes"].size(), 1u);
  EXPECT_EQ(item["devices_free"], 0);
  EXPECT_EQ(item["agent_version"], "0.1.0");
  EXPECT_EQ(item["facilities"], json::array({"cgroup-v2"}));
  EXPECT_TRUE(item["last_heartbeat_seconds"].is_null());
}

TEST(Tokens, AreWrittenForTheirOwnerOnly) {
  FakeScheduler scheduler;
  EXPECT_EQ(scheduler.Run({"token", "create", "--user", "wei"}).out, "brth_secret\n");
  const std::string path = absl::StrCat("/tmp/berth-test-", getpid(), ".token");
  const Outcome outcome = scheduler.Run({"token", "create", "--node", "n1", "--token-file", path});
  EXPECT_EQ(outcome.out, "") << outcome.err;
  struct stat facts {};
  ASSERT_EQ(stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  EXPECT_EQ(facts.st_size, 12);
  unlink(path.c_str());
}

TEST(Bootstrap, WithoutASocketIsUnreachable) {
  EXPECT_EQ(RunBerth({"admin", "bootstrap", "--socket", "/nonexistent/admin.sock"}, {}).code, 7);
  EXPECT_EQ(RunBerth({"admin", "bootstrap"}, {}).code, 2);
}

}  // namespace
}  // namespace berth
