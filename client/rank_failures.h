#ifndef BERTH_CLIENT_RANK_FAILURES_H_
#define BERTH_CLIENT_RANK_FAILURES_H_

// What went wrong with some ranks of a job while the others go on: told once for all that met the
// same, and what a command exits with for it.

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "client/command.h"

namespace berth {

class RankFailures {
 public:
  // Of so many ranks.
  explicit RankFailures(size_t ranks) : ranks_(ranks) {}

  // `rank` has failed for good. Requires: `status` is not OK.
  void Add(int32_t rank, const absl::Status& status, absl::Time now);
  // When Tell has something to say: a little after the first failure, when the others of its cause
  // have come. InfiniteFuture: nothing is untold, or all have failed and Result says it.
  absl::Time TellTime() const;
  // Writes the errors that are untold.
  void Tell(Context& context);
  // At the end: tells the rest. 0 if none failed; an error if all failed of one cause that is
  // untold; the exit code of all, if all failed alike; else that of a command that is partly done.
  absl::StatusOr<int> Result(Context& context);

 private:
  struct Failure {
    int32_t rank = 0;
    absl::Status status;
  };
  const size_t ranks_;
  size_t failed_ = 0;
  std::set<int> exit_codes_;  // that they would end a command with
  std::vector<Failure> untold_;
  absl::Time first_untold_;
};

}  // namespace berth

#endif  // BERTH_CLIENT_RANK_FAILURES_H_
