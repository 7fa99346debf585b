#ifndef BERTH_TESTS_TESTING_SCRIPTED_AGENT_H_
#define BERTH_TESTS_TESTING_SCRIPTED_AGENT_H_

// An agent that a test plays by hand over a real stream: it says what the test tells it to say, and
// runs nothing.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "proto/agent_api.grpc.pb.h"

namespace berth {

class ScriptedAgent {
 public:
  ScriptedAgent(const std::string& target, std::string node, std::string token, int devices = 8)
      : node_(std::move(node)), token_(std::move(token)), devices_(devices), target_(target) {
    Connect();
  }
  ~ScriptedAgent() { Disconnect(); }
  ScriptedAgent(const ScriptedAgent&) = delete;
  ScriptedAgent& operator=(const ScriptedAgent&) = delete;

  // Opens a stream; says nothing yet.
  void Connect() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
    channel_ = grpc::CreateCustomChannel(target_, grpc::InsecureChannelCredentials(), arguments);
    stub_ = v1::Agent::NewStub(channel_);
    context_ = std::make_unique<grpc::ClientContext>();
    Prepare(*context_);
    stream_ = stub_->Session(context_.get());
    kept_.clear();
  }
  void Disconnect() {
    if (stream_ != nullptr) {
      context_->TryCancel();
      v1::SchedulerMessage ignored;
      while (stream_->Read(&ignored)) {
      }
      stream_->Finish();
      stream_.reset();
    }
  }

  void Prepare(grpc::ClientContext& context) const {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    context.set_wait_for_ready(true);
    context.AddMetadata("authorization", "Bearer " + token_);
  }

  v1::Hello MakeHello() const {
    v1::Hello hello;
    hello.set_protocol_min(1);
    hello.set_protocol_max(1);
    hello.set_node(node_);
    hello.set_boot_id("boot-1");
    hello.set_incarnation(1);
    hello.set_assign_seq_max(assign_seq_max_);
    hello.set_sched_epoch_max(sched_epoch_);
    v1::NodeFacts& facts = *hello.mutable_facts();
    facts.set_hostname(node_);
    facts.set_address("127.0.0.1");
    facts.mutable_capacity()->set_cpu_milli(64000);
    facts.mutable_capacity()->set_memory_mib(1 << 20);
    for (int i = 0; i < devices_; ++i) {
      v1::Device& device = *facts.add_devices();
      device.set_index(i);
      device.set_device_class("sim");
      device.set_uuid(absl::StrCat(node_, "-", i));
      device.set_kind(v1::DEVICE_KIND_SIMULATED);
      device.set_health(v1::DEVICE_HEALTH_OK);
      device.set_minor_number(-1);
    }
    for (const v1::RunningTask& task : tasks_) {
      *hello.add_tasks() = task;
    }
    return hello;
  }

  void SayHello(const v1::Hello& hello) {
    v1::AgentMessage message;
    *message.mutable_hello() = hello;
    Write(message);
  }
  // The usual hello, accepted.
  void Join() {
    SayHello(MakeHello());
    const v1::SchedulerMessage answer = ReadUntil(v1::SchedulerMessage::kHelloAck);
    sched_epoch_ = answer.hello_ack().sched_epoch();
    EXPECT_GT(answer.hello_ack().node_id(), 0u);
    EXPECT_EQ(answer.hello_ack().cluster_id().size(), 32u);
  }

  void Write(const v1::AgentMessage& message) { stream_->Write(message); }

  // The next message of the kind; others before it are kept for later. The test fails if the stream
  // ends.
  v1::SchedulerMessage ReadUntil(v1::SchedulerMessage::KindCase kind) {
    v1::SchedulerMessage message;
    for (auto kept = kept_.begin(); kept != kept_.end(); ++kept) {
      if (kept->kind_case() == kind) {
        message = *kept;
        kept_.erase(kept);
        return message;
      }
    }
    while (stream_->Read(&message)) {
      if (message.kind_case() == kind) {
        return message;
      }
      kept_.push_back(message);
    }
    ADD_FAILURE() << node_ << ": the stream ended before message kind " << kind;
    return {};
  }
  // Reads to the end of the stream.
  grpc::Status ReadToEnd() {
    v1::SchedulerMessage ignored;
    while (stream_->Read(&ignored)) {
    }
    const grpc::Status status = stream_->Finish();
    stream_.reset();
    return status;
  }

  // The next assignment, remembered as a task.
  v1::Assignment TakeAssignment() {
    const v1::SchedulerMessage message = ReadUntil(v1::SchedulerMessage::kAssign);
    EXPECT_EQ(message.assign().assignments_size(), 1);
    const v1::Assignment assignment = message.assign().assignments(0);
    assign_seq_max_ = assignment.assign_seq();
    const auto token = message.assign().job_tokens().find(assignment.allocation_id());
    job_token_ = token == message.assign().job_tokens().end() ? "" : token->second;
    v1::RunningTask task;
    task.set_allocation_id(assignment.allocation_id());
    task.set_job_id(assignment.job_id());
    task.set_attempt(assignment.attempt());
    task.set_state(v1::TASK_STATE_JOURNALED);
    task.set_assign_seq(assignment.assign_seq());
    tasks_ = {task};
    return assignment;
  }

  v1::Report MakeReport(const v1::Assignment& assignment, v1::ReportKind kind) {
    v1::Report report;
    report.set_report_seq(++report_seq_);
    report.set_kind(kind);
    report.set_allocation_id(assignment.allocation_id());
    report.set_job_id(assignment.job_id());
    report.set_attempt(assignment.attempt());
    report.set_failed_rank(-1);
    return report;
  }
  // Sends a report and waits for its acknowledgement.
  void Tell(const v1::Report& report) {
    v1::AgentMessage message;
    *message.mutable_report() = report;
    Write(message);
    const v1::SchedulerMessage ack = ReadUntil(v1::SchedulerMessage::kReportAck);
    EXPECT_EQ(ack.report_ack().report_seqs(0), report.report_seq());
    if (report.kind() == v1::REPORT_KIND_STARTED && !tasks_.empty()) {
      tasks_[0].set_state(v1::TASK_STATE_RUNNING);
    }
    if (report.kind() == v1::REPORT_KIND_EXITED || report.kind() == v1::REPORT_KIND_KILLED) {
      tasks_.clear();
    }
  }
  void Tell(const v1::Assignment& assignment, v1::ReportKind kind) {
    Tell(MakeReport(assignment, kind));
  }

  void Beat() {
    v1::AgentMessage message;
    message.mutable_heartbeat()->set_heartbeat_seq(++heartbeat_seq_);
    message.mutable_heartbeat()->set_assign_seq_max(assign_seq_max_);
    for (const v1::RunningTask& task : tasks_) {
      *message.mutable_heartbeat()->add_tasks() = task;
    }
    Write(message);
  }

  v1::Agent::Stub& stub() { return *stub_; }
  const std::string& node() const { return node_; }
  // That came with the last assignment; empty: none did.
  const std::string& job_token() const { return job_token_; }

 private:
  const std::string node_;
  const std::string token_;
  const int devices_;
  const std::string target_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Agent::Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, v1::SchedulerMessage>> stream_;
  std::vector<v1::SchedulerMessage> kept_;
  std::vector<v1::RunningTask> tasks_;
  std::string job_token_;
  int64_t assign_seq_max_ = 0;
  uint64_t sched_epoch_ = 0;
  int64_t report_seq_ = 0;
  uint64_t heartbeat_seq_ = 0;
};

}  // namespace berth

#endif  // BERTH_TESTS_TESTING_SCRIPTED_AGENT_H_
