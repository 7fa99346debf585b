#include "scheduler/rpc/channel_relay.h"

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"

namespace berth {

void Channel::Expect(NodeId node, std::string node_name) {
  absl::MutexLock lock(&mu_);
  node_ = node;
  node_name_ = std::move(node_name);
}

bool Channel::Open(NodeId node, const std::string& agent_token, std::function<void()> cancel) {
  v1::ChannelOutput opened;
  {
    absl::MutexLock lock(&mu_);
    if (opened_ || ended_ || !node_ || node != node_) {
      return false;
    }
    opened_ = true;
    agent_token_ = agent_token;
    cancel_ = std::move(cancel);
    opened.set_node(node_name_);
  }
  from_job_.Push(std::move(opened), [] {});
  return true;
}

void Channel::Release() {
  absl::MutexLock lock(&mu_);
  cancel_ = nullptr;
}

bool Channel::is_expected() const {
  absl::MutexLock lock(&mu_);
  return bool{node_};
}

bool Channel::is_open() const {
  absl::MutexLock lock(&mu_);
  return opened_;
}

std::string Channel::agent_token() const {
  absl::MutexLock lock(&mu_);
  return agent_token_;
}

void Channel::EndWell() {
  to_job_.Close(absl::OkStatus());
  from_job_.Close(absl::OkStatus());
}

void Channel::End(const absl::Status& end) {
  // In this order: the end of the agent's call would be a reason, too, and not this one.
  from_job_.Close(end);
  to_job_.Close(end);
  absl::MutexLock lock(&mu_);
  ended_ = true;
  // An agent that reads nothing because the command does not would not notice otherwise.
  if (cancel_ != nullptr) {
    cancel_();
    cancel_ = nullptr;
  }
}

absl::StatusOr<std::shared_ptr<Channel>> ChannelRelay::Add(absl::string_view token_id) {
  std::shared_ptr<Channel> channel = channels_.Add(token_id);
  if (channel == nullptr) {
    return MakeError(
        absl::StatusCode::kResourceExhausted,
        {.code = "B8105",
         .message =
             absl::StrCat("this token has ", kChannelsPerTokenMax, " ways into jobs open already"),
         .why = absl::StrCat("one token may have ", kChannelsPerTokenMax, " at a time"),
         .fix = "end some of them first"});
  }
  return channel;
}

void ChannelRelay::CloseRefused(const std::function<absl::Status(absl::string_view)>& check) {
  for (const auto& channel : channels_.All()) {
    absl::Status status = check(channel->token_id());
    const std::string agent = channel->agent_token();
    if (status.ok() && !agent.empty()) {
      status = check(agent);
    }
    if (!status.ok()) {
      channel->End(status);
    }
  }
}

}  // namespace berth
