#include "agent/executor/workdir_cache.h"

#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "common/status_macros.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr char kComing[] = ".new";
constexpr absl::Duration kAskAgain = absl::Milliseconds(200);
constexpr size_t kPieceBytes = 256 << 10;

// No tenant's name has the letter between the two.
std::string PrefixOf(absl::string_view tenant) {
  return absl::StrCat(tenant, "_");
}

std::string NameOf(const WorkdirOrder& order) {
  return absl::StrCat(PrefixOf(order.tenant), absl::BytesToHexString(order.sha256));
}

struct KeptFile {
  std::string path;
  int64_t size = 0;
};

// By their last use, the one used longest ago first.
std::multimap<int64_t, KeptFile> ListKept(const std::string& folder,
                                          absl::string_view prefix = "") {
  std::multimap<int64_t, KeptFile> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    struct stat facts {};
    if (!absl::EndsWith(entry.path().native(), kComing) &&
        absl::StartsWith(entry.path().filename().native(), prefix) &&
        lstat(entry.path().c_str(), &facts) == 0) {
      const int64_t used = facts.st_mtim.tv_sec * 1'000'000'000L + facts.st_mtim.tv_nsec;
      files.insert({
          used, {entry.path(), facts.st_size}
      });
    }
  }
  return files;
}

}  // namespace

WorkdirCache::WorkdirCache(std::string folder, int64_t bytes_max)
    : folder_(std::move(folder)), bytes_max_(bytes_max) {
  mkdir(folder_.c_str(), 0700);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    if (absl::EndsWith(entry.path().native(), kComing)) {
      unlink(entry.path().c_str());
    }
  }
  RemoveOldest();
}

std::string WorkdirCache::PathOf(absl::string_view name) const {
  return absl::StrCat(folder_, "/", name);
}

WorkdirCache::Claim WorkdirCache::Find(const WorkdirOrder& order,
                                       const std::function<bool()>& is_cancelled) {
  const std::string name = NameOf(order);
  absl::MutexLock lock(&mu_);
  const auto is_free = [&] {
    mu_.AssertReaderHeld();
    return !coming_.contains(name);
  };
  while (!mu_.AwaitWithTimeout(absl::Condition(&is_free), kAskAgain)) {
    if (is_cancelled()) {
      return Claim();
    }
  }
  Descriptor kept(open(PathOf(name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (kept.is_open()) {
    futimens(kept.get(), nullptr);
    return {.kept = std::move(kept), .filling = nullptr};
  }
  if (bytes_max_ == 0) {
    return Claim();
  }
  coming_.insert(name);
  return {.kept = Descriptor(),
          .filling = std::unique_ptr<Filling>(new Filling(*this, name, clears_))};
}

std::vector<Descriptor> WorkdirCache::FindOthers(const std::string& tenant) {
  std::vector<Descriptor> folders;
  const auto files = ListKept(folder_, PrefixOf(tenant));
  for (auto file = files.rbegin(); file != files.rend() && folders.size() < kFoldersMax; ++file) {
    Descriptor kept(open(file->second.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (kept.is_open()) {
      folders.push_back(std::move(kept));
    }
  }
  return folders;
}

void WorkdirCache::Remove(const WorkdirOrder& order) {
  unlink(PathOf(NameOf(order)).c_str());
}

void WorkdirCache::RemoveOthers(const std::string& tenant) {
  for (const auto& [used, file] : ListKept(folder_, PrefixOf(tenant))) {
    unlink(file.path.c_str());
  }
}

bool WorkdirCache::Clear() {
  absl::MutexLock lock(&mu_);
  ++clears_;
  const auto files = ListKept(folder_);
  for (const auto& [used, file] : files) {
    unlink(file.path.c_str());
  }
  return !files.empty() || !coming_.empty();
}

void WorkdirCache::RemoveOldest() {
  const auto files = ListKept(folder_);
  int64_t size = 0;
  for (const auto& [used, file] : files) {
    size += file.size;
  }
  for (auto file = files.begin(); file != files.end() && size > bytes_max_; ++file) {
    unlink(file->second.path.c_str());
    size -= file->second.size;
  }
}

void WorkdirCache::End(const std::string& name) {
  absl::MutexLock lock(&mu_);
  coming_.erase(name);
}

WorkdirCache::Filling::Filling(WorkdirCache& cache, std::string name, int64_t clears)
    : cache_(cache), name_(std::move(name)), clears_(clears) {}

WorkdirCache::Filling::~Filling() {
  unlink(cache_.PathOf(name_ + kComing).c_str());  // gone already if it was kept
  cache_.End(name_);
}

void WorkdirCache::Filling::Begin(int64_t manifest_bytes) {
  file_ = Descriptor(open(cache_.PathOf(name_ + kComing).c_str(),
                          O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  size_ = 0;
  Write(reinterpret_cast<const char*>(&manifest_bytes), sizeof(manifest_bytes));
}

void WorkdirCache::Filling::Add(absl::string_view data) {
  Write(data.data(), data.size());
}

void WorkdirCache::Filling::Write(const char* data, size_t size) {
  if (!file_.is_open()) {
    return;
  }
  size_ += static_cast<int64_t>(size);
  bool is_wanted = size_ <= cache_.bytes_max_;
  {
    absl::MutexLock lock(&cache_.mu_);
    is_wanted = is_wanted && cache_.clears_ == clears_;
  }
  if (!is_wanted || !WriteWhole(file_.get(), data, size)) {
    file_.Close();
    unlink(cache_.PathOf(name_ + kComing).c_str());
  }
}

void WorkdirCache::Filling::Keep() {
  absl::MutexLock lock(&cache_.mu_);
  if (file_.is_open() && cache_.clears_ == clears_ &&
      rename(cache_.PathOf(name_ + kComing).c_str(), cache_.PathOf(name_).c_str()) == 0) {
    cache_.RemoveOldest();
  }
}

absl::Status Unpack(const Descriptor& kept, const WorkdirOrder& order) {
  int64_t manifest_bytes = 0;
  if (read(kept.get(), &manifest_bytes, sizeof(manifest_bytes)) != sizeof(manifest_bytes)) {
    return absl::DataLossError("the kept folder is cut short");
  }
  WorkdirUnpacker unpacker(order);
  RETURN_IF_ERROR(unpacker.Begin(manifest_bytes));
  std::string piece(kPieceBytes, '\0');
  while (true) {
    const ssize_t size = read(kept.get(), piece.data(), piece.size());
    if (size < 0) {
      return absl::DataLossError("the kept folder cannot be read");
    }
    if (size == 0) {
      return unpacker.Finish();
    }
    RETURN_IF_ERROR(unpacker.Take(absl::string_view(piece).substr(0, static_cast<size_t>(size))));
  }
}

}  // namespace berth
