#include "agent/core/output_queue.h"

#include <cstdint>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tests/testing/agent_messages.h"

namespace berth {
namespace {

AgentOutput Preparing(uint64_t allocation) {
  AgentOutput output;
  output.journal.push_back(AssignmentAccepted{MakeAssignment(allocation, 1)});
  output.must_sync = true;
  output.actions.push_back(PrepareTask{MakeAssignment(allocation, 1), absl::Seconds(1)});
  return output;
}

AgentOutput Stopping(uint64_t allocation) {
  AgentOutput output;
  output.actions.push_back(StopTask{.allocation_id = allocation, .message = "why"});
  return output;
}

class OutputQueueTest : public AgentCoreTest {
 protected:
  // All at once, as where the disk takes records at once.
  void CarryOut(OutputQueue& queue, AgentOutput output, bool is_written = true) {
    queue.Add(std::move(output));
    ASSERT_NE(queue.Begin(core_), nullptr);
    queue.Finish(is_written);
  }
};

v1::AgentMessage Heartbeat() {
  v1::AgentMessage message;
  message.mutable_heartbeat();
  return message;
}

TEST_F(OutputQueueTest, WithoutOutputsNothingIsToBeDone) {
  OutputQueue queue;
  EXPECT_EQ(queue.Begin(core_), nullptr);
  EXPECT_FALSE(queue.busy());
}

TEST_F(OutputQueueTest, WhatIsAddedMeanwhileWaitsAndIsOneOutput) {
  OutputQueue queue;
  queue.Add(Preparing(11));
  const AgentOutput* first = queue.Begin(core_);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->journal.size(), 1u);
  queue.Add(Preparing(12));
  queue.Add(Heartbeat());
  queue.Add(Preparing(13));
  EXPECT_TRUE(queue.busy());
  EXPECT_EQ(queue.Begin(core_), nullptr);
  EXPECT_EQ(ActionsOf<PrepareTask>(queue.under_way())[0].assignment.allocation_id(), 11u);

  queue.Finish(true);
  const AgentOutput* second = queue.Begin(core_);
  ASSERT_NE(second, nullptr);
  EXPECT_TRUE(second->must_sync);
  EXPECT_EQ(second->journal.size(), 2u);
  EXPECT_EQ(ActionsOf<PrepareTask>(*second).size(), 2u);
  EXPECT_EQ(second->messages.size(), 1u);
}

TEST_F(OutputQueueTest, AStopStaysBehindItsTask) {
  OutputQueue queue;
  queue.Add(Preparing(11));
  queue.Add(Stopping(11));
  const AgentOutput* output = queue.Begin(core_);
  ASSERT_NE(output, nullptr);
  ASSERT_EQ(output->actions.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<PrepareTask>(output->actions[0]));
  EXPECT_TRUE(std::holds_alternative<StopTask>(output->actions[1]));
}

TEST_F(OutputQueueTest, WhatIsNotToBeForcedToDiskStaysSo) {
  OutputQueue queue;
  queue.Add(Stopping(11));
  queue.Add(Heartbeat());
  EXPECT_FALSE(queue.Begin(core_)->must_sync);
}

TEST_F(OutputQueueTest, MessagesGoWithTheirStream) {
  OutputQueue queue;
  AgentOutput both = Preparing(11);
  both.messages.push_back(Heartbeat());
  queue.Add(std::move(both));
  queue.Begin(core_);
  queue.Add(Heartbeat());
  queue.DropMessages();
  EXPECT_TRUE(queue.under_way().messages.empty());
  EXPECT_EQ(queue.under_way().actions.size(), 1u);
  queue.Finish(true);
  EXPECT_TRUE(queue.Begin(core_)->messages.empty());
}

// ---- What a heartbeat tells that does not wait for the disk ----

TEST_F(OutputQueueTest, WhileTheDiskIsSlowWhatWasSoBeforeIsTold) {
  OutputQueue queue;
  Connect();
  CarryOut(queue, Receive(Assign({MakeAssignment(11, 1)})));
  queue.Add(Receive(Assign({MakeAssignment(12, 2)})));
  queue.Begin(core_);
  queue.Add(Happens(TaskStarted{11}));
  ASSERT_TRUE(queue.told().has_value());
  EXPECT_EQ(queue.told()->assign_seq_max(), 1);
  ASSERT_EQ(queue.told()->tasks_size(), 1);
  EXPECT_EQ(queue.told()->tasks(0).state(), v1::TASK_STATE_JOURNALED);

  queue.Finish(true);
  EXPECT_EQ(queue.told()->assign_seq_max(), 2);
  EXPECT_EQ(queue.told()->tasks_size(), 2);
}

TEST_F(OutputQueueTest, AnEndIsNotToldBeforeItsReport) {
  OutputQueue queue;
  Connect();
  CarryOut(queue, Receive(Assign({MakeAssignment(11, 1)})));
  queue.Add(Receive(Assign({MakeAssignment(12, 2)})));
  queue.Begin(core_);
  queue.Add(Happens(TaskEnded{.allocation_id = 11}));
  queue.Finish(true);
  queue.Begin(core_);
  EXPECT_EQ(queue.told()->tasks(0).state(), v1::TASK_STATE_JOURNALED);
  queue.Finish(true);
  EXPECT_EQ(queue.told()->tasks(0).state(), v1::TASK_STATE_EXITED);
}

TEST_F(OutputQueueTest, WhatCouldNotBeWrittenIsNotTold) {
  OutputQueue queue;
  Connect();
  CarryOut(queue, Receive(Assign({MakeAssignment(11, 1)})), false);
  EXPECT_FALSE(queue.told().has_value());
}

TEST_F(OutputQueueTest, ANewStreamIsNotToldWhatTheOldOneWas) {
  OutputQueue queue;
  Connect();
  queue.Add(Receive(Assign({MakeAssignment(11, 1)})));
  queue.Begin(core_);
  core_.OnDisconnected();
  queue.DropMessages();
  queue.Finish(true);
  EXPECT_FALSE(queue.told().has_value());
  // The report of this end is for no stream; it goes with the answer to the hello.
  CarryOut(queue, Happens(TaskEnded{.allocation_id = 11}));
  EXPECT_FALSE(queue.told().has_value());
}

}  // namespace
}  // namespace berth
