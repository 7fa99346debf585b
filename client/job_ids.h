#ifndef BERTH_CLIENT_JOB_IDS_H_
#define BERTH_CLIENT_JOB_IDS_H_

// How people name jobs: 4812, 4812.7 (a task of an array), last, last~2, @name, 4800-4812, and
// lists of these with commas.

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "client/api_client.h"
#include "client/option.h"

namespace berth {

// In the order given, each once. `last`, `@name` and tasks ask the scheduler.
absl::StatusOr<std::vector<uint64_t>> FindJobIds(ApiClient& api, const std::vector<Word>& words);

// Exactly one job.
absl::StatusOr<uint64_t> FindJobId(ApiClient& api, const Word& word);

}  // namespace berth

#endif  // BERTH_CLIENT_JOB_IDS_H_
