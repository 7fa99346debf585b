#include "scheduler/rpc/upload_desk.h"

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"

namespace berth {
namespace {

absl::Status TooMany(absl::string_view message) {
  return WithDetail(
      absl::ResourceExhaustedError(message),
      {.code = "B8106",
       .why = {absl::StrCat("one token may upload ", UploadDesk::kUploadsPerTokenMax,
                            " folders at a time, all together ", UploadDesk::kUploadsMax)},
       .fix = {"try again in a moment"},
       .retryable = true});
}

}  // namespace

void UploadDesk::Do(Work work, std::function<void()> dropped) {
  auto guard = std::make_shared<UnlessTaken>(std::move(dropped));
  worker_.Post([this, guard = std::move(guard), work = std::move(work)] {
    guard->Take();
    work(store_, clock_.Now());
  });
}

absl::Status UploadDesk::Overloaded() {
  return WithDetail(absl::UnavailableError("the scheduler is overloaded or stopping"),
                    {.code = "B8102",
                     .why = {},
                     .fix = {"try again in a moment; running jobs are not affected"},
                     .retryable = true});
}

absl::StatusOr<std::shared_ptr<OpenUpload>> UploadDesk::Add(absl::string_view token_id) {
  if (open_.All().size() >= kUploadsMax) {
    return TooMany("too many folders are being uploaded at once");
  }
  std::shared_ptr<OpenUpload> upload = open_.Add(token_id);
  if (upload == nullptr) {
    return TooMany("this token uploads too many folders at once");
  }
  return upload;
}

}  // namespace berth
