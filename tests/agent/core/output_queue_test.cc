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

v1::AgentMessage Heartbeat() {
  v1::AgentMessage message;
  message.mutable_heartbeat();
  return message;
}

TEST(OutputQueue, WithoutOutputsNothingIsToBeDone) {
  OutputQueue queue;
  EXPECT_EQ(queue.Begin(), nullptr);
  EXPECT_FALSE(queue.busy());
}

TEST(OutputQueue, WhatIsAddedMeanwhileWaitsAndIsOneOutput) {
  OutputQueue queue;
  queue.Add(Preparing(11));
  const AgentOutput* first = queue.Begin();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->journal.size(), 1u);
  queue.Add(Preparing(12));
  queue.Add(Heartbeat());
  queue.Add(Preparing(13));
  EXPECT_TRUE(queue.busy());
  EXPECT_EQ(queue.Begin(), nullptr);
  EXPECT_EQ(ActionsOf<PrepareTask>(queue.under_way())[0].assignment.allocation_id(), 11u);

  queue.Finish();
  const AgentOutput* second = queue.Begin();
  ASSERT_NE(second, nullptr);
  EXPECT_TRUE(second->must_sync);
  EXPECT_EQ(second->journal.size(), 2u);
  EXPECT_EQ(ActionsOf<PrepareTask>(*second).size(), 2u);
  EXPECT_EQ(second->messages.size(), 1u);
}

TEST(OutputQueue, AStopStaysBehindItsTask) {
  OutputQueue queue;
  queue.Add(Preparing(11));
  queue.Add(Stopping(11));
  const AgentOutput* output = queue.Begin();
  ASSERT_NE(output, nullptr);
  ASSERT_EQ(output->actions.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<PrepareTask>(output->actions[0]));
  EXPECT_TRUE(std::holds_alternative<StopTask>(output->actions[1]));
}

TEST(OutputQueue, WhatIsNotToBeForcedToDiskStaysSo) {
  OutputQueue queue;
  queue.Add(Stopping(11));
  queue.Add(Heartbeat());
  EXPECT_FALSE(queue.Begin()->must_sync);
}

TEST(OutputQueue, MessagesGoWithTheirStream) {
  OutputQueue queue;
  AgentOutput both = Preparing(11);
  both.messages.push_back(Heartbeat());
  queue.Add(std::move(both));
  queue.Begin();
  queue.Add(Heartbeat());
  queue.DropMessages();
  EXPECT_TRUE(queue.under_way().messages.empty());
  EXPECT_EQ(queue.under_way().actions.size(), 1u);
  queue.Finish();
  EXPECT_TRUE(queue.Begin()->messages.empty());
}

}  // namespace
}  // namespace berth
