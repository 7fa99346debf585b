#ifndef BERTH_SCHEDULER_UPLOAD_STORE_H_
#define BERTH_SCHEDULER_UPLOAD_STORE_H_

// Uploaded folders on the scheduler's disk: FOLDER/TENANT/contents/SHA-256 and
// FOLDER/TENANT/manifests/SHA-256. A file there never changes. Tenants share nothing, so that none
// can learn what another one has.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "common/descriptor.h"
#include "common/sha256_sum.h"
#include "common/workdir_manifest.h"
#include "scheduler/core/ids.h"

namespace berth {

struct UploadOptions {
  WorkdirLimits limits;                               // of one upload
  int64_t tenant_size_max = int64_t{20} << 30;        // bytes of all uploads that are kept
  int64_t disk_reserve = int64_t{1} << 30;            // bytes that uploads leave free
  absl::Duration keep = absl::Hours(24 * 7);          // after the last use
  absl::Duration keep_when_crowded = absl::Hours(1);  // of a tenant above 3/4 of its room
  absl::Duration sweep_interval = absl::Minutes(10);  // how often what is not kept is looked for
};

// One upload: whose, and the SHA-256 of its manifest.
struct UploadName {
  TenantId tenant;
  std::string sha256;
};

// Blocks on the disk; the uploads' worker only. `now` is the wall clock: it decides what is removed
// and nothing else.
class UploadStore {
 public:
  class Content;

  UploadStore(std::string folder, UploadOptions options);

  const UploadOptions& options() const { return options_; }
  // Before anything else.
  absl::Status Open() const;

  // The first entries of those contents that the tenant does not have, by index; the others are
  // kept from now on for as long as any upload. ResourceExhausted: there is no room for them.
  absl::StatusOr<std::vector<int>> FindLacking(TenantId tenant, const v1::WorkdirManifest& manifest,
                                               absl::Time now);
  // Begins to take in the content of one entry of a file.
  absl::StatusOr<std::unique_ptr<Content>> Receive(TenantId tenant, const v1::WorkdirEntry& entry);
  // The manifest, once all its contents are there: durable with all of them when it returns.
  absl::StatusOr<UploadName> Save(TenantId tenant, absl::string_view manifest, absl::Time now);

  // It is kept from now on. NotFound: it is not there (any more).
  absl::Status Use(const UploadName& name, absl::Time now);
  absl::StatusOr<std::string> ReadManifest(const UploadName& name) const;
  absl::StatusOr<Descriptor> OpenContent(TenantId tenant, absl::string_view sha256) const;

  // Uploads that nobody has used for as long as they are kept, at most `count_max`. Those among
  // them that no job needs may be handed to Remove.
  std::vector<UploadName> FindExpired(absl::Time now, int count_max);
  // Those that are still expired: who uses one meanwhile keeps it.
  void Remove(const std::vector<UploadName>& expired, absl::Time now);
  // Contents that no manifest has any more, and that no upload that is under way counts on.
  void RemoveLooseContents(absl::Time now);

 private:
  std::string TenantFolder(TenantId tenant) const;
  std::string ContentPath(TenantId tenant, absl::string_view sha256) const;
  std::string ManifestPath(const UploadName& name) const;
  // Once per tenant, when it is first asked about: makes its folders, removes what came in half
  // before, and counts the rest.
  absl::Status OpenTenant(TenantId tenant);
  absl::Status CheckRoom(TenantId tenant, int64_t more) const;
  int64_t SizeOf(TenantId tenant) const;
  absl::Duration KeepOf(TenantId tenant) const;
  std::vector<TenantId> Tenants() const;
  void RemoveLooseContentsOf(TenantId tenant, absl::Time now);

  const std::string folder_;
  const UploadOptions options_;
  std::map<TenantId, int64_t> sizes_;  // bytes on the disk, of tenants that are open
  int64_t received_ = 0;               // numbers what comes in
};

// On its way into the store; dropped unless it is finished.
class UploadStore::Content {
 public:
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;
  ~Content();

  // How much is still to come.
  int64_t left() const { return left_; }
  // InvalidArgument: it is more than the manifest says.
  absl::Status Add(absl::string_view piece);
  // Whole and checked, and on the disk. InvalidArgument: it is not what the manifest says.
  absl::Status Finish();

 private:
  friend class UploadStore;
  Content(UploadStore& store, TenantId tenant, const v1::WorkdirEntry& entry);

  UploadStore& store_;
  const TenantId tenant_;
  const std::string path_;  // of the file, for messages
  const std::string sha256_;
  const int64_t size_;
  int64_t left_;
  std::string new_path_;  // on this disk, until it is whole; then empty
  Descriptor file_;
  Sha256Sum sum_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_UPLOAD_STORE_H_
