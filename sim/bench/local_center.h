#ifndef BERTH_SIM_BENCH_LOCAL_CENTER_H_
#define BERTH_SIM_BENCH_LOCAL_CENTER_H_

// A small center of the shipped binaries on loopback, in a temporary folder, for one benchmark.

#include <memory>
#include <string>
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

class LocalCenter {
 public:
  // `bin` holds the binaries. Without agents jobs stay pending.
  static absl::StatusOr<std::unique_ptr<LocalCenter>> Start(absl::string_view bin, int agents);
  LocalCenter(const LocalCenter&) = delete;
  LocalCenter& operator=(const LocalCenter&) = delete;
  // Ends what was started and removes the folder.
  ~LocalCenter();

  const std::string& address() const { return address_; }
  const std::string& token() const { return token_; }
  // BERTH_SERVER and BERTH_TOKEN for the client.
  std::vector<std::string> Environment() const;

 private:
  LocalCenter(absl::string_view bin, std::string folder) : bin_(bin), folder_(std::move(folder)) {}
  absl::Status StartScheduler();
  absl::Status StartAgent(int number);
  absl::Status WaitForNodes(int agents);

  std::string bin_;
  std::string folder_;
  std::string address_;
  std::string token_;
  std::vector<pid_t> processes_;
};

}  // namespace berth

#endif  // BERTH_SIM_BENCH_LOCAL_CENTER_H_
