#include "scheduler/upload_store.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "common/credentials.h"
#include "common/error_detail.h"
#include "common/quantity.h"
#include "common/status_macros.h"
#include "scheduler/upload_files.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr char kNewPrefix[] = ".new-";
constexpr size_t kShownBytes = 200;
constexpr fsfilcnt_t kInodesReserve = 20;  // a share of one in so many stays free

absl::Status Gone() {
  return MakeError(absl::StatusCode::kNotFound,
                   {.code = "B4008",
                    .message = "the uploaded folder is not there (any more)",
                    .why = "an upload that no job needs is removed some time after its last use",
                    .fix = "submit again with --workdir and the folder"});
}

absl::Status WrongContent(absl::string_view path) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.code = "B1228",
                    .message = absl::StrCat("\"", absl::CHexEscape(path.substr(0, kShownBytes)),
                                            "\" did not arrive as the manifest says"),
                    .why = "its size or its SHA-256 differs: it changed while it was uploaded",
                    .fix = "submit again"});
}

std::string Hex(absl::string_view sha256) {
  return absl::BytesToHexString(sha256);
}

absl::Time LastUse(const struct stat& facts) {
  return absl::TimeFromTimespec(facts.st_mtim);
}

}  // namespace

UploadStore::UploadStore(std::string folder, UploadOptions options)
    : folder_(std::move(folder)), options_(options) {}

std::string UploadStore::TenantFolder(TenantId tenant) const {
  return absl::StrCat(folder_, "/", tenant.value());
}

std::string UploadStore::ContentPath(TenantId tenant, absl::string_view sha256) const {
  return absl::StrCat(TenantFolder(tenant), "/contents/", Hex(sha256));
}

std::string UploadStore::ManifestPath(const UploadName& name) const {
  return absl::StrCat(TenantFolder(name.tenant), "/manifests/", Hex(name.sha256));
}

absl::Status UploadStore::Open() const {
  if (mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) {
    return CannotKeepUpload(errno);
  }
  return absl::OkStatus();
}

std::vector<TenantId> UploadStore::Tenants() const {
  std::vector<TenantId> tenants;
  for (const std::string& name : NamesIn(folder_)) {
    uint64_t id = 0;
    if (absl::SimpleAtoi(name, &id) && id > 0) {
      tenants.emplace_back(id);
    }
  }
  return tenants;
}

absl::Status UploadStore::OpenTenant(TenantId tenant) {
  if (sizes_.contains(tenant)) {
    return absl::OkStatus();
  }
  for (const char* part : {"", "/contents", "/manifests"}) {
    if (mkdir((TenantFolder(tenant) + part).c_str(), 0700) != 0 && errno != EEXIST) {
      return CannotKeepUpload(errno);
    }
  }
  RETURN_IF_ERROR(SyncUploadFolder(TenantFolder(tenant)));
  RETURN_IF_ERROR(SyncUploadFolder(folder_));
  int64_t& size = sizes_[tenant];
  for (const char* part : {"/contents/", "/manifests/"}) {
    const std::string folder = TenantFolder(tenant) + part;
    for (const std::string& name : NamesIn(folder)) {
      struct stat facts {};
      if (absl::StartsWith(name, kNewPrefix)) {
        unlink((folder + name).c_str());
      } else if (lstat((folder + name).c_str(), &facts) == 0) {
        size += facts.st_size;
      }
    }
  }
  return absl::OkStatus();
}

int64_t UploadStore::SizeOf(TenantId tenant) const {
  const auto found = sizes_.find(tenant);
  return found == sizes_.end() ? 0 : found->second;
}

absl::Status UploadStore::CheckRoom(TenantId tenant, int64_t more) const {
  if (more == 0) {
    return absl::OkStatus();
  }
  if (SizeOf(tenant) + more > options_.tenant_size_max) {
    return MakeError(
        absl::StatusCode::kResourceExhausted,
        {.code = "B2203",
         .message = absl::StrCat("your tenant's uploads hold ", FormatSize(SizeOf(tenant)),
                                 ", and this one brings ", FormatSize(more), " more"),
         .why = absl::StrCat("they may hold ", FormatSize(options_.tenant_size_max),
                             "; those that no job needs leave after ",
                             berth::FormatDuration(options_.keep_when_crowded)),
         .fix = "leave large files out with .berthignore, or ask the center's operators for more "
                "(uploads.tenant_size)"});
  }
  struct statvfs disk {};
  if (statvfs(folder_.c_str(), &disk) != 0) {
    return CannotKeepUpload(errno);
  }
  const auto free = static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
  // Not every file system counts its inodes.
  const bool has_inodes = disk.f_files == 0 || disk.f_favail >= disk.f_files / kInodesReserve;
  return has_inodes && free - more >= options_.disk_reserve ? absl::OkStatus()
                                                            : CannotKeepUpload(ENOSPC);
}

absl::StatusOr<std::vector<int>> UploadStore::FindLacking(TenantId tenant,
                                                          const v1::WorkdirManifest& manifest,
                                                          absl::Time now) {
  RETURN_IF_ERROR(OpenTenant(tenant));
  std::vector<int> lacking;
  int64_t more = 0;
  for (const int index : DistinctContents(manifest)) {
    const v1::WorkdirEntry& entry = manifest.entries(index);
    const std::string path = ContentPath(tenant, entry.sha256());
    struct stat facts {};
    if (lstat(path.c_str(), &facts) == 0 && facts.st_size == entry.size() && Touch(path, now)) {
      continue;
    }
    lacking.push_back(index);
    more += entry.size();
  }
  RETURN_IF_ERROR(CheckRoom(tenant, more));
  return lacking;
}

absl::StatusOr<std::unique_ptr<UploadStore::Content>> UploadStore::Receive(
    TenantId tenant, const v1::WorkdirEntry& entry) {
  RETURN_IF_ERROR(OpenTenant(tenant));
  RETURN_IF_ERROR(CheckRoom(tenant, entry.size()));
  std::unique_ptr<Content> content(new Content(*this, tenant, entry));
  content->new_path_ = absl::StrCat(TenantFolder(tenant), "/contents/", kNewPrefix, ++received_);
  content->file_ = Descriptor(
      open(content->new_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!content->file_.is_open()) {
    return CannotKeepUpload(errno);
  }
  return content;
}

absl::StatusOr<UploadName> UploadStore::Save(TenantId tenant, absl::string_view manifest,
                                             absl::Time now) {
  ASSIGN_OR_RETURN(const v1::WorkdirManifest parsed,
                   berth::ReadManifest(manifest, options_.limits));
  ASSIGN_OR_RETURN(const std::vector<int> lacking, FindLacking(tenant, parsed, now));
  if (!lacking.empty()) {
    return WrongContent(parsed.entries(lacking[0]).path());
  }
  RETURN_IF_ERROR(SyncUploadFolder(TenantFolder(tenant) + "/contents"));
  UploadName name{tenant, Sha256(manifest)};
  const std::string path = ManifestPath(name);
  if (Touch(path, now)) {
    return name;
  }
  RETURN_IF_ERROR(CheckRoom(tenant, static_cast<int64_t>(manifest.size())));
  const std::string folder = TenantFolder(tenant) + "/manifests";
  const std::string new_path = absl::StrCat(folder, "/", kNewPrefix, ++received_);
  const Descriptor file(
      open(new_path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  absl::Status status = file.is_open() ? WriteAll(file.get(), manifest) : CannotKeepUpload(errno);
  if (status.ok() && (fsync(file.get()) != 0 || !Touch(new_path, now) ||
                      rename(new_path.c_str(), path.c_str()) != 0)) {
    status = CannotKeepUpload(errno);
  }
  if (!status.ok()) {
    unlink(new_path.c_str());
    return status;
  }
  sizes_[tenant] += static_cast<int64_t>(manifest.size());
  RETURN_IF_ERROR(SyncUploadFolder(folder));
  return name;
}

absl::Status UploadStore::Use(const UploadName& name, absl::Time now) {
  return Touch(ManifestPath(name), now) ? absl::OkStatus() : Gone();
}

absl::StatusOr<std::string> UploadStore::ReadManifest(const UploadName& name) const {
  const Descriptor file(open(ManifestPath(name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat facts {};
  if (!file.is_open() || fstat(file.get(), &facts) != 0) {
    return Gone();
  }
  std::string text(static_cast<size_t>(std::min<int64_t>(facts.st_size, kManifestBytesMax)), '\0');
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t size = read(file.get(), text.data() + done, text.size() - done);
    if (size <= 0) {
      return CannotKeepUpload(size == 0 ? EIO : errno);
    }
    done += static_cast<size_t>(size);
  }
  return text;
}

absl::StatusOr<Descriptor> UploadStore::OpenContent(TenantId tenant,
                                                    absl::string_view sha256) const {
  Descriptor file(open(ContentPath(tenant, sha256).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open()) {
    return Gone();
  }
  return file;
}

absl::Duration UploadStore::KeepOf(TenantId tenant) const {
  const bool crowded = SizeOf(tenant) > options_.tenant_size_max / 4 * 3;
  return crowded ? std::min(options_.keep, options_.keep_when_crowded) : options_.keep;
}

std::vector<UploadName> UploadStore::FindExpired(absl::Time now, int count_max) {
  std::vector<UploadName> expired;
  for (const TenantId tenant : Tenants()) {
    if (!OpenTenant(tenant).ok()) {
      continue;
    }
    const absl::Time before = now - KeepOf(tenant);
    const std::string folder = TenantFolder(tenant) + "/manifests/";
    for (const std::string& name : NamesIn(folder)) {
      struct stat facts {};
      if (static_cast<int>(expired.size()) == count_max) {
        return expired;
      }
      if (name.size() == 2 * kSha256Bytes && lstat((folder + name).c_str(), &facts) == 0 &&
          LastUse(facts) < before) {
        expired.push_back({tenant, absl::HexStringToBytes(name)});
      }
    }
  }
  return expired;
}

void UploadStore::Remove(const std::vector<UploadName>& expired, absl::Time now) {
  for (const UploadName& name : expired) {
    const std::string path = ManifestPath(name);
    struct stat facts {};
    if (lstat(path.c_str(), &facts) == 0 && LastUse(facts) < now - KeepOf(name.tenant) &&
        unlink(path.c_str()) == 0) {
      sizes_[name.tenant] -= facts.st_size;
    }
  }
}

void UploadStore::RemoveLooseContents(absl::Time now) {
  for (const TenantId tenant : Tenants()) {
    if (OpenTenant(tenant).ok()) {
      RemoveLooseContentsOf(tenant, now);
    }
  }
}

void UploadStore::RemoveLooseContentsOf(TenantId tenant, absl::Time now) {
  const std::string folder = TenantFolder(tenant) + "/contents/";
  const absl::Time before = now - KeepOf(tenant);
  std::map<std::string, int64_t> loose;  // sizes by name
  for (const std::string& name : NamesIn(folder)) {
    struct stat facts {};
    if (name.size() == 2 * kSha256Bytes && lstat((folder + name).c_str(), &facts) == 0 &&
        LastUse(facts) < before) {
      loose[name] = facts.st_size;
    }
  }
  if (loose.empty()) {
    return;
  }
  // A manifest must be gone for good before what it needs goes.
  if (!SyncUploadFolder(TenantFolder(tenant) + "/manifests").ok()) {
    return;
  }
  for (const std::string& name : NamesIn(TenantFolder(tenant) + "/manifests")) {
    const auto text = ReadManifest({tenant, absl::HexStringToBytes(name)});
    v1::WorkdirManifest manifest;
    if (!text.ok() || !manifest.ParseFromString(*text)) {
      return;  // what it needs is not known
    }
    for (const v1::WorkdirEntry& entry : manifest.entries()) {
      loose.erase(Hex(entry.sha256()));
    }
  }
  for (const auto& [name, size] : loose) {
    if (unlink((folder + name).c_str()) == 0) {
      sizes_[tenant] -= size;
    }
  }
}

UploadStore::Content::Content(UploadStore& store, TenantId tenant, const v1::WorkdirEntry& entry)
    : store_(store),
      tenant_(tenant),
      path_(entry.path()),
      sha256_(entry.sha256()),
      size_(entry.size()),
      left_(entry.size()) {}

UploadStore::Content::~Content() {
  if (!new_path_.empty()) {
    unlink(new_path_.c_str());
  }
}

absl::Status UploadStore::Content::Add(absl::string_view piece) {
  if (static_cast<int64_t>(piece.size()) > left_) {
    return WrongContent(path_);
  }
  left_ -= static_cast<int64_t>(piece.size());
  sum_.Add(piece);
  return WriteAll(file_.get(), piece);
}

absl::Status UploadStore::Content::Finish() {
  if (left_ != 0 || sum_.Finish() != sha256_) {
    return WrongContent(path_);
  }
  const std::string path = store_.ContentPath(tenant_, sha256_);
  struct stat before {};
  const bool existed = lstat(path.c_str(), &before) == 0;
  if (fsync(file_.get()) != 0 || rename(new_path_.c_str(), path.c_str()) != 0) {
    return CannotKeepUpload(errno);
  }
  new_path_.clear();
  store_.sizes_[tenant_] += size_ - (existed ? before.st_size : 0);
  return absl::OkStatus();
}

}  // namespace berth
