#ifndef BERTH_SCHEDULER_RPC_CHANNEL_STREAM_H_
#define BERTH_SCHEDULER_RPC_CHANNEL_STREAM_H_

// One call of a channel: what it reads goes into one pipe, what is in the other it writes. One
// message is in the call's hands in each direction.

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include <grpcpp/grpcpp.h>

#include "common/grpc_status.h"
#include "scheduler/rpc/frame_pipe.h"

namespace berth {

// Kept alive by its call until that is done, and by the pipes that will call it.
template <typename In, typename Out>
class ChannelStream : public grpc::ServerBidiReactor<In, Out>,
                      public std::enable_shared_from_this<ChannelStream<In, Out>> {
 public:
  explicit ChannelStream(grpc::CallbackServerContext* call) : call_(call) {}

  void Start() {
    self_ = this->shared_from_this();
    ReadNext();
  }

 protected:
  // The first message. Afterwards either Connect or Refuse is called, on any thread.
  virtual void OnFirst(const In& message) = 0;
  // Every other one, before it is passed on. False: it is not, and nothing more is read.
  virtual bool OnMessage(const In& message) = 0;
  // The peer says no more, or has gone.
  virtual void OnReadsEnded() = 0;
  // The call is over; the last that happens.
  virtual void OnOver() = 0;

  grpc::CallbackServerContext* call() const { return call_; }

  // Writes what comes out of `from` until it ends; that ends the call.
  void Write(FramePipe<Out>* from) {
    from_ = from;
    Pump();
  }
  // Reads into `to`.
  void Read(FramePipe<In>* to) {
    to_ = to;
    ReadNext();
  }
  // Instead of Write.
  void Refuse(const absl::Status& status) { FinishOnce(status); }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      OnReadsEnded();
    } else if (to_ == nullptr) {
      OnFirst(in_);
    } else if (OnMessage(in_) &&
               to_->Push(std::move(in_), [self = this->shared_from_this()] { self->ReadNext(); })) {
      ReadNext();
    }
  }

  void OnWriteDone(bool /*ok*/) override { Pump(); }
  void OnDone() override {
    OnOver();
    const auto self = std::move(self_);
  }

  void ReadNext() {
    absl::MutexLock lock(&mu_);
    if (!finished_) {
      in_.Clear();
      this->StartRead(&in_);
    }
  }

  // Is waiting for a write, or for the pipe, or has finished: never two of them.
  void Pump() {
    absl::Status end;
    switch (from_->Take(out_, end, [self = this->shared_from_this()] { self->Pump(); })) {
      case FramePipe<Out>::Taken::kNothing:
        return;
      case FramePipe<Out>::Taken::kFrame:
        this->StartWrite(&out_);
        return;
      case FramePipe<Out>::Taken::kEnd:
        FinishOnce(end);
        return;
    }
  }

  void FinishOnce(const absl::Status& status) {
    absl::MutexLock lock(&mu_);
    if (!std::exchange(finished_, true)) {
      this->Finish(ToGrpcStatus(status, call_));
    }
  }

  grpc::CallbackServerContext* const call_;
  std::shared_ptr<ChannelStream> self_;  // until the call is done
  FramePipe<In>* to_ = nullptr;
  FramePipe<Out>* from_ = nullptr;
  In in_;    // one read at a time
  Out out_;  // one write at a time

  absl::Mutex mu_;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_CHANNEL_STREAM_H_
