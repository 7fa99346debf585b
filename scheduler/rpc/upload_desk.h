#ifndef BERTH_SCHEDULER_RPC_UPLOAD_DESK_H_
#define BERTH_SCHEDULER_RPC_UPLOAD_DESK_H_

// The way to the store of uploaded folders: one thread has it, and calls hand their work to it. The
// control loop never waits for it.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "common/clock.h"
#include "scheduler/rpc/background_worker.h"
#include "scheduler/rpc/open_by_token.h"
#include "scheduler/upload_store.h"

namespace berth {

// An upload that comes in, as long as its call lasts.
class OpenUpload {
 public:
  OpenUpload(uint64_t id, std::string token_id) : id_(id), token_id_(std::move(token_id)) {}
  uint64_t id() const { return id_; }
  const std::string& token_id() const { return token_id_; }

 private:
  const uint64_t id_;
  const std::string token_id_;
};

// What calls its function unless that was taken: when the last who could do it is dropped.
class UnlessTaken {
 public:
  explicit UnlessTaken(std::function<void()> dropped) : dropped_(std::move(dropped)) {}
  UnlessTaken(const UnlessTaken&) = delete;
  UnlessTaken& operator=(const UnlessTaken&) = delete;
  ~UnlessTaken() {
    if (dropped_ != nullptr) {
      dropped_();
    }
  }
  void Take() { dropped_ = nullptr; }

 private:
  std::function<void()> dropped_;
};

// Owned by the Server; safe from any thread.
class UploadDesk {
 public:
  static constexpr int kUploadsPerTokenMax = 4;
  static constexpr size_t kUploadsMax = 32;  // each holds a manifest in memory

  UploadDesk(std::string folder, UploadOptions options, const Clock& clock)
      : store_(std::move(folder), options), clock_(clock) {}

  // Once, before anything else.
  absl::Status Open() { return store_.Open(); }
  const UploadOptions& options() const { return store_.options(); }

  // Calls `work` on the store's thread, or `dropped` on any: there is too much to do, or an end.
  using Work = std::function<void(UploadStore& store, absl::Time now)>;
  void Do(Work work, std::function<void()> dropped);
  static absl::Status Overloaded();

  // ResourceExhausted: too many are open.
  absl::StatusOr<std::shared_ptr<OpenUpload>> Add(absl::string_view token_id);
  void Remove(uint64_t id) { open_.Remove(id); }

  // Finishes the work at hand, drops the rest.
  void Stop() { worker_.Stop(); }

 private:
  static constexpr int kQueueMax = 10000;

  UploadStore store_;  // the worker's thread only
  const Clock& clock_;
  OpenByToken<OpenUpload> open_{kUploadsPerTokenMax};
  BackgroundWorker worker_{kQueueMax};
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_UPLOAD_DESK_H_
