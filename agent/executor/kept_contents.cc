#include "agent/executor/kept_contents.h"

#include <algorithm>
#include <utility>

#include "common/workdir_manifest.h"
#include <unistd.h>

namespace berth {
namespace {

constexpr int64_t kReadBytes = 256 << 10;

// False: there is less.
bool ReadAt(const Descriptor& file, int64_t offset, char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t count = pread(file.get(), bytes, size, offset);
    if (count <= 0) {
      return false;
    }
    bytes += count;
    size -= static_cast<size_t>(count);
    offset += count;
  }
  return true;
}

}  // namespace

KeptContents::KeptContents(std::vector<Descriptor> folders) : folders_(std::move(folders)) {
  for (size_t folder = 0; folder < folders_.size(); ++folder) {
    AddFolder(folder);
  }
  DropSmallest();
}

void KeptContents::AddFolder(size_t folder) {
  int64_t manifest_bytes = 0;
  if (!ReadAt(folders_[folder], 0, reinterpret_cast<char*>(&manifest_bytes),
              sizeof(manifest_bytes)) ||
      manifest_bytes < 0 || manifest_bytes > kManifestBytesMax) {
    return;
  }
  std::string text(static_cast<size_t>(manifest_bytes), '\0');
  if (!ReadAt(folders_[folder], sizeof(manifest_bytes), text.data(), text.size())) {
    return;
  }
  const auto manifest = berth::ReadManifest(text, kWorkdirLimitsMost);
  if (!manifest.ok()) {
    return;
  }
  int64_t offset = static_cast<int64_t>(sizeof(manifest_bytes)) + manifest_bytes;
  for (const int index : DistinctContents(*manifest)) {
    const v1::WorkdirEntry& entry = manifest->entries(index);
    if (entry.size() > 0) {
      places_.try_emplace(entry.sha256(), Place{folder, offset, entry.size()});
    }
    offset += entry.size();
  }
}

void KeptContents::DropSmallest() {
  if (places_.size() <= kNamesMax) {
    return;
  }
  std::vector<int64_t> sizes;
  sizes.reserve(places_.size());
  for (const auto& [sha256, place] : places_) {
    sizes.push_back(place.size);
  }
  const auto last = sizes.begin() + kNamesMax - 1;
  std::nth_element(sizes.begin(), last, sizes.end(), std::greater<>());
  // Of those as large as the last that stays there is room for some.
  auto room = static_cast<int64_t>(kNamesMax) -
              std::count_if(sizes.begin(), sizes.end(), [&](int64_t one) { return one > *last; });
  std::erase_if(places_, [&](const auto& named) {
    return named.second.size < *last || (named.second.size == *last && room-- <= 0);
  });
}

std::vector<std::string> KeptContents::Names() const {
  std::vector<std::string> names;
  names.reserve(places_.size());
  for (const auto& [sha256, place] : places_) {
    names.push_back(sha256);
  }
  return names;
}

absl::Status KeptContents::Read(absl::string_view sha256,
                                const std::function<absl::Status(absl::string_view)>& take) const {
  const Place& place = places_.find(sha256)->second;
  std::string piece;
  absl::Status status;
  for (int64_t done = 0; status.ok() && done < place.size;
       done += static_cast<int64_t>(piece.size())) {
    piece.resize(static_cast<size_t>(std::min(kReadBytes, place.size - done)));
    status = ReadAt(folders_[place.folder], place.offset + done, piece.data(), piece.size())
                 ? take(piece)
                 : absl::DataLossError("a kept folder is cut short");
  }
  return status;
}

}  // namespace berth
