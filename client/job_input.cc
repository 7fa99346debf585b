#include "client/job_input.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

#include "client/job_session.h"
#include "client/text.h"
#include "common/error_detail.h"
#include <sys/eventfd.h>
#include <unistd.h>

namespace berth {

JobInput::JobInput(Context& context, ApiClient& api)
    : context_(context), api_(api), stop_(eventfd(0, EFD_CLOEXEC)) {}

JobInput::~JobInput() {
  Stop();
  close(stop_);
}

void JobInput::Start(uint64_t job_id) {
  job_id_ = job_id;
  v1::EnterJobRequest request;
  request.set_job_id(job_id);
  request.mutable_input();
  channel_ = api_.EnterJob(request);
  stopped_ = false;
  carrier_ = std::thread([this] { Carry(); });
}

void JobInput::Stop() {
  if (!carrier_.joinable()) {
    return;
  }
  stopped_ = true;
  channel_->Cancel();
  uint64_t count = 1;
  const ssize_t written = write(stop_, &count, sizeof(count));
  static_cast<void>(written);
  carrier_.join();
  const ssize_t taken = read(stop_, &count, sizeof(count));
  static_cast<void>(taken);
}

void JobInput::Carry() {
  bool passed = true;
  std::thread feeder([&] { passed = FeedFrom(context_.input, stop_, *channel_); });
  std::optional<v1::ChannelEnd> end;
  v1::ChannelOutput output;
  while (!end.has_value() && channel_->Read(output)) {
    if (output.has_end()) {
      end = output.end();
    }
  }
  const absl::Status status = channel_->Finish();
  // A job that ended takes its input along, and its end is told anyway.
  const bool job_ended = end.has_value() ? end->job_ended() : absl::IsFailedPrecondition(status);
  const std::string why = end.has_value() ? end->error() : std::string(status.message());
  if (!job_ended && !why.empty()) {
    TellLost(why);
  }
  feeder.join();
  if (!passed && !job_ended && why.empty()) {
    TellLost("the job reads its standard input no more, or it was ended");
  }
}

void JobInput::TellLost(const std::string& why) {
  if (stopped_) {
    return;
  }
  context_.PrintError(MakeError(
      absl::StatusCode::kAborted,
      {.code = "B4306",
       .message = absl::StrCat("what is typed here does not reach job ", job_id_, " any more"),
       .why = CleanText(why),
       .fix = absl::StrCat("the job goes on; berth attach ", job_id_, " tries again")}));
}

}  // namespace berth
