// Arrays as people and programs see them, and their failed tasks submitted again.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/client/fake_scheduler.h"
#include "tests/client/sample_job.h"

namespace berth {
namespace {

// An array of 12 tasks, of which 2 are in the list.
void AddArray(FakeScheduler& scheduler) {
  v1::Job array = RunningJob(4799);
  array.set_state(v1::JOB_STATE_RUNNING);
  array.mutable_array()->set_count(12);
  array.mutable_array()->set_step(1);
  array.mutable_array()->set_started(9);
  array.mutable_array()->set_live(5);
  array.mutable_array()->set_succeeded(3);
  array.mutable_array()->set_failed(1);
  scheduler.service.jobs[4799] = array;
  for (const uint64_t id : {4801, 4802}) {
    v1::Job task = RunningJob(id);
    task.set_array_id(4799);
    task.set_array_index(static_cast<int32_t>(id - 4800));
    scheduler.service.jobs[id] = task;
  }
}

TEST(Arrays, StandInOneLineForPeople) {
  FakeScheduler scheduler;
  AddArray(scheduler);
  const std::string folded = scheduler.Run({"ps"}).out;
  EXPECT_NE(folded.find("4799."), std::string::npos) << folded;
  EXPECT_NE(folded.find("running 5/12"), std::string::npos) << folded;
  EXPECT_NE(folded.find("3 waiting, 3 done, 1 failed"), std::string::npos) << folded;
  EXPECT_EQ(folded.find("4799.1"), std::string::npos) << folded;
  const std::string unfolded = scheduler.Run({"ps", "--tasks"}).out;
  EXPECT_NE(unfolded.find("4799.1"), std::string::npos) << unfolded;
  EXPECT_NE(unfolded.find("4799.2"), std::string::npos) << unfolded;
}

TEST(Arrays, TasksAreListedWithTheirParameters) {
  FakeScheduler scheduler;
  AddArray(scheduler);
  scheduler.service.jobs[7] = RunningJob(7);
  EXPECT_EQ(scheduler.Run({"ps", "--tasks"}).out.find("PARAMETERS"), std::string::npos);
  for (const auto& [name, values] : {
           std::pair{"lr",   std::pair{"1e-4", "3e-4"}},
           std::pair{"seed", std::pair{"1", "a b"}    }
  }) {
    v1::MatrixParameter& parameter = *scheduler.service.spec.add_matrix();
    parameter.set_name(name);
    parameter.add_values(values.first);
    parameter.add_values(values.second);
  }
  const std::string table = scheduler.Run({"ps", "--tasks"}).out;
  EXPECT_NE(table.find("  PARAMETERS "), std::string::npos) << table;
  EXPECT_NE(table.find("  lr=1e-4 seed=a b "), std::string::npos) << table;
  EXPECT_NE(table.find("  lr=3e-4 seed=1 "), std::string::npos) << table;
  EXPECT_EQ(scheduler.Run({"ps"}).out.find("PARAMETERS"), std::string::npos);
  const int asked_one_by_one = scheduler.service.gets;
  EXPECT_GT(asked_one_by_one, 0) << "of an older scheduler";
  scheduler.service.knows_matrices = true;
  EXPECT_EQ(scheduler.Run({"ps", "--tasks"}).out, table);
  EXPECT_EQ(scheduler.service.gets, asked_one_by_one);
  const Json items = Json::parse(scheduler.Run({"ps", "--tasks", "-o", "json"}).out)["items"];
  EXPECT_TRUE(items[0]["parameters"].is_null());
  EXPECT_EQ(items[3]["parameters"]["lr"], "3e-4");
  EXPECT_FALSE(
      Json::parse(scheduler.Run({"ps", "-o", "json"}).out)["items"][3].contains("parameters"));
}

// Who may list a job and not see what it runs gets the list.
TEST(Arrays, ParametersThatMayNotBeSeenAreLeftOut) {
  FakeScheduler scheduler;
  AddArray(scheduler);
  scheduler.service.spec.add_matrix()->set_name("lr");
  scheduler.service.failures = {absl::OkStatus(), absl::PermissionDeniedError("hidden")};
  const auto outcome = scheduler.Run({"ps", "--tasks"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("4799.1"), std::string::npos) << outcome.out;
}

TEST(Arrays, AreJobsOfTheirOwnForPrograms) {
  FakeScheduler scheduler;
  AddArray(scheduler);
  const Json list = Json::parse(scheduler.Run({"ps", "-o", "json"}).out);
  ASSERT_EQ(list["items"].size(), 3u);
  EXPECT_EQ(list["items"][0]["array"]["live"], 5);
  EXPECT_EQ(list["items"][0]["array"]["count"], 12);
  EXPECT_TRUE(list["items"][0]["array_id"].is_null());
  EXPECT_EQ(list["items"][1]["array_id"], 4799);
  EXPECT_EQ(list["items"][1]["array_index"], 1);
  EXPECT_TRUE(list["items"][1]["array"].is_null());
}

TEST(Arrays, ATaskIsAddressedByItsIndex) {
  FakeScheduler scheduler;
  AddArray(scheduler);
  EXPECT_EQ(scheduler.Run({"cancel", "4799.2"}).out.find("job 4799.2 "), 0u);
  EXPECT_EQ(scheduler.Run({"cancel", "4799."}).out.find("job 4799. "), 0u);
  EXPECT_EQ(scheduler.Run({"show", "4799.7"}).code, 3);
  EXPECT_EQ(scheduler.Run({"show", "4799.x"}).code, 2);
}

TEST(Cancel, TakesTasksAsArraysAreWritten) {
  FakeScheduler scheduler;
  AddArray(scheduler);
  scheduler.service.cancelled_tasks.set_stopping(2);
  scheduler.service.cancelled_tasks.set_waiting(3);
  const auto result = scheduler.Run({"cancel", "4799.[1-2,5,7-11:2]", "--reason", "enough"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "tasks 4799.1-2,5,7-11:2: 2 being stopped, 3 cancelled before starting\n");
  const v1::CancelJobRequest& request = scheduler.service.cancels.at(0);
  EXPECT_EQ(request.job_id(), 0u);
  EXPECT_EQ(request.array_id(), 4799u);
  EXPECT_EQ(request.reason(), "enough");
  ASSERT_EQ(request.tasks_size(), 3);
  EXPECT_EQ(request.tasks(2).count(), 3);
  const Json json = Json::parse(scheduler.Run({"cancel", "4799.1-2", "-o", "json"}).out);
  EXPECT_EQ(json["items"][0]["id"], 4799);
  EXPECT_EQ(json["items"][0]["cancelled_tasks"]["stopping"], 2);
  EXPECT_EQ(json["items"][0]["cancelled_tasks"]["ended"], 0);
}

TEST(Cancel, SaysWhatBecameOfASingleTask) {
  FakeScheduler scheduler;
  AddArray(scheduler);
  scheduler.service.cancelled_tasks.set_waiting(1);
  EXPECT_EQ(scheduler.Run({"cancel", "4799.7"}).out, "job 4799.7 cancelled before starting\n");
  scheduler.service.cancelled_tasks.Clear();
  scheduler.service.cancelled_tasks.set_before(1);
  EXPECT_EQ(scheduler.Run({"cancel", "4799.[7]"}).out, "job 4799.7 cancelled earlier\n");
}

// A comma that could stand between indexes or between jobs is not guessed at.
TEST(Cancel, TellsTasksFromJobs) {
  FakeScheduler scheduler;
  AddArray(scheduler);
  EXPECT_EQ(scheduler.Run({"cancel", "4801,4799.[5-6,8],4802", "4799.3,4799.4"}).code, 0);
  const std::vector<v1::CancelJobRequest>& cancels = scheduler.service.cancels;
  ASSERT_EQ(cancels.size(), 5u);
  EXPECT_EQ(cancels[0].job_id(), 4801u);
  EXPECT_EQ(cancels[1].job_id(), 4802u);
  EXPECT_EQ(cancels[2].tasks_size(), 2);
  EXPECT_EQ(cancels[4].tasks(0).first(), 4);
  for (const char* word : {"4799.x", "4799.5-", "4799.[9,5]", "4799.[5", "4799.5%2", "4799.5]"}) {
    EXPECT_EQ(scheduler.Run({"cancel", word}).code, 2) << word;
  }
  for (const char* word : {"4799.5-9,12", "4799.5,4801", "4799.5,4801-4803"}) {
    const auto refused = scheduler.Run({"cancel", word});
    EXPECT_EQ(refused.code, 2) << word;
    EXPECT_NE(refused.err.find("4799.[5"), std::string::npos) << refused.err;
  }
  EXPECT_EQ(cancels.size(), 5u);
}

TEST(Arrays, ShowTheirMatrixAndATaskItsValues) {
  FakeScheduler scheduler;
  AddArray(scheduler);
  for (const auto& [name, values] : {
           std::pair{"lr",   std::vector<std::string>{"1e-4", "3e-4"}      },
           std::pair{"seed", std::vector<std::string>{"1", "2", "3", "x y"}}
  }) {
    v1::MatrixParameter& parameter = *scheduler.service.spec.add_matrix();
    parameter.set_name(name);
    parameter.mutable_values()->Assign(values.begin(), values.end());
  }
  v1::IndexRange& unstarted =
      *scheduler.service.jobs[4799].mutable_array()->add_cancelled_unstarted();
  unstarted.set_first(5);
  unstarted.set_count(3);
  unstarted.set_step(2);
  const std::string array = scheduler.Run({"show", "4799"}).out;
  EXPECT_NE(array.find("5-9:2, before they started\n"), std::string::npos) << array;
  EXPECT_NE(array.find("lr=1e-4,3e-4 'seed=1..3,x y'\n"), std::string::npos) << array;
  EXPECT_EQ(array.find("parameters"), std::string::npos) << array;
  const std::string task = scheduler.Run({"show", "4799.2"}).out;
  EXPECT_NE(task.find("lr=1e-4 seed=3\n"), std::string::npos) << task;
  const Json json = Json::parse(scheduler.Run({"show", "4799.1", "-o", "json"}).out)["items"][0];
  EXPECT_EQ(json["parameters"]["seed"], "2");
  EXPECT_EQ(json["spec"]["matrix"][0]["name"], "lr");
  EXPECT_EQ(json["spec"]["matrix"][0]["values"][1], "3e-4");
}

TEST(Retry, SubmitsTheFailedTasksOfAnArray) {
  FakeScheduler scheduler;
  AddArray(scheduler);
  scheduler.service.spec.mutable_array()->set_count(12);
  scheduler.service.spec.mutable_array()->set_concurrent_max(5);
  const auto result = scheduler.Run({"retry", "4799", "--failed"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out.find("job 4812 submitted: "), 0u) << result.out;
  const v1::ListJobsRequest& list = scheduler.service.lists.back();
  EXPECT_EQ(list.array_id(), 4799u);
  EXPECT_EQ(std::count(list.states().begin(), list.states().end(), v1::JOB_STATE_FAILED), 1);
  const v1::JobSpec& spec = scheduler.service.submissions.at(0).spec();
  EXPECT_EQ(spec.command(0), "python");
  EXPECT_EQ(spec.array().first(), 1);
  EXPECT_EQ(spec.array().count(), 2);
  EXPECT_EQ(spec.array().concurrent_max(), 5);
  EXPECT_FALSE(scheduler.service.submissions.at(0).idempotency_key().empty());
}

TEST(Retry, SubmitsAnEndedJobAsItWas) {
  FakeScheduler scheduler;
  v1::Job job = RunningJob(4790);
  scheduler.service.jobs[4790] = job;
  EXPECT_EQ(scheduler.Run({"retry", "4790"}).code, 5);
  job.set_state(v1::JOB_STATE_FAILED);
  job.set_priority(7);
  scheduler.service.jobs[4790] = job;
  EXPECT_EQ(scheduler.Run({"retry", "4790", "--failed"}).code, 2);
  EXPECT_EQ(scheduler.Run({"retry", "4790", "--parsable"}).out, "4812\n");
  const v1::JobSpec& spec = scheduler.service.submissions.at(0).spec();
  EXPECT_EQ(spec.name(), job.name());
  EXPECT_EQ(spec.priority(), 7);
  EXPECT_FALSE(spec.has_array());
}

TEST(Retry, FindsNothingWhereNoTaskHasFailed) {
  FakeScheduler scheduler;
  AddArray(scheduler);
  scheduler.service.jobs.erase(4801);
  scheduler.service.jobs.erase(4802);
  const auto result = scheduler.Run({"retry", "4799", "--failed"});
  EXPECT_EQ(result.code, 5);
  EXPECT_NE(result.err.find("B1312"), std::string::npos) << result.err;
  EXPECT_TRUE(scheduler.service.submissions.empty());
}

TEST(Submit, DependenciesBecomeIds) {
  FakeScheduler scheduler;
  AddArray(scheduler);
  EXPECT_EQ(scheduler.Run({"submit", "--after", "ok:4799.1,any:4790-4791", "--", "true"}).code, 0);
  const v1::JobSpec& spec = scheduler.service.submissions.at(0).spec();
  ASSERT_EQ(spec.dependencies_size(), 3);
  EXPECT_EQ(spec.dependencies(0).job_id(), 4801u);
  EXPECT_EQ(spec.dependencies(0).kind(), v1::DEPENDENCY_KIND_OK);
  EXPECT_EQ(spec.dependencies(2).job_id(), 4791u);
  EXPECT_EQ(spec.dependencies(2).kind(), v1::DEPENDENCY_KIND_ANY);
}
}  // namespace
}  // namespace berth
