#ifndef BERTH_CLIENT_TOP_SUBJECT_H_
#define BERTH_CLIENT_TOP_SUBJECT_H_

// What `berth top` looks at, by the word that people name it with.

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "client/api_client.h"
#include "client/option.h"

namespace berth {

struct TopSubject {
  enum class Kind { kCenter, kJob, kNode, kTenant };
  Kind kind = Kind::kCenter;
  uint64_t job = 0;
  std::string name;  // of the node or the tenant
};

// What has the form of a job is one; any other word is the name of a node or of a tenant, which the
// scheduler is asked for. `node:NAME` and `tenant:NAME` say which, and are taken as they are.
// Errors: NotFound where the caller sees none of that name; InvalidArgument where there are both.
absl::StatusOr<TopSubject> FindTopSubject(ApiClient& api, const Word& word);

absl::Status NoSuchSubject(absl::string_view what, absl::string_view name);

}  // namespace berth

#endif  // BERTH_CLIENT_TOP_SUBJECT_H_
