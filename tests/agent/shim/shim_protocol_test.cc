#include "agent/shim/shim_protocol.h"

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/testing/temp_dir.h"
#include <fcntl.h>
#include <unistd.h>

namespace berth {
namespace {

TaskFile SampleTask() {
  TaskFile task;
  task.argv = {"/bin/sh", "-c", std::string("a\0b\n", 4), ""};
  task.working_directory = "/tmp";
  task.ranks.resize(2);
  task.ranks[0].log_path = "rank-0";
  task.ranks[0].environment = {"A=1", "B="};
  task.ranks[1].log_path = "rank-1";
  task.lock_paths = {"one.lock", "two.lock"};
  task.shared_lock_paths = {"three.lock"};
  task.user_id = 1000;
  task.time_limit_ms = 5000;
  task.lease_deadline_ns = 77;
  task.start_at_once = 1;
  task.sandbox = {
      .namespaces = 3,
      .private_mounts = 1,
      .shared_memory_bytes = 1 << 20,
      .drop_capabilities = 1,
      .task_folder = "/jobs/1/0",
      .output_folder = "/jobs/1/output",
      .image_root = "/srv/images/a",
      .image_mounts = {"/data"},
      .devices = {       "/dev/nvidia0"      },
      .groups = { "/cg/a",       "/cg/b"},
      .seccomp_program = std::string("\0\1\2", 3)
  };
  task.agent_record = std::string("a\0b", 3);
  task.idle_ms = 900;
  task.open_stdin = 1;
  return task;
}

TEST(ShimProtocol, TaskFileComesBack) {
  const auto task = DecodeTaskFile(EncodeTaskFile(SampleTask()));
  ASSERT_TRUE(task.has_value());
  EXPECT_EQ(task->argv, SampleTask().argv);
  EXPECT_EQ(task->working_directory, "/tmp");
  ASSERT_EQ(task->ranks.size(), 2u);
  EXPECT_EQ(task->ranks[0].environment, SampleTask().ranks[0].environment);
  EXPECT_EQ(task->lock_paths, SampleTask().lock_paths);
  EXPECT_EQ(task->shared_lock_paths, SampleTask().shared_lock_paths);
  EXPECT_EQ(task->sandbox.namespaces, 3);
  EXPECT_EQ(task->sandbox.private_mounts, 1);
  EXPECT_EQ(task->sandbox.shared_memory_bytes, 1 << 20);
  EXPECT_EQ(task->sandbox.drop_capabilities, 1);
  EXPECT_EQ(task->sandbox.task_folder, "/jobs/1/0");
  EXPECT_EQ(task->sandbox.output_folder, "/jobs/1/output");
  EXPECT_EQ(task->sandbox.devices, SampleTask().sandbox.devices);
  EXPECT_EQ(task->sandbox.groups, SampleTask().sandbox.groups);
  EXPECT_EQ(task->sandbox.seccomp_program, SampleTask().sandbox.seccomp_program);
  EXPECT_EQ(task->sandbox.image_root, "/srv/images/a");
  EXPECT_EQ(task->sandbox.image_mounts, SampleTask().sandbox.image_mounts);
  EXPECT_EQ(task->agent_record, std::string("a\0b", 3));
  EXPECT_EQ(task->idle_ms, 900);
  EXPECT_EQ(task->open_stdin, 1);
  EXPECT_EQ(task->user_id, 1000);
  EXPECT_EQ(task->group_id, -1);
  EXPECT_EQ(task->time_limit_ms, 5000);
  EXPECT_EQ(task->lease_deadline_ns, 77);
  EXPECT_EQ(task->start_at_once, 1);
}

TEST(ShimProtocol, ShortenedOrLengthenedTaskFileIsRefused) {
  const std::string bytes = EncodeTaskFile(SampleTask());
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(DecodeTaskFile(bytes.substr(0, length)).has_value()) << length;
  }
  EXPECT_FALSE(DecodeTaskFile(bytes + "x").has_value());
}

// A running task's file may be of the versions before: without a standard input, an idle limit, an
// agent's record, an image.
TEST(ShimProtocol, TaskFileOfAnEarlierVersionIsRead) {
  TaskFile sample = SampleTask();
  sample.sandbox.image_root.clear();
  sample.sandbox.image_mounts.clear();
  sample.agent_record.clear();
  std::string bytes = EncodeTaskFile(sample);
  bytes.resize(bytes.size() - sizeof(int64_t));
  bytes[0] = '5';  // "BTK5", the last letter first
  ASSERT_TRUE(DecodeTaskFile(bytes).has_value());
  EXPECT_EQ(DecodeTaskFile(bytes)->open_stdin, 0);
  bytes.resize(bytes.size() - sizeof(int64_t));
  bytes[0] = '4';
  ASSERT_TRUE(DecodeTaskFile(bytes).has_value());
  EXPECT_EQ(DecodeTaskFile(bytes)->idle_ms, 0);
  bytes.resize(bytes.size() - sizeof(uint32_t));  // an empty text
  bytes[0] = '3';
  EXPECT_TRUE(DecodeTaskFile(bytes).has_value());
  bytes.resize(bytes.size() - 2 * sizeof(uint32_t));  // an empty text and an empty list
  bytes[0] = '2';
  const auto task = DecodeTaskFile(bytes);
  ASSERT_TRUE(task.has_value());
  EXPECT_EQ(task->sandbox.seccomp_program, sample.sandbox.seccomp_program);
  EXPECT_EQ(task->sandbox.image_root, "");
  bytes[0] = '1';
  EXPECT_FALSE(DecodeTaskFile(bytes).has_value());
}

TEST(ShimProtocol, TaskWithoutCommandOrRanksIsRefused) {
  TaskFile task = SampleTask();
  task.argv.clear();
  EXPECT_FALSE(DecodeTaskFile(EncodeTaskFile(task)).has_value());
  task = SampleTask();
  task.ranks.clear();
  EXPECT_FALSE(DecodeTaskFile(EncodeTaskFile(task)).has_value());
}

TEST(ShimProtocol, StartFileComesBackWholeOrNotAtAll) {
  std::vector<std::vector<std::string>> environments(3);
  environments[0] = {"A=1"};
  environments[2] = {"B=2", "C="};
  const std::string bytes = EncodeStartFile(environments);
  EXPECT_EQ(DecodeStartFile(bytes), environments);
  EXPECT_FALSE(DecodeStartFile(bytes.substr(0, bytes.size() - 1)).has_value());
  EXPECT_FALSE(DecodeStartFile(EncodeTaskFile(SampleTask())).has_value());
}

TEST(ShimProtocol, ExitRecordComesBack) {
  const ExitRecord sample{.started_at_us = 1,
                          .ended_at_us = 2,
                          .exit_code = 127,
                          .signal = 9,
                          .failed_rank = -1,
                          .stop_reason = 5,
                          .exec_failed = 1,
                          .message = "two\nlines"};
  const auto record = DecodeExitRecord(EncodeExitRecord(sample));
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->started_at_us, 1);
  EXPECT_EQ(record->ended_at_us, 2);
  EXPECT_EQ(record->exit_code, 127);
  EXPECT_EQ(record->signal, 9);
  EXPECT_EQ(record->failed_rank, -1);
  EXPECT_EQ(record->stop_reason, 5);
  EXPECT_EQ(record->exec_failed, 1);
  EXPECT_EQ(record->message, "two lines");
}

TEST(ShimProtocol, ANoticeComesBackWithTheExitRecord) {
  ExitRecord sample{.exit_code = 3, .message = "why"};
  sample.notice.count = 7;
  sample.notice.at_ns = 5;
  sample.notice.checkpoint_at_ns = 6;
  sample.notice.progress_milli = 400;
  std::strcpy(sample.notice.checkpoint, "step=12");
  std::strcpy(sample.notice.text, "a\nb \xff");
  const std::string text = EncodeExitRecord(sample);
  const auto record = DecodeExitRecord(text);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->message, "why");
  EXPECT_EQ(record->notice.count, 7);
  EXPECT_EQ(record->notice.at_ns, 5);
  EXPECT_EQ(record->notice.checkpoint_at_ns, 6);
  EXPECT_EQ(record->notice.progress_milli, 400);
  EXPECT_STREQ(record->notice.checkpoint, "step=12");
  EXPECT_STREQ(record->notice.text, "a b \xff");
  EXPECT_FALSE(DecodeExitRecord(text.substr(0, text.size() - 1)).has_value());
  EXPECT_FALSE(DecodeExitRecord(text.substr(0, text.rfind('a'))).has_value());
}

TEST(ShimProtocol, CutExitRecordIsRefused) {
  const std::string text = EncodeExitRecord({.exit_code = 3, .message = "why"});
  EXPECT_FALSE(DecodeExitRecord("").has_value());
  EXPECT_FALSE(DecodeExitRecord("garbage\n").has_value());
  EXPECT_FALSE(DecodeExitRecord(text.substr(0, text.size() - 1)).has_value());
  EXPECT_FALSE(DecodeExitRecord(text.substr(0, 10)).has_value());
}

TEST(ShimProtocol, AFileThatIsWrittenOnceHoldsNothingElse) {
  const TempDir dir;
  const int folder = open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_TRUE(WriteOnceDurably(folder, "file", "longer"));
  ASSERT_TRUE(WriteOnceDurably(folder, "file", "short"));
  EXPECT_EQ(ReadFileAt(folder, "file"), "short");
  EXPECT_FALSE(WriteOnceDurably(folder, "no/file", "short"));
  close(folder);
}

TEST(ShimProtocol, DurableFileReplacesTheOldOneAndLeavesNoOther) {
  const TempDir dir;
  const int folder = open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  EXPECT_FALSE(ReadFileAt(folder, "file").has_value());
  ASSERT_TRUE(WriteFileDurably(folder, "file", "old"));
  ASSERT_TRUE(WriteFileDurably(folder, "file", "new"));
  EXPECT_EQ(ReadFileAt(folder, "file"), "new");
  EXPECT_NE(access(dir.File("file.new").c_str(), F_OK), 0);
  close(folder);
}

}  // namespace
}  // namespace berth
