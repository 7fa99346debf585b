#include "agent/executor/image_store.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "common/status_macros.h"
#include <unistd.h>

namespace berth {
namespace {

constexpr absl::Duration kAnswerTimeout = absl::Minutes(2);
constexpr size_t kOutputMax = 64 << 10;

// The last line that begins so: podman may warn before it answers.
std::string FindLine(const std::string& output, char first) {
  std::string found;
  for (const absl::string_view line : absl::StrSplit(output, '\n')) {
    if (!line.empty() && line.front() == first) {
      found = std::string(line);
    }
  }
  return found;
}

bool IsBeneath(const std::string& path, const std::string& folder) {
  return absl::StartsWith(path, folder + "/");
}

}  // namespace

ImageStore::ImageStore(ImageOptions options, EventLoop& loop)
    : options_(std::move(options)), loop_(loop) {}

void ImageStore::Find(const std::string& image, Found found) {
  if (absl::StartsWith(image, "/")) {
    loop_.Post([found = std::move(found), root = FindFolder(image)] { found(root); });
    return;
  }
  threads_.Start([this, image, found = std::move(found)] {
    const absl::StatusOr<Image> mounted = Mount(image);
    if (!absl::IsCancelled(mounted.status())) {
      loop_.Post([found, mounted] { found(mounted); });
    }
  });
}

// The folders above an image keep strangers out; as a root it would be open to every job. So it has
// to be in one of the folders that the operator names.
absl::StatusOr<Image> ImageStore::FindFolder(const std::string& path) const {
  std::error_code error;
  const std::string real = std::filesystem::canonical(path, error).string();
  const bool is_allowed =
      std::any_of(options_.folders.begin(), options_.folders.end(),
                  [&real](const std::string& folder) { return IsBeneath(real, folder); });
  if (!error && !is_allowed) {
    return absl::PermissionDeniedError(absl::StrCat("image ", path, " is not in one of ",
                                                    absl::StrJoin(options_.folders, ", "),
                                                    " on this node"));
  }
  if (error || !std::filesystem::is_directory(real, error)) {
    return absl::NotFoundError(absl::StrCat("image ", path, " is no folder on this node"));
  }
  if (real.find_first_of(":,\\") != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("image ", path, ": its path must not have any of : , \\"));
  }
  return Image{.root = real, .environment = {}};
}

absl::StatusOr<std::string> ImageStore::Podman(std::vector<std::string> arguments,
                                               absl::Duration timeout) const {
  arguments.insert(arguments.begin(), options_.podman);
  return RunProgram({
      .arguments = std::move(arguments),
      .environment = {"HOME=/root", "LC_ALL=C"},
      .timeout = timeout,
      .stop_event = threads_.stop_event(),
      .output_max = kOutputMax
  });
}

absl::StatusOr<Image> ImageStore::Mount(const std::string& reference) const {
  if (options_.podman.empty() || access(options_.podman.c_str(), X_OK) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("image ", reference, ": this node has no podman"));
  }
  const auto failed = [&reference](absl::string_view what, const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat("image ", reference, ": cannot ", what, ": ",
                                                    status.message()));
  };
  if (const auto exists = Podman({"image", "exists", reference}, kAnswerTimeout); !exists.ok()) {
    if (const auto pulled = Podman({"pull", "--quiet", reference}, options_.pull_timeout);
        !pulled.ok()) {
      return failed("pull it", pulled.status());
    }
  }
  const auto mounted = Podman({"image", "mount", reference}, kAnswerTimeout);
  if (!mounted.ok()) {
    return failed("mount it", mounted.status());
  }
  const auto variables = Podman(
      // One line each, told from whatever else podman may say by its first character.
      {"image", "inspect", "--format", "{{range .Config.Env}}{{printf \"=%s\\n\" .}}{{end}}",
       reference},
      kAnswerTimeout);
  if (!variables.ok()) {
    return failed("read its environment", variables.status());
  }
  Image image{.root = FindLine(*mounted, '/'), .environment = {}};
  for (absl::string_view line : absl::StrSplit(*variables, '\n')) {
    if (absl::ConsumePrefix(&line, "=")) {
      const std::pair<absl::string_view, absl::string_view> variable =
          absl::StrSplit(line, absl::MaxSplits('=', 1));
      image.environment[std::string(variable.first)] = std::string(variable.second);
    }
  }
  return image.root.empty() ? failed("mount it", absl::InternalError(*mounted))
                            : absl::StatusOr<Image>(image);
}

}  // namespace berth
