#include "scheduler/rpc/channel_relay.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/error_detail.h"

namespace berth {
namespace {

using Pipe = FramePipe<std::string>;

class FramePipeTest : public testing::Test {
 protected:
  Pipe::Taken Take() {
    return pipe.Take(frame, end, [this] { ++wakes; });
  }
  bool Push(const std::string& text) {
    return pipe.Push(text, [this] { ++resumes; });
  }

  Pipe pipe;
  std::string frame;
  absl::Status end;
  int wakes = 0;
  int resumes = 0;
};

TEST_F(FramePipeTest, PassesFramesInOrderAndThenItsEnd) {
  EXPECT_TRUE(Push("one"));
  EXPECT_TRUE(Push("two"));
  pipe.Close(absl::OkStatus());
  EXPECT_EQ(Take(), Pipe::Taken::kFrame);
  EXPECT_EQ(frame, "one");
  EXPECT_EQ(Take(), Pipe::Taken::kFrame);
  EXPECT_EQ(frame, "two");
  EXPECT_EQ(Take(), Pipe::Taken::kEnd);
  EXPECT_TRUE(end.ok());
}

TEST_F(FramePipeTest, HoldsAFastEndBackAndWakesASlowOne) {
  EXPECT_EQ(Take(), Pipe::Taken::kNothing);
  for (size_t i = 0; i + 1 < Pipe::kFramesMax; ++i) {
    EXPECT_TRUE(Push("x"));
  }
  EXPECT_EQ(wakes, 1);
  EXPECT_FALSE(Push("last"));
  EXPECT_EQ(resumes, 0);
  EXPECT_EQ(Take(), Pipe::Taken::kFrame);
  EXPECT_EQ(resumes, 1);
  EXPECT_EQ(Take(), Pipe::Taken::kFrame);
  EXPECT_EQ(resumes, 1);
}

TEST_F(FramePipeTest, AnErrorDropsWhatNobodyTookAndFreesBothEnds) {
  while (Push("x")) {
  }
  pipe.Close(absl::CancelledError("gone"));
  pipe.Close(absl::OkStatus());
  EXPECT_EQ(resumes, 1);
  EXPECT_EQ(Take(), Pipe::Taken::kEnd);
  EXPECT_EQ(end, absl::CancelledError("gone"));
  EXPECT_TRUE(Push("late"));
  EXPECT_EQ(Take(), Pipe::Taken::kEnd);
}

TEST(Channel, OpensOnceForItsNodeOnlyAndSaysWhichItIs) {
  Channel channel(1, "token");
  EXPECT_FALSE(channel.Open(NodeId(7), "agent", [] {}));
  channel.Expect(NodeId(7), "node-7");
  EXPECT_FALSE(channel.Open(NodeId(8), "agent", [] {}));
  EXPECT_FALSE(channel.is_open());
  EXPECT_TRUE(channel.Open(NodeId(7), "agent", [] {}));
  EXPECT_FALSE(channel.Open(NodeId(7), "agent", [] {}));
  v1::ChannelOutput output;
  absl::Status end;
  EXPECT_EQ(channel.from_job().Take(output, end, [] {}),
            FramePipe<v1::ChannelOutput>::Taken::kFrame);
  EXPECT_EQ(output.node(), "node-7");
}

TEST(Channel, AnEndCancelsTheAgentsCallUnlessThatIsGone) {
  int cancels = 0;
  Channel channel(1, "token");
  channel.Expect(NodeId(7), "node-7");
  ASSERT_TRUE(channel.Open(NodeId(7), "agent", [&] { ++cancels; }));
  channel.End(absl::UnauthenticatedError("revoked"));
  channel.End(absl::CancelledError("later"));
  EXPECT_EQ(cancels, 1);
  v1::ChannelOutput output;
  absl::Status end;
  EXPECT_EQ(channel.from_job().Take(output, end, [] {}), FramePipe<v1::ChannelOutput>::Taken::kEnd);
  EXPECT_EQ(end, absl::UnauthenticatedError("revoked"));

  Channel released(2, "token");
  released.Expect(NodeId(7), "node-7");
  ASSERT_TRUE(released.Open(NodeId(7), "agent", [&] { ++cancels; }));
  released.Release();
  released.End(absl::CancelledError("gone"));
  EXPECT_EQ(cancels, 1);
}

TEST(Channel, CannotBeOpenedAfterItsEnd) {
  Channel channel(1, "token");
  channel.Expect(NodeId(7), "node-7");
  channel.End(absl::CancelledError("the client has gone"));
  EXPECT_FALSE(channel.Open(NodeId(7), "agent", [] {}));
}

TEST(ChannelRelayTest, BoundsTheChannelsOfOneToken) {
  ChannelRelay relay;
  std::vector<uint64_t> ids;
  for (int i = 0; i < ChannelRelay::kChannelsPerTokenMax; ++i) {
    ids.push_back((*relay.Add("greedy"))->id());
  }
  const auto refused = relay.Add("greedy");
  ASSERT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(FindDetail(refused.status())->code, "B8105");
  EXPECT_TRUE(relay.Add("modest").ok());
  relay.Remove(ids[0]);
  EXPECT_EQ(relay.Find(ids[0]), nullptr);
  EXPECT_TRUE(relay.Add("greedy").ok());
}

TEST(ChannelRelayTest, EndsTheChannelsOfRefusedClientsAndAgents) {
  ChannelRelay relay;
  const auto client = *relay.Add("bad");
  const auto agent = *relay.Add("good");
  const auto stays = *relay.Add("good");
  agent->Expect(NodeId(1), "node-1");
  ASSERT_TRUE(agent->Open(NodeId(1), "bad", [] {}));
  relay.CloseRefused([](absl::string_view token) {
    return token == "bad" ? absl::UnauthenticatedError("revoked") : absl::OkStatus();
  });
  v1::ChannelInput input;
  absl::Status end;
  using Taken = FramePipe<v1::ChannelInput>::Taken;
  EXPECT_EQ(client->to_job().Take(input, end, [] {}), Taken::kEnd);
  EXPECT_EQ(agent->to_job().Take(input, end, [] {}), Taken::kEnd);
  EXPECT_EQ(stays->to_job().Take(input, end, [] {}), Taken::kNothing);
}

}  // namespace
}  // namespace berth
