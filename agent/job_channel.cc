#include "agent/job_channel.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include <grpcpp/grpcpp.h>

#include "agent/entry_messages.h"
#include "agent/shim/shim_protocol.h"
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr size_t kFrameBytes = 64 << 10;
// While the command does not read, nothing is read from the stream either, and only a write notices
// its end: an empty one, this often.
constexpr int kProbeMs = 250;
// How long the scheduler may take to end the call after the last frame.
constexpr int kFarewellMs = 10000;

}  // namespace

// The stream's reactions only note what happened and wake the thread, which does the rest.
class JobChannel final : public grpc::ClientBidiReactor<v1::ChannelOutput, v1::ChannelInput> {
 public:
  explicit JobChannel(const v1::OpenChannel& request)
      : order_(ToEntryOrder(request.request())),
        is_input_(request.request().has_input()),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    out_.set_channel_id(request.channel_id());
  }

  void Begin(v1::Agent::Stub& stub, const std::string& token, std::shared_ptr<JobChannel> self) {
    self_ = std::move(self);
    context_.AddMetadata("authorization", absl::StrCat("Bearer ", token));
    stub.async()->Channel(&context_, this);
    // The thread reads and writes outside the reactions.
    AddHold();
    StartWrite(&out_);
    StartRead(&in_);
    StartCall();
  }

  void Run(absl::StatusOr<EntryTarget> target) {
    if (!target.ok()) {
      EndWith(target.status());
    } else if (auto process = is_input_ ? EntryProcess::OpenInput(*target)
                                        : EntryProcess::Start(*target, order_);
               !process.ok()) {
      EndWith(process.status());
    } else {
      process_ = *std::move(process);
      init_ = std::move(target->init_descriptor);
    }
    while (!IsOver()) {
      Turn();
    }
    context_.TryCancel();
    process_.reset();
    RemoveHold();
  }

  // From any thread: the thread ends soon.
  void Cancel() { Note(&JobChannel::over_); }

  void OnReadDone(bool ok) override { Note(ok ? &JobChannel::has_input_ : &JobChannel::over_); }
  void OnWriteDone(bool ok) override { Note(ok ? &JobChannel::written_ : &JobChannel::over_); }
  void OnDone(const grpc::Status& /*status*/) override {
    Note(&JobChannel::over_);
    const auto self = std::move(self_);
  }

 private:
  void Note(bool JobChannel::*fact) {
    absl::MutexLock lock(&mu_);
    this->*fact = true;
    const uint64_t one = 1;
    const ssize_t woken = write(wake_.get(), &one, sizeof(one));
    static_cast<void>(woken);
  }

  bool IsOver() {
    absl::MutexLock lock(&mu_);
    return over_;
  }

  void EndWith(const absl::Status& status) {
    v1::ChannelEnd end;
    end.set_exit_code(kExitNotExecutable);
    end.set_error(std::string(status.message()));
    end_ = std::move(end);
  }

  // One look at everything that may be ready.
  void Turn() {
    TakeNotes();
    LookAtInput();
    if (input_taken_ && !has_pending()) {
      input_taken_ = false;
      StartRead(&in_);
    }
    if (!writing_ && end_.has_value() && !has_output()) {
      WriteEnd();
    }
    Wait();
  }

  // A task's standard input has no command, whose end would tell.
  void LookAtInput() {
    if (!is_input_ || process_ == nullptr || end_.has_value()) {
      return;
    }
    if (const auto input_end = process_->FindInputEnd()) {
      input_end->ok() ? static_cast<void>(end_.emplace()) : EndWith(*input_end);
    }
  }

  bool has_output() const {
    return process_ != nullptr && (process_->output.is_open() || process_->error_output.is_open());
  }

  bool has_pending() const { return process_ != nullptr && process_->has_pending(); }

  void TakeNotes() {
    uint64_t count = 0;
    const ssize_t size = read(wake_.get(), &count, sizeof(count));
    static_cast<void>(size);
    bool has_input = false;
    {
      absl::MutexLock lock(&mu_);
      has_input = std::exchange(has_input_, false);
      writing_ = writing_ && !std::exchange(written_, false);
    }
    if (has_input) {
      input_taken_ = true;
      TakeInput();
    }
  }

  void TakeInput() {
    if (process_ == nullptr) {
      return;
    }
    switch (in_.kind_case()) {
      case v1::ChannelInput::kData:
        process_->TakeInput(std::move(*in_.mutable_data()));
        return;
      case v1::ChannelInput::kEndOfData:
        process_->EndInput();
        return;
      case v1::ChannelInput::kSize:
        process_->Resize(in_.size().rows(), in_.size().columns());
        return;
      case v1::ChannelInput::kSignal:
        process_->Signal(in_.signal());
        return;
      case v1::ChannelInput::kEnter:
      case v1::ChannelInput::KIND_NOT_SET:
        return;
    }
  }

  void Wait() {
    enum { kWake, kInit, kConversation, kInput, kOutput, kErrorOutput, kCount };
    std::array<pollfd, kCount> fds{};
    fds.fill({-1, POLLIN, 0});
    fds[kWake].fd = wake_.get();
    if (process_ != nullptr) {
      fds[kInit].fd = init_.get();
      fds[kConversation].fd = process_->conversation.get();
      fds[kInput] = {process_->has_pending() || tells_input_end() ? process_->input() : -1,
                     static_cast<short>(process_->has_pending() ? POLLOUT : 0), 0};
      fds[kOutput].fd = writing_ ? -1 : process_->output.get();
      fds[kErrorOutput].fd = writing_ ? -1 : process_->error_output.get();
    }
    const int ready = poll(fds.data(), fds.size(), TimeoutMs());
    if (ready == 0) {
      OnTimeout();
    }
    if (ready <= 0) {
      return;
    }
    if (fds[kInput].revents != 0) {
      process_->PassInput();
    }
    if (fds[kConversation].revents != 0) {
      OnConversation();
    }
    if (fds[kInit].revents != 0) {
      OnTaskEnded();
    }
    if (fds[kOutput].revents != 0) {
      PassOutput(process_->output, &v1::ChannelOutput::set_data);
    }
    if (fds[kErrorOutput].revents != 0 && !writing_) {
      PassOutput(process_->error_output, &v1::ChannelOutput::set_error_data);
    }
  }

  int TimeoutMs() const {
    if (said_farewell_) {
      return kFarewellMs;
    }
    const bool drains = end_.has_value() && has_output();
    return tells_end() || tells_input_end() || (!writing_ && (drains || has_pending())) ? kProbeMs
                                                                                        : -1;
  }

  bool tells_end() const {
    return process_ != nullptr && process_->tells_end() && !end_.has_value();
  }

  bool tells_input_end() const { return is_input_ && process_ != nullptr && !end_.has_value(); }

  void OnTimeout() {
    if (said_farewell_) {
      Cancel();
      return;
    }
    if (end_.has_value()) {
      // Everything that the command started has ended; somebody else has its output open.
      process_->output.Close();
      process_->error_output.Close();
      return;
    }
    if (tells_end()) {
      process_->TellEnd();
      return;
    }
    if (!writing_ && has_pending()) {
      out_.set_data("");
      Send();
    }
  }

  using SetBytes = void (v1::ChannelOutput::*)(std::string&&);
  void PassOutput(Descriptor& source, SetBytes set) {
    std::string bytes(kFrameBytes, '\0');
    const ssize_t size = read(source.get(), bytes.data(), bytes.size());
    if (size > 0) {
      process_->NoteUse();
      bytes.resize(static_cast<size_t>(size));
      (out_.*set)(std::move(bytes));
      Send();
      return;
    }
    if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
      // EIO: nobody has the terminal open any more.
      source.Close();
      if (order_.port > 0) {
        end_.emplace();
      }
    }
  }

  void OnConversation() {
    bool ended = false;
    const auto event = process_->Receive(ended);
    if (event.has_value()) {
      switch (event->kind) {
        case EntryEvent::Kind::kStarted:
          return;
        case EntryEvent::Kind::kExited:
          end_ = EndOfExit(event->status);
          return;
        case EntryEvent::Kind::kExecFailed:
        case EntryEvent::Kind::kFailed:
          end_ = EndOfFailure(*event, order_);
          return;
      }
    }
    if (ended) {
      process_->conversation.Close();
      if (order_.port == 0 && !end_.has_value()) {
        SayTaskEnded();
      }
    }
  }

  void SayTaskEnded() {
    v1::ChannelEnd end;
    end.set_job_ended(true);
    end_ = std::move(end);
  }

  void OnTaskEnded() {
    init_.Close();
    // Where the task has no namespace, its end does not end the command.
    process_->conversation.Close();
    if (!end_.has_value()) {
      SayTaskEnded();
    }
    if (order_.port > 0) {
      process_->output.Close();
    }
  }

  void WriteEnd() {
    if (said_farewell_) {
      return;
    }
    said_farewell_ = true;
    *out_.mutable_end() = *end_;
    Send();
  }

  void Send() {
    writing_ = true;
    StartWrite(&out_);
  }

  const EntryOrder order_;
  const bool is_input_;  // of the task, instead of a command's
  const Descriptor wake_;
  grpc::ClientContext context_;
  std::shared_ptr<JobChannel> self_;  // until the call is done

  // The thread's, and gRPC's between the start of an operation and its end.
  v1::ChannelInput in_;
  v1::ChannelOutput out_;

  // The thread's.
  std::unique_ptr<EntryProcess> process_;
  Descriptor init_;
  std::optional<v1::ChannelEnd> end_;
  bool writing_ = true;  // since Begin
  bool input_taken_ = false;
  bool said_farewell_ = false;

  absl::Mutex mu_;
  bool has_input_ ABSL_GUARDED_BY(mu_) = false;
  bool written_ ABSL_GUARDED_BY(mu_) = false;
  bool over_ ABSL_GUARDED_BY(mu_) = false;
};

void JobChannels::Open(v1::Agent::Stub& stub, const std::string& token,
                       const v1::OpenChannel& request, absl::StatusOr<EntryTarget> target) {
  DropEnded();
  const std::string tenant = target.ok() ? target->tenant : "";
  const auto theirs = std::count_if(running_.begin(), running_.end(), [&](const Running& running) {
    return running.tenant == tenant;
  });
  if (theirs >= kChannelsPerTenantMax || running_.size() >= kChannelsMax) {
    target = absl::ResourceExhaustedError(
        absl::StrCat("this node has ",
                     theirs >= kChannelsPerTenantMax ? absl::StrCat(theirs, " of your tenant's")
                                                     : absl::StrCat(running_.size()),
                     " ways into jobs open already"));
  }
  Running& running = running_.emplace_back();
  running.tenant = tenant;
  running.channel = std::make_shared<JobChannel>(request);
  running.channel->Begin(stub, token, running.channel);
  running.thread = std::thread(
      [channel = running.channel, &done = running.done, target = std::move(target)]() mutable {
        channel->Run(std::move(target));
        done = true;
      });
}

void JobChannels::DropEnded() {
  for (auto running = running_.begin(); running != running_.end();) {
    if (running->done) {
      running->thread.join();
      running = running_.erase(running);
    } else {
      ++running;
    }
  }
}

void JobChannels::Close() {
  for (Running& running : running_) {
    running.channel->Cancel();
  }
  for (Running& running : running_) {
    running.thread.join();
  }
  running_.clear();
}

}  // namespace berth
