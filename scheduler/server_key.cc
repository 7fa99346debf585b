#include "scheduler/server_key.h"

#include <fstream>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include "scheduler/store/file_steps.h"
#include <unistd.h>

namespace berth {
namespace {

absl::Status MakeKey(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string draft, MakeDraft(path));
  std::ofstream(draft) << FormatBearerToken(NewBearerToken()) << "\n";
  absl::Status status = SyncFile(draft);
  if (status.ok()) {
    status = ReadTokenFile(draft).status();
  }
  if (!status.ok()) {
    unlink(draft.c_str());
    return status;
  }
  return PublishDraft(draft, path);
}

}  // namespace

absl::StatusOr<Secret> LoadServerKey(absl::string_view data_dir) {
  const std::string path = absl::StrCat(data_dir, "/job-tokens.key");
  if (access(path.c_str(), F_OK) != 0) {
    RETURN_IF_ERROR(MakeKey(path));
  }
  absl::StatusOr<Secret> key = ReadTokenFile(path);
  if (!key.ok()) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.code = "B8009",
                      .message = absl::StrCat("the key of jobs' tokens cannot be used: ", path),
                      .why = key.status().message(),
                      .fix = "chmod 600 it; or remove it, and jobs that run lose their tokens"});
  }
  return key;
}

}  // namespace berth
