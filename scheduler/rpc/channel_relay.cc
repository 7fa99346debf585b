#include "scheduler/rpc/channel_relay.h"

#include <vector>

#include "absl/strings/str_cat.h"

#include "common/check.h"
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
  absl::MutexLock lock(&mu_);
  int& count = channels_by_token_[std::string(token_id)];
  if (count >= kChannelsPerTokenMax) {
    return MakeError(
        absl::StatusCode::kResourceExhausted,
        {.code = "B8105",
         .message = absl::StrCat("this token has ", count, " ways into jobs open already"),
         .why = absl::StrCat("one token may have ", kChannelsPerTokenMax, " at a time"),
         .fix = "end some of them first"});
  }
  ++count;
  auto channel = std::make_shared<Channel>(++last_id_, std::string(token_id));
  channels_[channel->id()] = channel;
  return channel;
}

std::shared_ptr<Channel> ChannelRelay::Find(uint64_t id) const {
  absl::MutexLock lock(&mu_);
  const auto found = channels_.find(id);
  return found == channels_.end() ? nullptr : found->second;
}

void ChannelRelay::Remove(uint64_t id) {
  absl::MutexLock lock(&mu_);
  const auto found = channels_.find(id);
  if (found == channels_.end()) {
    return;
  }
  const auto count = channels_by_token_.find(found->second->token_id());
  BERTH_CHECK(count != channels_by_token_.end());
  if (--count->second == 0) {
    channels_by_token_.erase(count);
  }
  channels_.erase(found);
}

void ChannelRelay::CloseRefused(const std::function<absl::Status(absl::string_view)>& check) {
  std::vector<std::shared_ptr<Channel>> channels;
  {
    absl::MutexLock lock(&mu_);
    for (const auto& [id, channel] : channels_) {
      channels.push_back(channel);
    }
  }
  for (const auto& channel : channels) {
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
