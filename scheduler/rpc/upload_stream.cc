#include "scheduler/rpc/upload_stream.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/grpc_status.h"
#include "common/status_macros.h"
#include <unistd.h>

namespace berth {
namespace {

using UploadRequest = v1::UploadWorkdirRequest;
using UploadResponse = v1::UploadWorkdirResponse;

absl::Status WrongFrame(absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.code = "B1228",
                    .message = message,
                    .why = "the upload is not as proto/client_api.proto says",
                    .fix = "use a client of this version"});
}

// A read, then work on the desk's thread, then perhaps a write, then the next read: never two of
// them at a time, so that nothing here needs a lock.
class UploadStream final : public grpc::ServerBidiReactor<UploadRequest, UploadResponse> {
 public:
  UploadStream(grpc::CallbackServerContext* context, Actor actor, const CallRouter& router,
               UploadDesk& desk)
      : context_(context), actor_(std::move(actor)), router_(router), desk_(desk) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      End(absl::CancelledError("the client has gone, or sent no whole upload"));
      return;
    }
    if (const absl::Status token = router_.authenticator().Recheck(actor_.token_id); !token.ok()) {
      End(token);
    } else if (upload_ == nullptr) {
      Begin();
    } else {
      Work();
    }
  }

  void OnWriteDone(bool ok) override {
    if (!ok) {
      End(absl::CancelledError("the client has gone"));
    } else if (response_.has_lacking()) {
      // Nothing may be lacking.
      awaited_ < lacking_.size() ? ReadNext() : Work();
    } else {
      End(absl::OkStatus());
    }
  }

  void OnDone() override {
    if (upload_ != nullptr) {
      desk_.Remove(upload_->id());
    }
    delete this;
  }

 private:
  void End(const absl::Status& status) { Finish(ToGrpcStatus(status, context_)); }

  void ReadNext() {
    request_.Clear();
    StartRead(&request_);
  }

  void Begin() {
    const int64_t size = request_.begin().manifest_bytes();
    if (!request_.has_begin() || size < 0 || size > kManifestBytesMax) {
      End(WrongFrame(absl::StrCat("the manifest has more than ", kManifestBytesMax, " bytes")));
      return;
    }
    auto upload = desk_.Add(actor_.token_id);
    if (!upload.ok()) {
      End(upload.status());
      return;
    }
    upload_ = *std::move(upload);
    manifest_bytes_ = static_cast<size_t>(size);
    berth::SubmitJob submit;
    submit.tenant = request_.begin().on_behalf_of_tenant();
    auto guard = std::make_shared<UnlessTaken>([this] { End(UploadDesk::Overloaded()); });
    router_.loop().PostRead([this, guard, submit](const ReadView& view) {
      guard->Take();
      tenant_ = SubmitTenant(view.cluster(), actor_, submit);
      if (!tenant_) {
        End(MakeError(absl::StatusCode::kNotFound,
                      {.code = "B2001",
                       .message = absl::StrCat("no tenant \"", submit.tenant, "\""),
                       .why = "",
                       .fix = "berth tenant list"}));
      } else if (manifest_bytes_ == 0) {
        Work();
      } else {
        ReadNext();
      }
    });
  }

  void Work() {
    desk_.Do(
        [this](UploadStore& store, absl::Time now) {
          if (const absl::Status status = Take(store, now); !status.ok()) {
            End(status);
          }
        },
        [this] { End(UploadDesk::Overloaded()); });
  }

  // On the desk's thread. OK: the next step is under way.
  absl::Status Take(UploadStore& store, absl::Time now) {
    if (!knows_manifest_) {
      return TakeManifest(store, now);
    }
    if (awaited_ < lacking_.size()) {
      RETURN_IF_ERROR(TakeContent(store));
      if (awaited_ < lacking_.size()) {
        ReadNext();
        return absl::OkStatus();
      }
    }
    ASSIGN_OR_RETURN(UploadName name, store.Save(tenant_, manifest_text_, now));
    response_.set_workdir_sha256(std::move(name.sha256));
    StartWrite(&response_);
    return absl::OkStatus();
  }

  absl::Status TakeManifest(UploadStore& store, absl::Time now) {
    const std::string& piece = request_.manifest();
    if (piece.size() > manifest_bytes_ - manifest_text_.size() ||
        (piece.empty() && manifest_bytes_ != 0)) {
      return WrongFrame("the manifest is longer than it was said to be, or a piece is empty");
    }
    manifest_text_ += piece;
    if (manifest_text_.size() < manifest_bytes_) {
      ReadNext();
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(manifest_, ReadManifest(manifest_text_, store.options().limits));
    ASSIGN_OR_RETURN(lacking_, store.FindLacking(tenant_, manifest_, now));
    knows_manifest_ = true;
    response_.mutable_lacking()->mutable_entries()->Assign(lacking_.begin(), lacking_.end());
    RETURN_IF_ERROR(TakeEmptyContents(store));
    StartWrite(&response_);
    return absl::OkStatus();
  }

  absl::Status TakeContent(UploadStore& store) {
    const std::string& piece = request_.content();
    if (piece.empty() || piece.size() > kWorkdirPieceBytesMax) {
      return WrongFrame("a piece of a content is empty or too large");
    }
    if (content_ == nullptr) {
      ASSIGN_OR_RETURN(content_, store.Receive(tenant_, manifest_.entries(lacking_[awaited_])));
    }
    RETURN_IF_ERROR(content_->Add(piece));
    if (content_->left() > 0) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(content_->Finish());
    content_ = nullptr;
    ++awaited_;
    return TakeEmptyContents(store);
  }

  // Nobody sends a piece for those.
  absl::Status TakeEmptyContents(UploadStore& store) {
    for (; awaited_ < lacking_.size(); ++awaited_) {
      const v1::WorkdirEntry& entry = manifest_.entries(lacking_[awaited_]);
      if (entry.size() > 0) {
        break;
      }
      ASSIGN_OR_RETURN(const auto content, store.Receive(tenant_, entry));
      RETURN_IF_ERROR(content->Finish());
    }
    return absl::OkStatus();
  }

  grpc::CallbackServerContext* const context_;
  const Actor actor_;
  const CallRouter& router_;
  UploadDesk& desk_;

  UploadRequest request_;
  UploadResponse response_;
  std::shared_ptr<OpenUpload> upload_;  // from the first frame on
  TenantId tenant_;
  size_t manifest_bytes_ = 0;
  std::string manifest_text_;
  bool knows_manifest_ = false;
  v1::WorkdirManifest manifest_;
  std::vector<int> lacking_;
  size_t awaited_ = 0;  // the next of `lacking_`
  std::unique_ptr<UploadStore::Content> content_;
};

// The folder of a task that runs, or will, on this node: of no other is a node told.
absl::StatusOr<UploadName> FindUpload(const ReadView& view, NodeId node, AllocationId id) {
  const absl::Status none = absl::NotFoundError("no such task on this node, or it has no folder");
  const Allocation* allocation = view.cluster().FindAllocation(id);
  if (allocation == nullptr || allocation->node != node) {
    return none;
  }
  const Job* job = view.cluster().FindJob(allocation->job);
  if (job == nullptr) {
    return none;
  }
  ASSIGN_OR_RETURN(const std::string payload, view.GetJobPayload(*job));
  v1::JobSpec spec;
  if (!spec.ParseFromString(payload) || spec.workdir_sha256().empty()) {
    return none;
  }
  return UploadName{job->spec.tenant, spec.workdir_sha256()};
}

// Work on the desk's thread, then a write, and so on.
class WorkdirStream final : public grpc::ServerWriteReactor<v1::FetchWorkdirResponse> {
 public:
  WorkdirStream(grpc::CallbackServerContext* context, Actor actor, const CallRouter& router,
                UploadDesk& desk)
      : context_(context), actor_(std::move(actor)), router_(router), desk_(desk) {}

  void Start(const v1::FetchWorkdirRequest& request) {
    kept_.insert(request.kept().begin(), request.kept().end());
    auto guard = std::make_shared<UnlessTaken>([this] { End(UploadDesk::Overloaded()); });
    router_.loop().PostRead(
        [this, guard, allocation = AllocationId(request.allocation_id())](const ReadView& view) {
          guard->Take();
          auto name = FindUpload(view, actor_.node, allocation);
          if (!name.ok()) {
            End(name.status());
            return;
          }
          name_ = *std::move(name);
          Work();
        });
  }

  void OnWriteDone(bool ok) override {
    const absl::Status token = router_.authenticator().Recheck(actor_.token_id);
    if (!ok || !token.ok()) {
      End(ok ? token : absl::CancelledError("the agent has gone"));
    } else {
      Work();
    }
  }

  void OnDone() override { delete this; }

 private:
  void End(const absl::Status& status) { Finish(ToGrpcStatus(status, context_)); }

  void Work() {
    desk_.Do(
        [this](UploadStore& store, absl::Time) {
          response_.Clear();
          const absl::Status status = knows_manifest_ ? Fill(store) : TakeManifest(store);
          if (!status.ok() || (response_.data().empty() && response_.manifest_bytes() == 0)) {
            End(status);
          } else {
            StartWrite(&response_);
          }
        },
        [this] { End(UploadDesk::Overloaded()); });
  }

  absl::Status TakeManifest(UploadStore& store) {
    ASSIGN_OR_RETURN(rest_of_manifest_, store.ReadManifest(name_));
    if (!manifest_.ParseFromString(rest_of_manifest_)) {
      return absl::DataLossError("the uploaded folder's manifest is damaged");
    }
    contents_ = DistinctContents(manifest_);
    std::erase_if(contents_,
                  [&](int index) { return kept_.contains(manifest_.entries(index).sha256()); });
    knows_manifest_ = true;
    response_.set_manifest_bytes(static_cast<int64_t>(rest_of_manifest_.size()));
    response_.set_without_kept(!kept_.empty());
    return Fill(store);
  }

  // As much as one piece holds, of several contents if they are small.
  absl::Status Fill(UploadStore& store) {
    std::string& data = *response_.mutable_data();
    data = rest_of_manifest_.substr(0, kWorkdirPieceBytes);
    rest_of_manifest_.erase(0, data.size());
    while (data.size() < kWorkdirPieceBytes && sent_ < contents_.size()) {
      const v1::WorkdirEntry& entry = manifest_.entries(contents_[sent_]);
      if (!file_.is_open()) {
        ASSIGN_OR_RETURN(file_, store.OpenContent(name_.tenant, entry.sha256()));
      }
      const size_t before = data.size();
      data.resize(kWorkdirPieceBytes);
      const ssize_t size = read(file_.get(), data.data() + before, data.size() - before);
      data.resize(before + static_cast<size_t>(std::max<ssize_t>(size, 0)));
      if (size < 0) {
        return absl::ErrnoToStatus(errno, "cannot read an uploaded file");
      }
      if (size == 0) {
        file_ = Descriptor();
        ++sent_;
      }
    }
    return absl::OkStatus();
  }

  grpc::CallbackServerContext* const context_;
  const Actor actor_;
  const CallRouter& router_;
  UploadDesk& desk_;

  v1::FetchWorkdirResponse response_;
  std::set<std::string> kept_;  // by the agent, by SHA-256
  UploadName name_;
  bool knows_manifest_ = false;
  std::string rest_of_manifest_;
  v1::WorkdirManifest manifest_;
  std::vector<int> contents_;
  size_t sent_ = 0;  // of `contents_`
  Descriptor file_;  // the content that is being sent
};

class RefusedUploadStream final : public grpc::ServerBidiReactor<UploadRequest, UploadResponse> {
 public:
  explicit RefusedUploadStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

class RefusedWorkdirStream final : public grpc::ServerWriteReactor<v1::FetchWorkdirResponse> {
 public:
  explicit RefusedWorkdirStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerBidiReactor<UploadRequest, UploadResponse>* StartUploadStream(
    grpc::CallbackServerContext* context, const CallRouter& router, UploadDesk& desk) {
  const auto principal = router.Admit(*context, "Client.UploadWorkdir");
  if (!principal.ok()) {
    return new RefusedUploadStream(ToGrpcStatus(principal.status(), context));
  }
  return new UploadStream(context, principal->actor, router, desk);
}

grpc::ServerWriteReactor<v1::FetchWorkdirResponse>* StartWorkdirStream(
    grpc::CallbackServerContext* context, const v1::FetchWorkdirRequest& request,
    const CallRouter& router, UploadDesk& desk) {
  const auto principal = router.Admit(*context, "Agent.FetchWorkdir");
  if (!principal.ok()) {
    return new RefusedWorkdirStream(ToGrpcStatus(principal.status(), context));
  }
  auto* stream = new WorkdirStream(context, principal->actor, router, desk);
  stream->Start(request);
  return stream;
}

}  // namespace berth
