#include "sim/bench/api_bench.h"

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include <grpcpp/grpcpp.h>

#include "common/grpc_status.h"
#include "common/status_macros.h"
#include "sim/bench/bench_client.h"
#include "sim/bench/local_center.h"
#include "sim/bench/samples.h"

namespace berth {
namespace {

v1::SubmitJobRequest TrueJob(const std::string& key) {
  return JobOf(key, {"/bin/true"});
}

class ApiBench {
 public:
  ApiBench(absl::string_view bin, const ApiBenchOptions& options, const LocalCenter& center)
      : bin_(bin), options_(options), center_(center), client_(center) {}

  // Jobs that cannot start: what is measured is the submission alone.
  absl::Status FillCluster() {
    for (int i = 0; i < 8; ++i) {
      RETURN_IF_ERROR(
          client_.Submit(JobOf(absl::StrCat("fill-", i), {"/bin/sleep", "3600"})).status());
    }
    return absl::OkStatus();
  }

  absl::Status Sequential() {
    Samples samples;
    const absl::Time begin = absl::Now();
    for (int i = 0; i < options_.sequential; ++i) {
      const absl::Time sent = absl::Now();
      RETURN_IF_ERROR(client_.Submit(TrueJob(absl::StrCat("seq-", i))).status());
      samples.Add(absl::Now() - sent);
    }
    const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
    std::printf("submit, one at a time        %8.0f /s   %s\n", options_.sequential / seconds,
                samples.Summary().c_str());
    return absl::OkStatus();
  }

  absl::Status Parallel() {
    struct Call {
      grpc::ClientContext context;
      v1::SubmitJobRequest request;
      v1::SubmitJobResponse response;
      absl::Time sent;
    };
    const absl::Time begin = absl::Now();
    // Outstanding calls are bounded by their number: each answer sends the next.
    std::atomic<int> next = 0;
    std::atomic<int> failed = 0;
    absl::Mutex mu;
    Samples samples;
    int running = options_.outstanding;
    std::function<void()> send = [&] {
      const int number = next.fetch_add(1);
      if (number >= options_.parallel) {
        absl::MutexLock lock(&mu);
        --running;
        return;
      }
      auto* call = new Call;
      client_.Authorize(call->context);
      call->request = TrueJob(absl::StrCat("par-", number));
      call->sent = absl::Now();
      client_.stub().async()->SubmitJob(&call->context, &call->request, &call->response,
                                        [&, call](const grpc::Status& status) {
                                          failed += status.ok() ? 0 : 1;
                                          {
                                            absl::MutexLock lock(&mu);
                                            samples.Add(absl::Now() - call->sent);
                                          }
                                          delete call;
                                          send();
                                        });
    };
    for (int i = 0; i < options_.outstanding; ++i) {
      send();
    }
    const auto done = [&running] { return running == 0; };
    absl::MutexLock lock(&mu);
    mu.Await(absl::Condition(&done));
    if (failed > 0) {
      return absl::InternalError(absl::StrCat(failed.load(), " submissions failed"));
    }
    const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
    std::printf("submit, %3d outstanding      %8.0f /s   %s\n", options_.outstanding,
                options_.parallel / seconds, samples.Summary().c_str());
    return absl::OkStatus();
  }

  absl::Status Bulk() {
    constexpr int kBatch = 1000;
    const absl::Time begin = absl::Now();
    for (int first = 0; first < options_.bulk; first += kBatch) {
      v1::SubmitJobsRequest request;
      for (int i = 0; i < kBatch; ++i) {
        *request.add_jobs() = TrueJob(absl::StrCat("bulk-", first + i));
      }
      grpc::ClientContext context;
      client_.Authorize(context);
      v1::SubmitJobsResponse response;
      RETURN_IF_ERROR(
          FromGrpcStatus(client_.stub().SubmitJobs(&context, request, &response), context));
    }
    const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
    std::printf("submit, bulk of 1,000        %8.0f /s\n", options_.bulk / seconds);
    return absl::OkStatus();
  }

  absl::Status Processes() {
    const std::vector<std::string> environment = center_.Environment();
    Samples submit;
    Samples bin_true;
    for (int i = 0; i < options_.processes; ++i) {
      absl::Time begin = absl::Now();
      RETURN_IF_ERROR(RunProcess({"/bin/true"}, environment).status());
      bin_true.Add(absl::Now() - begin);
      begin = absl::Now();
      RETURN_IF_ERROR(
          RunProcess({absl::StrCat(bin_, "/berth"), "submit", "--parsable", "--hold", "--", "true"},
                     environment)
              .status());
      submit.Add(absl::Now() - begin);
    }
    std::printf(
        "berth submit, a process      p50 %.2f ms; /bin/true p50 %.2f ms; above it %.2f ms\n",
        absl::ToDoubleMilliseconds(submit.Percentile(0.5)),
        absl::ToDoubleMilliseconds(bin_true.Percentile(0.5)),
        absl::ToDoubleMilliseconds(submit.Percentile(0.5) - bin_true.Percentile(0.5)));
    return absl::OkStatus();
  }

  // From the call's start until the scheduler knows that the process runs, on an idle center.
  absl::Status Runs() {
    Samples running;
    Samples ended;
    for (int i = 0; i < options_.runs; ++i) {
      const absl::Time begin = absl::Now();
      absl::StatusOr<uint64_t> id = client_.Submit(TrueJob(absl::StrCat("run-", i)));
      RETURN_IF_ERROR(id.status());
      RETURN_IF_ERROR(client_.Await(*id, v1::WaitJobRequest::UNTIL_STARTED));
      running.Add(absl::Now() - begin);
      RETURN_IF_ERROR(client_.Await(*id, v1::WaitJobRequest::UNTIL_ENDED));
      ended.Add(absl::Now() - begin);
    }
    std::printf("true, submit to running      %s\n", running.Summary().c_str());
    std::printf("true, submit to ended        %s\n", ended.Summary().c_str());
    return absl::OkStatus();
  }

 private:
  std::string bin_;
  const ApiBenchOptions& options_;
  const LocalCenter& center_;
  const BenchClient client_;
};

}  // namespace

absl::Status RunApiBench(absl::string_view bin, const ApiBenchOptions& options) {
  {
    auto center = LocalCenter::Start(bin, {.folder = options.folder});
    RETURN_IF_ERROR(center.status());
    ApiBench bench(bin, options, **center);
    RETURN_IF_ERROR(bench.Runs());
  }
  auto center = LocalCenter::Start(bin, {.folder = options.folder});
  RETURN_IF_ERROR(center.status());
  ApiBench bench(bin, options, **center);
  RETURN_IF_ERROR(bench.FillCluster());
  RETURN_IF_ERROR(bench.Sequential());
  RETURN_IF_ERROR(bench.Processes());
  RETURN_IF_ERROR(bench.Parallel());
  return bench.Bulk();
}

}  // namespace berth
