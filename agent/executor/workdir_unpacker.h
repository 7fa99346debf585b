#ifndef BERTH_AGENT_EXECUTOR_WORKDIR_UNPACKER_H_
#define BERTH_AGENT_EXECUTOR_WORKDIR_UNPACKER_H_

// Makes an uploaded folder anew in a task's own, from the bytes of FetchWorkdir. Nothing of them is
// believed: the manifest must have the SHA-256 that the job names and obey the rules of every
// manifest, each content must have the SHA-256 that the manifest names, and every file is made with
// openat2 below the folder, through no link, as the task's user.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "agent/executor/kept_contents.h"
#include "agent/executor/task_folder.h"
#include "common/descriptor.h"
#include "common/sha256_sum.h"
#include "common/workdir_manifest.h"

namespace berth {

struct WorkdirOrder {
  uint64_t allocation_id = 0;
  std::string tenant = {};
  std::string sha256;  // of the manifest
  Descriptor folder;   // open and empty; the task's
  TaskOwner owner;
};

// The files that this thread makes are the owner's, and it has no more rights to the file system
// than they have. Until it is destroyed, on the same thread, which must start no other thread
// meanwhile: that would stay so. An owner of -1 changes nothing.
class ActAsOwner {
 public:
  explicit ActAsOwner(const TaskOwner& owner);
  ActAsOwner(const ActAsOwner&) = delete;
  ActAsOwner& operator=(const ActAsOwner&) = delete;
  ~ActAsOwner();
  // PermissionDenied: this process cannot become that user.
  absl::Status status() const;

 private:
  const TaskOwner owner_;
  int user_before_ = -1;
  int group_before_ = -1;
};

// Removes all that is in the order's folder, but not the folder, as its owner.
absl::Status EmptyFolder(const WorkdirOrder& order);

// Acts as the order's owner. One thread at a time. After an error what is there is not the folder.
class WorkdirUnpacker {
 public:
  // Is handed all that makes the folder, as it comes where nothing is kept.
  using Copy = std::function<void(absl::string_view)>;

  // Requires: the order outlives it.
  explicit WorkdirUnpacker(const WorkdirOrder& order, Copy copy = {})
      : order_(order), copy_(std::move(copy)) {}

  // InvalidArgument: no such manifest is possible. Once, before Take. `kept`: contents that do not
  // come; null: all do. Requires: it outlives this.
  absl::Status Begin(int64_t manifest_bytes, const KeptContents* kept = nullptr);
  // InvalidArgument, DataLoss: it is not what was uploaded. ResourceExhausted: the disk is full.
  absl::Status Take(absl::string_view data);
  // Once nothing more comes. DataLoss: it was not all.
  absl::Status Finish();

 private:
  absl::Status TakePiece(absl::string_view data);
  absl::Status TakeManifest();
  absl::Status MakeFolders();
  absl::Status TakeContent(absl::string_view data);
  // Of the content that comes or is kept.
  absl::Status AddBytes(absl::string_view data);
  // Goes on to the next content that has any bytes.
  absl::Status NextContent();
  absl::Status EndContent();
  absl::Status CopyContent(const v1::WorkdirEntry& entry) const;
  absl::Status MakeLinks() const;
  absl::Status SetFolderModes() const;

  const WorkdirOrder& order_;
  const Copy copy_;
  const KeptContents* kept_ = nullptr;
  int64_t manifest_left_ = -1;  // bytes of the manifest that are to come; -1: not begun
  std::string manifest_text_;
  v1::WorkdirManifest manifest_;
  std::vector<int> contents_;                             // first entries of each
  std::map<absl::string_view, std::vector<int>> copies_;  // the other entries, by content
  size_t at_ = 0;                                         // of contents_
  Descriptor file_;                                       // of the first entry of the present one
  int64_t left_ = 0;                                      // bytes of it that are to come
  Sha256Sum sum_;
};

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_WORKDIR_UNPACKER_H_
