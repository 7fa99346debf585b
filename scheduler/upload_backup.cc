#include "scheduler/upload_backup.h"

#include <cerrno>
#include <filesystem>
#include <limits>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "common/credentials.h"
#include "common/descriptor.h"
#include "common/error_detail.h"
#include "common/sha256_sum.h"
#include "common/status_macros.h"
#include "common/workdir_manifest.h"
#include "scheduler/core/ids.h"
#include "scheduler/upload_files.h"
#include "scheduler/upload_records.h"
#include "scheduler/upload_store.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr size_t kBackupPieceBytes = 256 << 10;

absl::Status CannotSave(const std::string& path) {
  const std::string why = std::generic_category().message(errno);
  const absl::StatusCode code = errno == ENOSPC || errno == EDQUOT
                                    ? absl::StatusCode::kResourceExhausted
                                    : absl::StatusCode::kFailedPrecondition;
  return MakeError(
      code, {.code = "B8212",
             .message = absl::StrCat("cannot write the uploads of the backup, \"", path, "\""),
             .why = why,
             .fix = "name a new file on a file system with room"});
}

class UploadWriter {
 public:
  UploadWriter(const UploadStore& store, const std::string& path, const Descriptor& file,
               const std::function<bool()>& stopping)
      : store_(store), path_(path), file_(file), stopping_(stopping) {}

  absl::Status WriteAllOf(const std::string& folder, absl::Time taken_at) {
    RETURN_IF_ERROR(
        WriteSummed(absl::StrCat(kUploadsFirstWord, " 1 ", absl::ToUnixMicros(taken_at), "\n")));
    for (const std::string& name : NamesIn(folder)) {
      uint64_t tenant = 0;
      if (!absl::SimpleAtoi(name, &tenant)) {
        continue;
      }
      written_.clear();
      for (const std::string& manifest : NamesIn(absl::StrCat(folder, "/", name, "/manifests"))) {
        if (manifest.size() == 2 * kSha256Bytes) {
          RETURN_IF_ERROR(WriteUpload({TenantId(tenant), absl::HexStringToBytes(manifest)}));
        }
      }
    }
    return Write(absl::StrCat(kUploadsEndWord, " ", uploads_, " ",
                              absl::BytesToHexString(sum_.Finish()), "\n"));
  }
  int64_t uploads() const { return uploads_; }

 private:
  absl::Status WriteSummed(absl::string_view bytes) {
    if (stopping_()) {
      return absl::CancelledError("the scheduler stops");
    }
    sum_.Add(bytes);
    return Write(bytes);
  }

  absl::Status Write(absl::string_view bytes) {
    return WriteWhole(file_.get(), bytes.data(), bytes.size()) ? absl::OkStatus()
                                                               : CannotSave(path_);
  }

  absl::Status WriteLine(const char* word, const UploadName& name, int64_t size) {
    return WriteSummed(absl::StrCat(word, " ", name.tenant.value(), " ",
                                    absl::BytesToHexString(name.sha256), " ", size, "\n"));
  }

  // Nothing of the manifest itself unless it and all its contents are whole.
  absl::Status WriteUpload(const UploadName& name) {
    const absl::StatusOr<std::string> text = store_.ReadManifest(name);
    const absl::StatusOr<v1::WorkdirManifest> manifest =
        text.ok() ? ReadManifest(*text, kWorkdirLimitsMost) : text.status();
    if (!manifest.ok() || Sha256(*text) != name.sha256) {
      return absl::OkStatus();
    }
    for (const int index : DistinctContents(*manifest)) {
      ASSIGN_OR_RETURN(const bool is_there, WriteContent(name.tenant, manifest->entries(index)));
      if (!is_there) {
        return absl::OkStatus();
      }
    }
    ++uploads_;
    RETURN_IF_ERROR(WriteLine(kUploadsManifestWord, name, static_cast<int64_t>(text->size())));
    return WriteSummed(*text);
  }

  // Unless it is written already. False: the store does not have it whole.
  absl::StatusOr<bool> WriteContent(TenantId tenant, const v1::WorkdirEntry& entry) {
    if (written_.contains(entry.sha256())) {
      return true;
    }
    const auto content = store_.OpenContent(tenant, entry.sha256());
    if (!content.ok() || !IsWhole(*content, entry)) {
      return false;
    }
    RETURN_IF_ERROR(WriteLine(kUploadsContentWord, {tenant, entry.sha256()}, entry.size()));
    RETURN_IF_ERROR(Copy(*content, entry.size()));
    written_.insert(entry.sha256());
    return true;
  }

  // Looked at before it is written: a damaged one must not be in the backup.
  static bool IsWhole(const Descriptor& content, const v1::WorkdirEntry& entry) {
    Sha256Sum sum;
    std::string piece(kBackupPieceBytes, '\0');
    int64_t done = 0;
    while (true) {
      const ssize_t size = pread(content.get(), piece.data(), piece.size(), done);
      if (size <= 0) {
        return size == 0 && done == entry.size() && sum.Finish() == entry.sha256();
      }
      sum.Add(absl::string_view(piece).substr(0, static_cast<size_t>(size)));
      done += size;
    }
  }

  absl::Status Copy(const Descriptor& content, int64_t size) {
    std::string piece(kBackupPieceBytes, '\0');
    for (int64_t done = 0; done < size;) {
      const ssize_t got = pread(content.get(), piece.data(), piece.size(), done);
      if (got <= 0) {
        return CannotSave(path_);
      }
      RETURN_IF_ERROR(WriteSummed(absl::string_view(piece).substr(0, static_cast<size_t>(got))));
      done += got;
    }
    return absl::OkStatus();
  }

  const UploadStore& store_;
  const std::string& path_;
  const Descriptor& file_;
  const std::function<bool()>& stopping_;
  Sha256Sum sum_;
  std::set<std::string> written_;  // contents of the tenant
  int64_t uploads_ = 0;
};

// Puts the records into a store.
class UploadRestorer {
 public:
  UploadRestorer(const std::string& folder, absl::Time now)
      : now_(now),
        store_(folder, {.limits = kWorkdirLimitsMost,
                        .tenant_size_max = std::numeric_limits<int64_t>::max(),
                        .disk_reserve = 0}) {}

  absl::Status Restore(const std::string& path) {
    RETURN_IF_ERROR(store_.Open());
    const UploadRecordTaker taker = {
        .begin = [this](const UploadRecord& record) { return Begin(record); },
        .add = [this](absl::string_view part) { return Add(part); },
        .end = [this] { return End(); }};
    return ReadUploadRecords(path, taker).status();
  }

 private:
  absl::Status Begin(const UploadRecord& record) {
    record_ = record;
    manifest_.clear();
    const auto there = record.is_manifest
                           ? absl::StatusOr<Descriptor>(absl::NotFoundError(""))
                           : store_.OpenContent(record.name.tenant, record.name.sha256);
    struct stat facts {};
    is_there_ = there.ok() && fstat(there->get(), &facts) == 0 && facts.st_size == record.size;
    if (record.is_manifest || is_there_) {
      return absl::OkStatus();
    }
    v1::WorkdirEntry entry;
    entry.set_sha256(record.name.sha256);
    entry.set_size(record.size);
    ASSIGN_OR_RETURN(content_, store_.Receive(record.name.tenant, entry));
    return absl::OkStatus();
  }

  absl::Status Add(absl::string_view part) {
    if (record_.is_manifest) {
      manifest_.append(part.data(), part.size());
    }
    return record_.is_manifest || is_there_ ? absl::OkStatus() : content_->Add(part);
  }

  absl::Status End() {
    if (record_.is_manifest) {
      return store_.Save(record_.name.tenant, manifest_, now_).status();
    }
    const std::unique_ptr<UploadStore::Content> content = std::move(content_);
    return is_there_ ? absl::OkStatus() : content->Finish();
  }

  const absl::Time now_;
  UploadStore store_;
  UploadRecord record_;  // under way
  bool is_there_ = false;
  std::unique_ptr<UploadStore::Content> content_;
  std::string manifest_;
};

}  // namespace

std::string UploadBackupPath(absl::string_view backup) {
  return absl::StrCat(backup, ".uploads");
}

absl::StatusOr<UploadBackupFacts> SaveUploads(const std::string& folder, const std::string& path,
                                              absl::Time taken_at,
                                              const std::function<bool()>& stopping) {
  const std::string draft = absl::StrCat(path, ".part");
  unlink(draft.c_str());  // of a backup that broke off
  const Descriptor file(
      open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open()) {
    return CannotSave(path);
  }
  const UploadStore store(folder, {});
  UploadWriter writer(store, path, file, stopping);
  absl::Status status = writer.WriteAllOf(folder, taken_at);
  // As a link the name is given only if no file has it.
  if (status.ok() && (fsync(file.get()) != 0 || link(draft.c_str(), path.c_str()) != 0)) {
    status = CannotSave(path);
  }
  unlink(draft.c_str());
  RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(SyncUploadFolder(std::filesystem::path(path).parent_path()));
  struct stat facts {};
  fstat(file.get(), &facts);
  return UploadBackupFacts{taken_at, writer.uploads(), static_cast<int64_t>(facts.st_size)};
}

absl::StatusOr<UploadBackupFacts> VerifyUploads(const std::string& path) {
  const UploadRecordTaker taker = {.begin = [](const UploadRecord&) { return absl::OkStatus(); },
                                   .add = [](absl::string_view) { return absl::OkStatus(); },
                                   .end = [] { return absl::OkStatus(); }};
  return ReadUploadRecords(path, taker);
}

absl::Status RestoreUploads(const std::string& path, const std::string& folder, absl::Time now) {
  return UploadRestorer(folder, now).Restore(path);
}

}  // namespace berth
