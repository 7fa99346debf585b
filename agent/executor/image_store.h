#ifndef BERTH_AGENT_EXECUTOR_IMAGE_STORE_H_
#define BERTH_AGENT_EXECUTOR_IMAGE_STORE_H_

// What `--image` names, as a folder that can be a task's root: a root file system in one of the
// operator's folders, or an OCI image that podman pulls and mounts.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "agent/executor/event_loop.h"
#include "common/program.h"

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

// The loop's thread only. Its end kills what still runs, and nobody is told.
class ImageStore {
 public:
  // Requires: the loop outlives it, and runs no task of it afterwards.
  ImageStore(ImageOptions options, EventLoop& loop);

  const ImageOptions& options() const { return options_; }
  // `found` is called later on the loop's thread. Errors are for the job's owner.
  using Found = std::function<void(const absl::StatusOr<Image>&)>;
  void Find(const std::string& image, Found found);

 private:
  absl::StatusOr<Image> FindFolder(const std::string& path) const;
  absl::StatusOr<Image> Mount(const std::string& reference) const;
  absl::StatusOr<std::string> Podman(std::vector<std::string> arguments,
                                     absl::Duration timeout) const;

  const ImageOptions options_;
  EventLoop& loop_;
  ProgramThreads threads_;
};

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_IMAGE_STORE_H_
