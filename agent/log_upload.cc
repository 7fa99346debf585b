#include "agent/log_upload.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

namespace berth {
namespace {

// How often a followed log is looked at: soon after something came, less and less often while
// nothing does.
constexpr std::chrono::milliseconds kLookFirst(5);
constexpr std::chrono::milliseconds kLookMost(100);
constexpr int kLooksPerProbe = 50;

class LogUpload final : public grpc::ClientWriteReactor<v1::LogChunk> {
 public:
  LogUpload(const v1::OpenLog& request, absl::StatusOr<LogReader> reader)
      : request_(request), reader_(std::move(reader)) {
    chunk_.set_request_id(request.request_id());
  }

  void Begin(v1::Agent::Stub& stub, const std::string& token) {
    context_.AddMetadata("authorization", absl::StrCat("Bearer ", token));
    stub.async()->LogUpload(&context_, &response_, this);
    // The alarm reads and writes outside the reactions.
    AddHold();
    if (reader_.ok()) {
      SendNext();
    } else {
      chunk_.set_end(true);
      chunk_.set_error(std::string(reader_.status().message()));
      StartWrite(&chunk_);
    }
    StartCall();
  }

  void OnWriteDone(bool ok) override {
    if (!ok || chunk_.end()) {
      if (ok) {
        StartWritesDone();
      }
      RemoveHold();
      return;
    }
    SendNext();
  }

  void OnDone(const grpc::Status& /*status*/) override { delete this; }

 private:
  void SendNext() {
    // Asked before the read: what a task wrote before its end is then read.
    const bool may_grow = request_.follow() && reader_->MayGrow();
    const int64_t offset = reader_->offset();
    std::string data = reader_->ReadNext();
    // An empty chunk now and then: a stream that was dropped is noticed by its write.
    if (data.empty() && may_grow && ++idle_looks_ % kLooksPerProbe != 0) {
      alarm_.Set(std::chrono::system_clock::now() + look_, [this](bool /*ok*/) { SendNext(); });
      look_ = std::min(look_ * 2, kLookMost);
      return;
    }
    look_ = data.empty() ? look_ : kLookFirst;
    chunk_.set_offset_bytes(offset);
    chunk_.set_end(data.empty() && !may_grow);
    chunk_.set_data(std::move(data));
    chunk_.clear_stamps();
    for (const StampRecord& record : reader_->stamps()) {
      v1::LogStamp* const stamp = chunk_.add_stamps();
      stamp->set_offset_bytes(record.offset);
      stamp->set_at_us(record.time_us);
    }
    StartWrite(&chunk_);
  }

  const v1::OpenLog request_;
  absl::StatusOr<LogReader> reader_;
  grpc::ClientContext context_;
  grpc::Alarm alarm_;
  v1::LogChunk chunk_;
  int idle_looks_ = 0;
  std::chrono::milliseconds look_ = kLookFirst;
  v1::LogUploadResponse response_;
};

}  // namespace

void StartLogUpload(v1::Agent::Stub& stub, const std::string& token, const v1::OpenLog& request,
                    absl::StatusOr<LogReader> reader) {
  auto* upload = new LogUpload(request, std::move(reader));
  upload->Begin(stub, token);
}

}  // namespace berth
