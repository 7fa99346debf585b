#include "client/workdir_upload.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/text.h"
#include "client/unreachable.h"
#include "common/backoff.h"
#include "common/descriptor.h"
#include "common/error_detail.h"
#include "common/quantity.h"
#include "common/sha256_sum.h"
#include "common/status_macros.h"
#include "common/workdir_manifest.h"
#include <fcntl.h>
#include <unistd.h>

namespace berth {
namespace {

absl::Status Changed(const std::string& path, absl::string_view why) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B1310",
                    .message = absl::StrCat("\"", CleanText(path), "\" changed while it was sent"),
                    .why = why,
                    .fix = "submit again when nobody writes it, or list it in .berthignore"});
}

// One try. What it reports of the call's end is the scheduler's word.
class Upload {
 public:
  Upload(ApiClient& api, const ScannedFolder& folder)
      : folder_(folder), call_(api.UploadWorkdir()) {}

  absl::StatusOr<UploadResult> Run(const std::string& tenant) {
    absl::Status own = Send(tenant);
    if (!own.ok()) {
      call_->Cancel();
    }
    const absl::Status call = call_->Finish();
    if (!own.ok() || !call.ok()) {
      return own.ok() ? call : own;
    }
    if (result_.sha256.empty()) {
      return absl::UnavailableError("the upload broke off");
    }
    return result_;
  }

  int64_t bytes() const { return result_.bytes; }

 private:
  // OK also where the call ends early: its own end says why.
  absl::Status Send(const std::string& tenant) {
    std::string text;
    if (!folder_.manifest.SerializeToString(&text)) {
      return absl::InternalError("the manifest cannot be written");
    }
    v1::UploadWorkdirRequest request;
    request.mutable_begin()->set_manifest_bytes(static_cast<int64_t>(text.size()));
    request.mutable_begin()->set_on_behalf_of_tenant(tenant);
    bool goes_on = call_->Write(request);
    for (size_t at = 0; goes_on && at < text.size(); at += kWorkdirPieceBytes) {
      request.set_manifest(text.substr(at, kWorkdirPieceBytes));
      goes_on = call_->Write(request);
    }
    v1::UploadWorkdirResponse response;
    if (!goes_on || !call_->Read(response)) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(SendContents(response.lacking()));
    if (call_->Read(response)) {
      result_.sha256 = response.workdir_sha256();
    }
    return absl::OkStatus();
  }

  absl::Status SendContents(const v1::UploadWorkdirResponse::Lacking& lacking) {
    const Descriptor folder(open(folder_.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::set<std::string> contents;
    for (const uint32_t index : lacking.entries()) {
      if (index >= static_cast<uint32_t>(folder_.manifest.entries_size())) {
        return absl::InternalError("the scheduler asks for a file that there is none of");
      }
      const v1::WorkdirEntry& entry = folder_.manifest.entries(static_cast<int>(index));
      contents.insert(entry.sha256());
      ASSIGN_OR_RETURN(const bool goes_on, SendContent(folder.get(), entry));
      if (!goes_on) {
        return absl::OkStatus();
      }
    }
    for (const v1::WorkdirEntry& entry : folder_.manifest.entries()) {
      if (entry.kind() == v1::WorkdirEntry::KIND_FILE && contents.contains(entry.sha256())) {
        ++result_.files;
      }
    }
    return absl::OkStatus();
  }

  // False: the call has ended.
  absl::StatusOr<bool> SendContent(int folder, const v1::WorkdirEntry& entry) {
    const Descriptor file(
        openat(folder, entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    Sha256Sum sum;
    v1::UploadWorkdirRequest request;
    for (int64_t left = entry.size(); left > 0;) {
      std::string& piece = *request.mutable_content();
      piece.resize(static_cast<size_t>(std::min(left, kWorkdirPieceBytes)));
      const ssize_t size = file.is_open() ? read(file.get(), piece.data(), piece.size()) : -1;
      if (size <= 0) {
        return Changed(entry.path(),
                       size < 0 ? std::generic_category().message(errno) : "it became shorter");
      }
      piece.resize(static_cast<size_t>(size));
      sum.Add(piece);
      left -= size;
      if (left == 0 && sum.Finish() != entry.sha256()) {
        return Changed(entry.path(), "its content is another one");
      }
      if (!call_->Write(request)) {
        return false;
      }
      result_.bytes += size;
    }
    return true;
  }

  const ScannedFolder& folder_;
  const std::unique_ptr<WorkdirChannel> call_;
  UploadResult result_;
};

}  // namespace

absl::StatusOr<UploadResult> UploadFolder(ApiClient& api, const ScannedFolder& folder,
                                          const std::string& tenant, const Patience& patience) {
  absl::Time give_up = absl::Now() + patience.total;
  Backoff backoff(absl::Milliseconds(50), absl::Seconds(1),
                  static_cast<uint64_t>(absl::ToUnixNanos(give_up)));
  int64_t bytes_before = 0;
  while (true) {
    Upload upload(api, folder);
    absl::StatusOr<UploadResult> result = upload.Run(tenant);
    if (result.ok()) {
      result->bytes += bytes_before;
      return result;
    }
    if (upload.bytes() > 0) {
      give_up = absl::Now() + patience.total;
    }
    const absl::Duration wait = backoff.Next();
    if (!IsUnreachable(result.status()) || absl::Now() + wait >= give_up) {
      return result.status();
    }
    bytes_before += upload.bytes();
    api.Pause(wait);
  }
}

std::string UploadText(const UploadResult& result, const ScannedFolder& folder) {
  return absl::StrCat("uploaded ", result.files, " of ", folder.files, " files (",
                      FormatSize(result.bytes), ")");
}

}  // namespace berth
