#include "agent/workdir_call.h"

#include <algorithm>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include <grpcpp/grpcpp.h>

#include "common/backoff.h"
#include "common/grpc_status.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace berth {
namespace {

// How long the scheduler may be away; a gang that waits for it is started elsewhere by then.
constexpr absl::Duration kPatience = absl::Minutes(10);
constexpr absl::Duration kAgainFirst = absl::Milliseconds(100);
constexpr absl::Duration kAgainMost = absl::Seconds(5);

class WorkdirCall final : public WorkdirFetch {
 public:
  WorkdirCall(std::shared_ptr<v1::Agent::Stub> stub, std::shared_ptr<WorkdirCache> cache,
              const std::string& token, WorkdirOrder order)
      : stub_(std::move(stub)),
        cache_(std::move(cache)),
        authorization_(absl::StrCat("Bearer ", token)),
        order_(std::move(order)) {}

  absl::Status Run() override {
    absl::Status status = FromCacheOrScheduler();
    // Tasks need the room more.
    if (absl::IsResourceExhausted(status) && cache_->Clear()) {
      RETURN_IF_ERROR(EmptyFolder(order_));
      status = FromCacheOrScheduler();
    }
    return status;
  }

  void Cancel() override {
    absl::MutexLock lock(&mu_);
    cancelled_ = true;
    if (context_ != nullptr) {
      context_->TryCancel();
    }
  }

 private:
  absl::Status FromCacheOrScheduler() {
    WorkdirCache::Claim claim = cache_->Find(order_, [this] { return IsCancelled(); });
    if (claim.kept.is_open()) {
      absl::Status status = Unpack(claim.kept, order_);
      if (!absl::IsInvalidArgument(status) && !absl::IsDataLoss(status)) {
        return status;
      }
      LogWarning("a kept folder was damaged", {
                                                  {"why", std::string(status.message())}
      });
      cache_->Remove(order_);
      RETURN_IF_ERROR(EmptyFolder(order_));
    }
    return FromScheduler(claim.filling.get());
  }

  // `filling`: null if nothing is to be kept.
  absl::Status FromScheduler(WorkdirCache::Filling* filling) {
    const absl::Time give_up = absl::Now() + kPatience;
    Backoff backoff(kAgainFirst, kAgainMost, order_.allocation_id);
    KeptContents kept(cache_->FindOthers(order_.tenant));
    while (true) {
      bool is_away = false;
      absl::Status status = Try(kept, filling, is_away);
      if (absl::IsDataLoss(status) && !kept.empty()) {
        LogWarning("a folder came not whole; all of it is fetched again",
                   {
                       {"why", std::string(status.message())}
        });
        kept = KeptContents();
        cache_->RemoveOthers(order_.tenant);
        RETURN_IF_ERROR(EmptyFolder(order_));
        continue;
      }
      if (!is_away || absl::Now() > give_up) {
        return status;
      }
      if (WaitOrCancelled(backoff.Next())) {
        return absl::CancelledError("the task was stopped");
      }
      RETURN_IF_ERROR(EmptyFolder(order_));
    }
  }

  absl::Status Try(const KeptContents& kept, WorkdirCache::Filling* filling, bool& is_away) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", authorization_);
    if (!SetContext(&context)) {
      return absl::CancelledError("the task was stopped");
    }
    v1::FetchWorkdirRequest request;
    request.set_allocation_id(order_.allocation_id);
    for (std::string& name : kept.Names()) {
      request.add_kept(std::move(name));
    }
    const auto reader = stub_->FetchWorkdir(&context, request);
    WorkdirUnpacker unpacker(order_, [filling](absl::string_view data) {
      if (filling != nullptr) {
        filling->Add(data);
      }
    });
    v1::FetchWorkdirResponse piece;
    absl::Status unpacked;
    bool begun = false;
    while (unpacked.ok() && reader->Read(&piece)) {
      if (!std::exchange(begun, true)) {
        unpacked = unpacker.Begin(piece.manifest_bytes(), piece.without_kept() ? &kept : nullptr);
        if (filling != nullptr) {
          filling->Begin(piece.manifest_bytes());
        }
      }
      if (unpacked.ok()) {
        unpacked = unpacker.Take(piece.data());
      }
    }
    if (!unpacked.ok()) {
      context.TryCancel();
    }
    const absl::Status call = FromGrpcStatus(reader->Finish(), context);
    SetContext(nullptr);
    if (!unpacked.ok()) {
      return unpacked;
    }
    if (!call.ok()) {
      is_away = absl::IsUnavailable(call);
      return absl::Status(call.code(), absl::StrCat("cannot get the uploaded folder from the "
                                                    "scheduler: ",
                                                    call.message()));
    }
    if (!begun) {  // an empty folder
      RETURN_IF_ERROR(unpacker.Begin(0));
    }
    const absl::Status finished = unpacker.Finish();
    if (finished.ok() && begun && filling != nullptr) {
      filling->Keep();
    }
    return finished;
  }

  bool IsCancelled() {
    absl::MutexLock lock(&mu_);
    return cancelled_;
  }

  // False: it was cancelled.
  bool SetContext(grpc::ClientContext* context) {
    absl::MutexLock lock(&mu_);
    context_ = context;
    return !cancelled_;
  }

  bool WaitOrCancelled(absl::Duration length) {
    absl::MutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(absl::Condition(&cancelled_), length);
  }

  const std::shared_ptr<v1::Agent::Stub> stub_;
  const std::shared_ptr<WorkdirCache> cache_;
  const std::string authorization_;
  const WorkdirOrder order_;
  absl::Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mu_) = nullptr;  // of the call under way
};

}  // namespace

std::shared_ptr<WorkdirFetch> MakeWorkdirCall(std::shared_ptr<v1::Agent::Stub> stub,
                                              std::shared_ptr<WorkdirCache> cache,
                                              const std::string& token, WorkdirOrder order) {
  return std::make_shared<WorkdirCall>(std::move(stub), std::move(cache), token, std::move(order));
}

}  // namespace berth
