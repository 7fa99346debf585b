#ifndef BERTH_TESTS_CLIENT_FAKE_SCHEDULER_H_
#define BERTH_TESTS_CLIENT_FAKE_SCHEDULER_H_

// A scheduler that says what a test tells it to, on a port of its own, and a way to run `berth`
// against it.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include <grpcpp/grpcpp.h>

#include "client/commands/dispatch.h"
#include "common/credentials.h"
#include "common/grpc_status.h"
#include "proto/client_api.grpc.pb.h"
#include "tests/client/fake_center.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace berth {

// What is asked and changed about jobs.
class FakeService : public FakeCenter {
 public:
  template <typename Response>
  using Answer = std::function<absl::Status(Response&)>;

  grpc::Status WhoAmI(grpc::ServerContext* context, const v1::WhoAmIRequest*,
                      v1::WhoAmIResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    const auto& metadata = context->client_metadata();
    const auto found = metadata.find("authorization");
    authorization =
        found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
    response->mutable_user()->set_name("wei");
    response->mutable_user()->set_tenant("acme");
    response->mutable_user()->set_role(role);
    return grpc::Status::OK;
  }

  grpc::Status SubmitJob(grpc::ServerContext* context, const v1::SubmitJobRequest* request,
                         v1::SubmitJobResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    submissions.push_back(*request);
    if (const absl::Status status = TakeFailure(); !status.ok()) {
      return ToGrpcStatus(status, context);
    }
    response->set_job_id(request->dry_run() ? 0 : 4812);
    return grpc::Status::OK;
  }

  grpc::Status GetJob(grpc::ServerContext* context, const v1::GetJobRequest* request,
                      v1::GetJobResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    ++gets;
    *response->mutable_job() = JobOf(request->job_id());
    *response->mutable_spec() = spec;
    response->mutable_spec()->mutable_command()->Assign(command.begin(), command.end());
    if (requeue.has_value()) {
      *response->mutable_spec()->mutable_requeue() = *requeue;
    }
    response->mutable_spec()->set_launch(request->with_spec() ? launch
                                                              : v1::LAUNCH_MODE_UNSPECIFIED);
    return ToGrpcStatus(TakeFailure(), context);
  }

  grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    lists.push_back(*request);
    for (const auto& [id, job] : jobs) {
      if (request->array_id() == 0 || request->array_id() == job.array_id()) {
        *response->add_jobs() = job;
      }
      if (request->with_matrices() && knows_matrices && job.array_id() != 0) {
        v1::ArrayMatrix& array = *response->add_matrices();
        array.set_array_id(job.array_id());
        *array.mutable_matrix() = spec.matrix();
      }
    }
    return ToGrpcStatus(TakeFailure(), context);
  }

  grpc::Status WaitJob(grpc::ServerContext* context, const v1::WaitJobRequest* request,
                       v1::WaitJobResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    *response->mutable_job() = JobOf(request->job_id());
    response->set_done(!never_done);
    if (never_done) {
      usleep(static_cast<useconds_t>(request->timeout_ms()) * 1000);
    }
    return ToGrpcStatus(TakeFailure(), context);
  }

  grpc::Status CancelJob(grpc::ServerContext* context, const v1::CancelJobRequest* request,
                         v1::CancelJobResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    cancels.push_back(*request);
    uint64_t found = request->tasks_size() > 0 ? request->array_id() : request->job_id();
    for (const auto& [id, job] : jobs) {
      const bool is_it = request->tasks_size() == 1 && request->tasks(0).count() == 1 &&
                         job.array_id() == request->array_id() &&
                         job.array_index() == request->tasks(0).first();
      found = is_it ? id : found;
    }
    if (jobs.find(found) == jobs.end()) {
      return ToGrpcStatus(absl::NotFoundError("no such job"), context);
    }
    *response->mutable_job() = jobs[found];
    if (request->tasks_size() > 0) {
      *response->mutable_tasks() = cancelled_tasks;
    }
    return grpc::Status::OK;
  }

  grpc::Status FindArrayTask(grpc::ServerContext* context, const v1::FindArrayTaskRequest* request,
                             v1::FindArrayTaskResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    for (const auto& [id, job] : jobs) {
      if (job.array_id() == request->array_id() && job.array_index() == request->index()) {
        response->set_job_id(id);
        return grpc::Status::OK;
      }
    }
    return ToGrpcStatus(absl::NotFoundError("no such task"), context);
  }

  grpc::Status StreamLogs(grpc::ServerContext* context, const v1::StreamLogsRequest* request,
                          grpc::ServerWriter<v1::StreamLogsResponse>* writer) override {
    while (await_log && !await_log() && !context->IsCancelled()) {
      usleep(1000);
    }
    std::unique_lock<std::mutex> lock(mu);
    log_requests.push_back(*request);
    if (!rank_logs.empty()) {
      const auto found = rank_logs.find(request->rank());
      const RankLog rank = found == rank_logs.end()
                               ? RankLog{.pieces = {}, .end = absl::NotFoundError("no such rank")}
                               : found->second;
      if (found != rank_logs.end()) {
        found->second.end = absl::OkStatus();
      }
      lock.unlock();  // a reader who waits for another log holds this one back
      return ToGrpcStatus(rank.WriteTo(request->offset_bytes(), *writer), context);
    }
    // Two pieces per stream; a planned failure breaks it after the first.
    int64_t offset = request->offset_bytes();
    for (int piece = 0; piece < 2 && offset < static_cast<int64_t>(log.size()); ++piece) {
      v1::StreamLogsResponse response;
      const auto half = (log.size() + 1) / 2;
      response.set_data(log.substr(static_cast<size_t>(offset), half));
      response.set_offset_bytes(offset);
      response.set_rank(0);
      offset += static_cast<int64_t>(response.data().size());
      writer->Write(response);
      if (const absl::Status status = TakeFailure(); !status.ok()) {
        return ToGrpcStatus(status, context);
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status UpdateJob(grpc::ServerContext*, const v1::UpdateJobRequest* request,
                         v1::UpdateJobResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    updates.push_back(*request);
    *response->mutable_job() = JobOf(request->job_id());
    return grpc::Status::OK;
  }

  grpc::Status ExplainJob(grpc::ServerContext* context, const v1::ExplainJobRequest* request,
                          v1::ExplainJobResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    explained.push_back(*request);
    *response->mutable_explanation() =
        explained.size() > 2 && later_explanation.has_value() ? *later_explanation : explanation;
    return ToGrpcStatus(TakeFailure(), context);
  }

  // Of a job's standard input only.
  grpc::Status EnterJob(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::ChannelOutput, v1::ChannelInput>* stream) override {
    v1::ChannelInput input;
    v1::ChannelOutput output;
    while (stream->Read(&input)) {
      const std::lock_guard<std::mutex> lock(mu);
      inputs.push_back(input);
      if (const absl::Status status = input.has_enter() ? enter_status : absl::OkStatus();
          !status.ok()) {
        return ToGrpcStatus(status, context);
      }
      if (input.end_of_data()) {
        break;
      }
    }
    *output.mutable_end() = channel_end;
    stream->Write(output);
    return grpc::Status::OK;
  }

  // One rank's log: its pieces, and how its first stream ends; the next ones end well.
  struct RankLog {
    std::vector<v1::StreamLogsResponse> pieces;
    absl::Status end;

    absl::Status WriteTo(int64_t offset, grpc::ServerWriter<v1::StreamLogsResponse>& writer) const {
      for (const v1::StreamLogsResponse& piece : pieces) {
        if (piece.offset_bytes() >= offset) {
          writer.Write(piece);
        }
      }
      return end;
    }
  };

  std::deque<absl::Status> failures;  // of the next calls, in order
  std::map<uint64_t, v1::Job> jobs;
  v1::Role role = v1::ROLE_MEMBER;
  bool never_done = false;
  std::vector<std::string> command = {"python"};
  v1::JobSpec spec;  // of every job, less what follows
  std::optional<v1::RequeuePolicy> requeue;
  v1::LaunchMode launch = v1::LAUNCH_MODE_NODE;
  std::string log;
  std::map<int, RankLog> rank_logs;  // instead of `log`, if there are any
  std::function<bool()> await_log;   // no log is sent before it is true
  std::string authorization;
  std::vector<v1::SubmitJobRequest> submissions;
  std::vector<v1::ListJobsRequest> lists;
  bool knows_matrices = false;  // a scheduler whose listings have them
  int gets = 0;                 // calls of GetJob
  std::vector<v1::StreamLogsRequest> log_requests;
  std::vector<v1::ChannelInput> inputs;
  absl::Status enter_status;  // of EnterJob
  v1::ChannelEnd channel_end;
  v1::Explanation explanation;
  std::optional<v1::Explanation> later_explanation;  // from the third call on
  std::vector<v1::ExplainJobRequest> explained;
  std::vector<v1::UpdateJobRequest> updates;
  std::vector<v1::CancelJobRequest> cancels;
  v1::CancelledTasks cancelled_tasks;

 private:
  absl::Status TakeFailure() {
    if (failures.empty()) {
      return absl::OkStatus();
    }
    absl::Status status = failures.front();
    failures.pop_front();
    return status;
  }

  v1::Job JobOf(uint64_t id) {
    v1::Job job = jobs[id];
    job.set_id(id);
    return job;
  }
};

// What one call of `berth` did.
struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

// Runs `berth` in this process with these variables only.
inline Outcome RunBerth(const std::vector<std::string>& words, const Environment& environment) {
  const int out = memfd_create("out", 0);
  const int err = memfd_create("err", 0);
  Outcome outcome;
  {
    Console console(out, err);
    Context context(console, environment);
    context.input = open("/dev/null", O_RDONLY | O_CLOEXEC);  // no terminal, whoever runs the test
    outcome.code = RunClient(words, context);
    console.Flush();
    close(context.input);
  }
  for (auto [file, text] : {
           std::pair{out, &outcome.out},
           std::pair{err, &outcome.err}
  }) {
    text->resize(static_cast<size_t>(lseek(file, 0, SEEK_END)));
    if (pread(file, text->data(), text->size(), 0) < 0) {
      text->clear();
    }
    close(file);
  }
  return outcome;
}

// A served FakeService.
class FakeScheduler {
 public:
  FakeScheduler() { Start(); }
  ~FakeScheduler() { Stop(); }

  void Start() {
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", port_), grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(&service);
    server_ = builder.BuildAndStart();
  }

  void Stop() {
    if (server_ != nullptr) {
      server_->Shutdown(std::chrono::system_clock::now());
      server_ = nullptr;
    }
  }

  Environment environment() const {
    return {
        {"BERTH_SERVER", absl::StrCat("127.0.0.1:", port_)},
        {"BERTH_TOKEN",              token_                          },
        {"BERTH_CONFIG",              "/dev/null"},
        {"BERTH_RECONNECT",              reconnect                       }
    };
  }
  const std::string& token() const { return token_; }

  Outcome Run(const std::vector<std::string>& words) { return RunBerth(words, environment()); }

  FakeService service;
  // How long a lost scheduler is looked for: as long as a loaded machine may take, unless the test
  // is about giving up.
  std::string reconnect = "60s";

 private:
  int port_ = 0;
  const std::string token_ = FormatBearerToken(NewBearerToken());
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace berth

#endif  // BERTH_TESTS_CLIENT_FAKE_SCHEDULER_H_
