#ifndef BERTH_CLIENT_JOB_IDS_H_
#define BERTH_CLIENT_JOB_IDS_H_

// How people name jobs: 4812, 4812.7 (a task of an array), last, last~2, @name, 4800-4812, and
// lists of these with commas.

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "client/api_client.h"
#include "client/option.h"
#include "proto/job.pb.h"

namespace berth {

// In the order given, each once. `last`, `@name` and tasks ask the scheduler.
absl::StatusOr<std::vector<uint64_t>> FindJobIds(ApiClient& api, const std::vector<Word>& words);

// Tasks of one array, started or not, by their indexes: 4799.8, 4799.5-9 or 4799.[5-9,12].
struct NamedTasks {
  uint64_t array = 0;
  std::vector<v1::IndexRange> indexes;
};
// Takes the tasks out of the words, which name jobs then. A comma stands between names, and in
// brackets between indexes; where it could be read as either, that is an error.
absl::StatusOr<std::vector<NamedTasks>> TakeTasks(std::vector<Word>& words);

// Exactly one job.
absl::StatusOr<uint64_t> FindJobId(ApiClient& api, const Word& word);

}  // namespace berth

#endif  // BERTH_CLIENT_JOB_IDS_H_
