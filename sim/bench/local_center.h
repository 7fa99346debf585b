#ifndef BERTH_SIM_BENCH_LOCAL_CENTER_H_
#define BERTH_SIM_BENCH_LOCAL_CENTER_H_

// A small center of the shipped binaries on loopback, in a temporary folder, for one benchmark.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include <sys/types.h>

namespace berth {

// Starts a program with its output in a file; "" discards it. `environment` is added to this one's.
absl::StatusOr<pid_t> StartProcess(const std::vector<std::string>& argv,
                                   absl::string_view output_path,
                                   const std::vector<std::string>& environment = {});
// Runs a program to its end and returns what it printed; an exit other than 0 is an error.
absl::StatusOr<std::string> RunProcess(const std::vector<std::string>& argv,
                                       const std::vector<std::string>& environment = {});

struct LocalCenterOptions {
  std::string folder;  // in which the center makes one for its data; empty: $TMPDIR, or /tmp
  int agents = 1;      // without any, jobs stay pending
  int devices = 8;     // of each, simulated; at most 64
  // Further tables of the two configuration files.
  std::string scheduler_tables;
  std::string agent_tables;
};

class LocalCenter {
 public:
  // `bin` holds the binaries.
  static absl::StatusOr<std::unique_ptr<LocalCenter>> Start(absl::string_view bin,
                                                            const LocalCenterOptions& options);
  LocalCenter(const LocalCenter&) = delete;
  LocalCenter& operator=(const LocalCenter&) = delete;
  // Ends what was started and removes the folder.
  ~LocalCenter();

  const std::string& address() const { return address_; }
  const std::string& token() const { return token_; }
  const std::string& folder() const { return folder_; }
  pid_t scheduler_pid() const { return processes_[0]; }
  // Of the first agent. Requires: one.
  pid_t agent_pid() const { return processes_[1]; }
  // BERTH_SERVER and BERTH_TOKEN for the client.
  std::vector<std::string> Environment() const;

 private:
  LocalCenter(absl::string_view bin, std::string folder, LocalCenterOptions options)
      : bin_(bin), folder_(std::move(folder)), options_(std::move(options)) {}
  absl::Status StartScheduler();
  absl::Status StartAgent(int number);
  absl::Status WaitForNodes();

  const std::string bin_;
  const std::string folder_;
  const LocalCenterOptions options_;
  std::string address_;
  std::string token_;
  std::vector<pid_t> processes_;  // the scheduler, then the agents
};

}  // namespace berth

#endif  // BERTH_SIM_BENCH_LOCAL_CENTER_H_
