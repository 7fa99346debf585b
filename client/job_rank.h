#ifndef BERTH_CLIENT_JOB_RANK_H_
#define BERTH_CLIENT_JOB_RANK_H_

// How people name a place inside a job: 4812, 4812/13 for a rank of it.

#include <cstdint>

#include "absl/status/statusor.h"

#include "client/api_client.h"
#include "client/option.h"

namespace berth {

struct JobRank {
  uint64_t job = 0;
  int32_t rank = -1;  // -1: not named
};

// The job as FindJobId takes it.
absl::StatusOr<JobRank> FindJobRank(ApiClient& api, const Word& word);

}  // namespace berth

#endif  // BERTH_CLIENT_JOB_RANK_H_
