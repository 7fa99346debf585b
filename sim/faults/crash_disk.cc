#include "sim/faults/crash_disk.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace berth::sim {
namespace {

constexpr int64_t kSectorBytes = 512;
// Of the sectors that were not forced, so many are there; which, is another draw.
constexpr std::array<int64_t, 5> kKeptPercent = {0, 10, 50, 90, 100};
// Of those that are not, one in so many holds neither what was nor what was written.
constexpr int64_t kGarbageOnce = 8;

std::string Slice(absl::string_view text, int64_t from, int64_t to) {
  return std::string(text.substr(static_cast<size_t>(from), static_cast<size_t>(to - from)));
}

}  // namespace

void CrashDisk::Put(const std::string& name, std::string content) {
  File& file = files_[name];
  file = File();
  file.forced = content;
  file.now = std::move(content);
  file.is_listed = true;
}

void CrashDisk::FailAt(Fault fault, int64_t calls) {
  fault_ = fault;
  fails_at_ = calls_ + calls;
  has_failed_ = false;
}

int64_t CrashDisk::Below(int64_t bound) {
  return static_cast<int64_t>(random_() % static_cast<uint64_t>(bound));
}

bool CrashDisk::Fails(Fault kind) {
  if (is_ended_) {
    return false;
  }
  ++calls_;
  if (is_off_) {
    return true;
  }
  if (fault_ == Fault::kPowerCut && calls_ >= fails_at_) {
    has_failed_ = is_off_ = loses_ = true;
    return true;
  }
  if (fault_ == Fault::kNone || fault_ != kind || calls_ < fails_at_) {
    return false;
  }
  has_failed_ = true;
  if (fault_ != Fault::kNoRoom) {
    fault_ = Fault::kNone;
  }
  return true;
}

// ---- What a program calls ----

CrashDisk::Result CrashDisk::Open(const std::string& name, bool create) {
  if (Fails(Fault::kNone)) {
    return Result::kFailed;
  }
  const auto found = files_.find(name);
  if (found != files_.end() && !found->second.is_deleted) {
    return Result::kOk;
  }
  if (!create) {
    return Result::kFailed;
  }
  files_[name] = File();
  return Result::kOk;
}

bool CrashDisk::Exists(const std::string& name) const {
  const auto found = files_.find(name);
  return found != files_.end() && !found->second.is_deleted;
}

CrashDisk::Result CrashDisk::Read(const std::string& name, int64_t offset, absl::string_view* piece,
                                  int64_t size) {
  if (Fails(Fault::kReadError)) {
    return Result::kFailed;
  }
  const absl::string_view content = files_[name].now;
  const auto length = static_cast<int64_t>(content.size());
  const int64_t found = std::max<int64_t>(0, std::min(size, length - offset));
  *piece = found > 0 ? content.substr(static_cast<size_t>(offset), static_cast<size_t>(found))
                     : absl::string_view();
  return found == size ? Result::kOk : Result::kShort;
}

CrashDisk::Result CrashDisk::Write(const std::string& name, int64_t offset,
                                   absl::string_view bytes) {
  if (is_ended_) {
    return Result::kOk;
  }
  File& file = files_[name];
  const auto end = offset + static_cast<int64_t>(bytes.size());
  const bool grows = end > static_cast<int64_t>(file.now.size());
  if (fault_ == Fault::kNoRoom && grows && Fails(Fault::kNoRoom)) {
    return Result::kNoRoom;
  }
  const bool was_off = is_off_;
  const bool fails = Fails(Fault::kWriteError);
  if (was_off) {
    return Result::kFailed;
  }
  // One that fails may have written a part.
  Change change{.offset = offset, .bytes = std::string(bytes)};
  if (fails) {
    change.bytes.resize(static_cast<size_t>(Below(static_cast<int64_t>(bytes.size()) + 1)));
  }
  Apply(change, file.now);
  file.changes.push_back(std::move(change));
  return fails ? Result::kFailed : Result::kOk;
}

CrashDisk::Result CrashDisk::Truncate(const std::string& name, int64_t size) {
  if (is_ended_) {
    return Result::kOk;
  }
  if (Fails(Fault::kWriteError)) {
    return Result::kFailed;
  }
  File& file = files_[name];
  file.changes.push_back({.offset = size, .is_truncation = true});
  Apply(file.changes.back(), file.now);
  return Result::kOk;
}

CrashDisk::Result CrashDisk::Sync(const std::string& name) {
  if (is_ended_) {
    return Result::kOk;
  }
  const bool fails = Fails(Fault::kSyncError);
  if (is_off_) {
    return Result::kFailed;
  }
  File& file = files_[name];
  if (fails) {
    for (Change& change : file.changes) {
      change.is_abandoned = true;
    }
    return Result::kFailed;
  }
  if (ignores_syncs_) {
    return Result::kOk;
  }
  std::vector<Change> abandoned;
  for (Change& change : file.changes) {
    if (change.is_abandoned) {
      abandoned.push_back(std::move(change));
    } else {
      Apply(change, file.forced);
    }
  }
  file.changes = std::move(abandoned);
  file.is_listed = true;
  return Result::kOk;
}

CrashDisk::Result CrashDisk::Delete(const std::string& name, bool sync_folder) {
  if (is_ended_) {
    return Result::kOk;
  }
  if (Fails(Fault::kWriteError)) {
    return Result::kFailed;
  }
  const auto found = files_.find(name);
  if (found == files_.end() || found->second.is_deleted) {
    return Result::kShort;
  }
  found->second.is_deleted = true;
  if ((sync_folder && !ignores_syncs_) || !found->second.is_listed) {
    files_.erase(found);
  }
  return Result::kOk;
}

CrashDisk::Result CrashDisk::Size(const std::string& name, int64_t* size) {
  if (Fails(Fault::kReadError)) {
    return Result::kFailed;
  }
  *size = static_cast<int64_t>(files_[name].now.size());
  return Result::kOk;
}

// ---- A power cut ----

void CrashDisk::Apply(const Change& change, std::string& content) {
  const auto offset = static_cast<size_t>(change.offset);
  if (change.is_truncation) {
    content.resize(offset);
    return;
  }
  if (content.size() < offset + change.bytes.size()) {
    content.resize(offset + change.bytes.size());
  }
  std::copy(change.bytes.begin(), change.bytes.end(),
            content.begin() + static_cast<std::ptrdiff_t>(offset));
}

void CrashDisk::ApplySome(const Change& change, int64_t kept_percent, std::string& content) {
  if (change.is_truncation) {
    if (Below(100) < kept_percent) {
      Apply(change, content);
    }
    return;
  }
  const auto size = static_cast<int64_t>(change.bytes.size());
  for (int64_t from = 0; from < size;) {
    const int64_t in_sector = kSectorBytes - (change.offset + from) % kSectorBytes;
    const int64_t to = std::min(size, from + in_sector);
    Change piece{.offset = change.offset + from, .bytes = Slice(change.bytes, from, to)};
    const bool is_kept = Below(100) < kept_percent;
    const bool is_garbage = !is_kept && kept_percent > 0 && Below(kGarbageOnce) == 0;
    if (is_garbage) {
      std::generate(piece.bytes.begin(), piece.bytes.end(),
                    [this] { return static_cast<char>(Below(256)); });
    }
    if (is_kept || is_garbage) {
      Apply(piece, content);
    }
    from = to;
  }
}

void CrashDisk::Restart() {
  is_off_ = is_ended_ = false;
  EndFault();
  if (!std::exchange(loses_, false)) {
    return;
  }
  const int64_t kept_percent =
      kKeptPercent.at(static_cast<size_t>(Below(static_cast<int64_t>(kKeptPercent.size()))));
  for (auto entry = files_.begin(); entry != files_.end();) {
    File& file = entry->second;
    const bool is_gone = (!file.is_listed && Below(2) == 0) || (file.is_deleted && Below(2) == 0);
    if (is_gone) {
      entry = files_.erase(entry);
      continue;
    }
    for (const Change& change : file.changes) {
      ApplySome(change, kept_percent, file.forced);
    }
    file.now = file.forced;
    file.changes.clear();
    file.is_listed = true;
    file.is_deleted = false;
    ++entry;
  }
}

}  // namespace berth::sim
