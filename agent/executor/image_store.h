#ifndef BERTH_AGENT_EXECUTOR_IMAGE_STORE_H_
#define BERTH_AGENT_EXECUTOR_IMAGE_STORE_H_

// What `--image` names, as a folder that can be a task's root: a root file system in one of the
// operator's folders, or an OCI image that podman pulls and mounts.

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "agent/executor/event_loop.h"

namespace berth {

struct ImageOptions {
  std::vector<std::string> folders = {"/var/lib/berth/images"};  // of root file systems
  std::vector<std::string> mounts;         // of the host, shown in every image
  std::string podman = "/usr/bin/podman";  // empty: no OCI images
  absl::Duration pull_timeout = absl::Minutes(30);
};

struct Image {
  std::string root;
  std::map<std::string, std::string> environment;  // as the image has it
};

// The loop's thread only.
class ImageStore {
 public:
  // Requires: the loop outlives it, and runs no task of it afterwards.
  ImageStore(ImageOptions options, EventLoop& loop);
  ImageStore(const ImageStore&) = delete;
  ImageStore& operator=(const ImageStore&) = delete;
  // Kills what still runs; nobody is told.
  ~ImageStore();

  const ImageOptions& options() const { return options_; }
  // `found` is called later on the loop's thread. Errors are for the job's owner.
  using Found = std::function<void(const absl::StatusOr<Image>&)>;
  void Find(const std::string& image, Found found);

 private:
  struct Running {
    std::thread thread;
    std::atomic<bool> is_over = false;
  };
  absl::StatusOr<Image> FindFolder(const std::string& path) const;
  absl::StatusOr<Image> Mount(const std::string& reference) const;
  absl::StatusOr<std::string> Podman(std::vector<std::string> arguments,
                                     absl::Duration timeout) const;
  void JoinEnded();

  const ImageOptions options_;
  EventLoop& loop_;
  const int stop_event_;  // readable from the destructor on
  std::list<Running> running_;
};

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_IMAGE_STORE_H_
