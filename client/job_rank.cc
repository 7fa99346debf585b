#include "client/job_rank.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "client/job_ids.h"
#include "client/rank_set.h"
#include "client/text.h"
#include "common/status_macros.h"

namespace berth {
absl::StatusOr<JobRank> FindJobRank(ApiClient& api, const Word& word) {
  const size_t slash = word.text.rfind('/');
  JobRank place;
  if (slash != std::string::npos && (!absl::SimpleAtoi(word.text.substr(slash + 1), &place.rank) ||
                                     place.rank < 0 || place.rank > kRankMax)) {
    return ErrorAt(word.origin,
                   absl::StrCat("\"", CleanText(word.text.substr(slash + 1)), "\" is no rank"),
                   "write JOB/RANK, e.g. 4812/13");
  }
  ASSIGN_OR_RETURN(place.job,
                   FindJobId(api, {.text = word.text.substr(0, slash), .origin = word.origin}));
  return place;
}

}  // namespace berth
