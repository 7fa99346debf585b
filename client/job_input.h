#ifndef BERTH_CLIENT_JOB_INPUT_H_
#define BERTH_CLIENT_JOB_INPUT_H_

// What is typed here, or comes from a pipe or a file, on its way to a job's standard input, while
// the caller shows what the job writes.

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "client/api_client.h"
#include "client/command.h"

namespace berth {

// Owned by a command, one thread; two of its own carry the bytes. Says on standard error what does
// not reach the job, and ends nothing else for that: the job goes on.
class JobInput {
 public:
  JobInput(Context& context, ApiClient& api);
  JobInput(const JobInput&) = delete;
  JobInput& operator=(const JobInput&) = delete;
  ~JobInput();

  // For the attempt of the job that runs now. Requires: it is stopped.
  void Start(uint64_t job_id);
  void Stop();

 private:
  void Carry();
  void TellLost(const std::string& why);

  Context& context_;
  ApiClient& api_;
  const int stop_;  // readable: no more is to be read from the caller's input
  uint64_t job_id_ = 0;
  std::unique_ptr<JobChannel> channel_;
  std::atomic<bool> stopped_ = true;
  std::thread carrier_;
};

}  // namespace berth

#endif  // BERTH_CLIENT_JOB_INPUT_H_
