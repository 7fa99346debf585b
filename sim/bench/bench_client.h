#ifndef BERTH_SIM_BENCH_BENCH_CLIENT_H_
#define BERTH_SIM_BENCH_BENCH_CLIENT_H_

// The calls to a center's API that several benchmarks make, as its operator. Safe from any thread.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include <grpcpp/grpcpp.h>

#include "proto/client_api.grpc.pb.h"
#include "sim/bench/local_center.h"

namespace berth {

// A job of one task on one device.
v1::SubmitJobRequest JobOf(const std::string& key, const std::vector<std::string>& command);

class BenchClient {
 public:
  explicit BenchClient(const LocalCenter& center);

  v1::Client::Stub& stub() const { return *stub_; }
  void Authorize(grpc::ClientContext& context) const;

  // The id of the job.
  absl::StatusOr<uint64_t> Submit(const v1::SubmitJobRequest& request) const;
  // The job as it is when it got there, or else after `patience`, at most a minute.
  absl::StatusOr<v1::WaitJobResponse> Wait(uint64_t job, v1::WaitJobRequest::Until until,
                                           absl::Duration patience) const;
  // DeadlineExceeded if it does not get there within half a minute.
  absl::Status Await(uint64_t job, v1::WaitJobRequest::Until until) const;
  // The center's first node.
  absl::StatusOr<v1::Node> GetNode() const;

 private:
  const std::string token_;
  const std::unique_ptr<v1::Client::Stub> stub_;
};

}  // namespace berth

#endif  // BERTH_SIM_BENCH_BENCH_CLIENT_H_
