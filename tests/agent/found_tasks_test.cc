#include "agent/found_tasks.h"

#include <filesystem>
#include <fstream>
#include <vector>

#include <gtest/gtest.h>

#include "agent/executor/task_folder.h"
#include "agent/shim/shim_protocol.h"
#include "tests/testing/temp_dir.h"

namespace berth {
namespace {

class FoundTasksTest : public testing::Test {
 protected:
  FoundTasksTest() { std::filesystem::create_directory(dir_.File("jobs")); }

  TaskFolder Make(uint64_t job, int attempt, uint64_t allocation) {
    JournaledTask task;
    task.assignment.set_job_id(job);
    task.assignment.set_attempt(attempt);
    task.assignment.set_allocation_id(allocation);
    task.assignment.set_assign_seq(4);
    task.assignment.set_job_name("line\nend");
    task.rendezvous_port = 20007;
    absl::StatusOr<TaskFolder> folder = TaskFolder::Make(dir_.path(), job, attempt, {});
    EXPECT_TRUE(folder.ok()) << folder.status();
    TaskFile file{.argv = {"true"}, .ranks = {{}}};
    file.agent_record = EncodeFoundTask(task);
    EXPECT_TRUE(folder->WriteFile(kTaskFileName, EncodeTaskFile(file), 0600).ok());
    return *std::move(folder);
  }

  TempDir dir_;
};

TEST_F(FoundTasksTest, ComeBackWhole) {
  Make(7, 0, 11);
  Make(7, 2, 12);
  const std::vector<JournaledTask> found = FindTasks(dir_.path());
  ASSERT_EQ(found.size(), 2u);
  for (const JournaledTask& task : found) {
    EXPECT_EQ(task.assignment.job_id(), 7u);
    EXPECT_EQ(task.assignment.allocation_id(), task.assignment.attempt() == 0 ? 11u : 12u);
    EXPECT_EQ(task.assignment.assign_seq(), 4);
    EXPECT_EQ(task.assignment.job_name(), "line\nend");
    EXPECT_EQ(task.rendezvous_port, 20007);
  }
}

TEST_F(FoundTasksTest, WhatIsAcknowledgedIsNotFound) {
  Make(7, 0, 11).Drop();
  EXPECT_TRUE(FindTasks(dir_.path()).empty());
}

// A copied folder, a file of something else, and no folder at all.
TEST_F(FoundTasksTest, WhatIsNoTaskIsLeftOut) {
  const TaskFolder folder = Make(7, 0, 11);
  std::filesystem::copy(folder.path(), dir_.File("jobs/7/3"),
                        std::filesystem::copy_options::recursive);
  std::filesystem::create_directories(dir_.File("jobs/8/0"));
  std::ofstream(dir_.File("jobs/8/0/task")) << "not one";
  std::filesystem::create_directories(dir_.File("jobs/notes/0"));
  EXPECT_EQ(FindTasks(dir_.path()).size(), 1u);
  EXPECT_TRUE(FindTasks(dir_.File("nowhere")).empty());
}

}  // namespace
}  // namespace berth
